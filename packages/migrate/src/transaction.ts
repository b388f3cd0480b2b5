import type { ClientBase } from "pg";

export async function inTransaction<T>(client: ClientBase, action: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
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
