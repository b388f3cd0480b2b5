import type { ClientBase } from "pg";

/** A backslash in the engine's patterns and bytes is one, where an old database takes it for the start of an escape, too. */
export const LITERALS = "standard_conforming_strings = on";

/**
 * Whatever the default of the role or the database: what waited for a lock must see what was committed meanwhile, where a
 * snapshot of the whole transaction would be older than the wait.
 */
export async function inTransaction<T>(client: ClientBase, action: () => Promise<T>): Promise<T> {
  await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL ${LITERALS}`);
  try {
    const result = await action();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    // When the connection is gone, so is the transaction; the first error is the one to tell.
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}
