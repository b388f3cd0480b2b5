// The contract step of expand and contract: the plain columns go, once the database itself has proved that they are
// not needed.
import { MigrationError, type EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import { databaseError, withClient } from "./connections.ts";
import { refuseSharedSessions } from "./pooler.ts";
import { refuseDescribedTwice } from "./refusals.ts";
import { requireRelation, type Relation } from "./relation.ts";
import { withShortLock } from "./short-lock.ts";
import { inStepOf, refuseUnknownColumns } from "./sources.ts";
import { groupByTable, qualifiedName, quote } from "./table.ts";

const CHECK_VIOLATION = "23514";

/**
 * Drops plain columns whose values all stand encrypted in their place, with the triggers that kept them in step. The
 * application must not read or write them any more. A CHECK constraint is the proof: it is validated while everybody
 * reads and writes, and only the drop itself needs the table alone, for milliseconds. The bytes stay in rows until these
 * are written anew (`scrubColumns`), in write-ahead log and backups.
 *
 * @param sources as `RunOptions.sources`
 * @throws {@link MigrationError} `ERR_MIGRATE_STATE` when a row holds a plain value only; nothing is dropped then.
 * `ERR_MIGRATE_BUSY`, `ERR_MIGRATE_TARGET`
 */
export async function dropSources(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  sources: Readonly<Record<string, string>>,
): Promise<void> {
  refuseUnknownColumns(columns, { sources });
  await refuseSharedSessions(pool);
  await withClient(pool, async (client) => {
    await client.query("SET statement_timeout = 0");
    await refuseDescribedTwice(client, columns, { sources });
    for (const target of groupByTable(columns)) {
      const pairs = target.columns.flatMap(({ column }) => {
        const source = sources[qualifiedName(target, column)];
        return source === undefined ? [] : [{ own: column, plain: source }];
      });
      if (pairs.length === 0) continue;
      const relation = await requireRelation(client, target);
      try {
        for (const pair of pairs) await prove(client, relation, pair);
        await drop(client, relation, pairs);
      } catch (error) {
        throw databaseError(error, { table: target.table });
      }
    }
  });
}

interface Pair {
  readonly own: string;
  readonly plain: string;
}

function constraintOf({ attributes }: Relation, { own }: Pair): string {
  return `fieldseal_taken_over_${attributes.get(own)?.number}`;
}

/** From here on no row can come in that has a plain value only. */
async function prove(client: ClientBase, relation: Relation, pair: Pair): Promise<void> {
  const { own, plain } = pair;
  if (!relation.attributes.has(plain)) {
    const message = `Table ${relation.sql} has no column "${plain}", which the option sources names.`;
    throw new MigrationError("ERR_MIGRATE_TARGET", message, { table: relation.name });
  }
  const name = constraintOf(relation, pair);
  // The JSON text "null" is stored as NULL.
  const isTakenOver = `${quote(plain)} IS NULL OR ${quote(own)} IS NOT NULL OR to_jsonb(${quote(plain)}) = 'null'`;
  const alter = `ALTER TABLE ${relation.sql}`;
  const remove = `${alter} DROP CONSTRAINT IF EXISTS ${name}`;
  const run = (...statements: string[]): Promise<void> =>
    withShortLock(client, relation, { statements, options: {} });
  await run(remove, `${alter} ADD CONSTRAINT ${name} CHECK (${isTakenOver}) NOT VALID`);
  try {
    await run(`${alter} VALIDATE CONSTRAINT ${name}`);
  } catch (error) {
    await run(remove);
    if ((error as { code?: string }).code !== CHECK_VIOLATION) throw error;
    throw new MigrationError(
      "ERR_MIGRATE_STATE",
      `Column "${plain}" of table "${relation.name}" holds values that are not encrypted yet. Run the migration again, ` +
        "and stop what still writes this column.",
      { table: relation.name },
    );
  }
}

async function drop(client: ClientBase, relation: Relation, pairs: readonly Pair[]): Promise<void> {
  const statements = pairs.flatMap((pair) => {
    const inStep = inStepOf(relation, pair.own);
    return [
      `ALTER TABLE ${relation.sql} DROP CONSTRAINT ${constraintOf(relation, pair)}`,
      `DROP TRIGGER IF EXISTS ${inStep.trigger} ON ${relation.sql}`,
      `DROP FUNCTION IF EXISTS ${inStep.function}()`,
      `ALTER TABLE ${relation.sql} DROP COLUMN ${quote(pair.plain)}`,
    ];
  });
  await withShortLock(client, relation, { statements, options: {} });
}
