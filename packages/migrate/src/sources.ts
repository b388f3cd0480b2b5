// Expand and contract: an encrypted column takes over a plain one of another type. While both exist, a trigger keeps
// them in step: whichever the application writes last makes the other NULL, unless it writes both. The server cannot
// encrypt, but it can forget what is no longer true; the engine fills in what was forgotten.
import { MigrationError, type EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { RunOptions } from "./contract.ts";
import { requireRelation, type Relation } from "./relation.ts";
import { withShortLock } from "./short-lock.ts";
import { groupByTable, qualifiedName, quote, type Table } from "./table.ts";

/** Of one pair of columns, by the number of the encrypted one. Triggers fire in the order of their names: late. */
export interface InStep {
  readonly trigger: string;
  readonly function: string;
}

/** @throws {@link MigrationError} `ERR_MIGRATE_TARGET` when an option names a column that is not migrated */
export function refuseUnknownColumns(
  columns: readonly EncryptedColumn[],
  { sources = {}, previous = {} }: Pick<RunOptions, "sources" | "previous">,
): void {
  const known = groupByTable(columns).flatMap((target) =>
    target.columns.map(({ column }) => qualifiedName(target, column)),
  );
  for (const [option, names] of Object.entries({ sources, previous })) {
    const unknown = Object.keys(names).find((name) => !known.includes(name));
    if (unknown === undefined) continue;
    throw new MigrationError(
      "ERR_MIGRATE_TARGET",
      `The option ${option} names "${unknown}", which is no column of this run. Columns are named as "table.column": ${known.join(", ")}.`,
    );
  }
}

/**
 * Creates the triggers that are not there yet, one per pair: a later run of other columns must leave these in step. Both
 * columns stay writable, and old versions of the application correct.
 */
export async function keepSourcesInStep(
  client: ClientBase,
  table: Table,
  signal?: AbortSignal,
): Promise<void> {
  for (const { column, source } of table.migrated) {
    if (source === undefined) continue;
    const relation = await requireRelation(client, table);
    const names = inStepOf(relation, column.column);
    const body = bodyOf(column, source);
    if (await stands(client, relation, { names, body })) continue;
    const statements = [
      `CREATE OR REPLACE FUNCTION ${names.function}() RETURNS trigger LANGUAGE plpgsql AS $fieldseal$${body}$fieldseal$`,
      `DROP TRIGGER IF EXISTS ${names.trigger} ON ${relation.sql}`,
      `CREATE TRIGGER ${names.trigger} BEFORE UPDATE ON ${relation.sql} FOR EACH ROW EXECUTE FUNCTION ${names.function}()`,
    ];
    await withShortLock(client, relation, { statements, options: signal ? { signal } : {} });
  }
}

export function inStepOf({ oid, attributes }: Relation, column: string): InStep {
  const number = attributes.get(column)?.number;
  return {
    trigger: `zz_fieldseal_in_step_${number}`,
    function: `fieldseal.in_step_${oid}_${number}`,
  };
}

async function stands(
  client: ClientBase,
  { oid }: Relation,
  { names, body }: { readonly names: InStep; readonly body: string },
): Promise<boolean> {
  const { rows } = await client.query<{ body: string }>(
    `SELECT prosrc AS body FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid
     WHERE tgrelid = $1 AND tgname = $2 AND tgenabled IN ('O', 'A')`,
    [oid, names.trigger],
  );
  return rows[0]?.body === body;
}

function bodyOf(column: EncryptedColumn, source: string): string {
  // What the engine writes is the same value in the other form.
  return `BEGIN
    IF current_setting('fieldseal.engine', true) = 'on' THEN RETURN NEW; END IF;
    ${step(column, source)}
    RETURN NEW;
  END`;
}

/** Compared as bytes: equal by a type's own rule (1.0 and 1.00, 'a' and 'A' of a collation) is not the same value. */
function step({ column, cipher }: EncryptedColumn, source: string): string {
  const own = quote(column);
  const plain = quote(source);
  const companion = cipher.blindIndex?.column;
  const forgetToken = companion === undefined ? "" : ` NEW.${quote(companion)} := NULL;`;
  const changed = (name: string): string =>
    `NEW.${name}::text COLLATE "C" IS DISTINCT FROM OLD.${name}::text COLLATE "C"`;
  return `IF ${changed(plain)} THEN
      IF NOT (${changed(own)}) THEN NEW.${own} := NULL;${forgetToken} END IF;
    ELSIF ${changed(own)} THEN NEW.${plain} := NULL; END IF;`;
}
