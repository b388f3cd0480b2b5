// The two guards of a finished column. The fence, a trigger, refuses plaintext with a message that holds no value; it
// comes first, because PostgreSQL's own message of a violated CHECK quotes the row, and servers log that. The CHECK
// constraint is what the database itself vouches for.
import {
  databaseName,
  envelopeCondition,
  type EncryptedColumn,
  type StorageForm,
} from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Attribute, Relation } from "./relation.ts";
import { quote } from "./table.ts";
import { inTransaction } from "./transaction.ts";

/** Triggers run in the order of their names: late, to see what others made of the row. */
export const FENCE = "zz_fieldseal_fence";

export interface Fence {
  readonly functionSql: string;
  readonly body: string;
  readonly columns: readonly string[];
}

/** One fence for all of a table's columns: what is fenced already stays so when others follow, or are given up. */
export function fenceOf(relation: Relation, fenced: readonly string[]): Fence {
  const numberOf = (column: string): number => relation.attributes.get(column)?.number ?? 0;
  // Models that share a table may describe a column twice.
  const columns = [...new Set(fenced)].toSorted((a, b) => numberOf(a) - numberOf(b));
  const conditions = columns.map((column) => {
    const [after, before] = [`NEW.${quote(column)}`, `OLD.${quote(column)}`];
    const storage = relation.attributes.get(column)?.type === "bytea" ? "binary" : "text";
    const collation = storage === "text" ? ' COLLATE "C"' : "";
    // Rows that still hold plaintext may change in other columns.
    return `  IF ${after}${collation} IS DISTINCT FROM ${before}${collation} AND NOT (${conditionOf(after, storage)}) THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', SCHEMA = ${literal(relation.schema)}, TABLE = ${literal(relation.name)},
      COLUMN = ${literal(column)}, CONSTRAINT = '${FENCE}', MESSAGE = ${literal(`column "${column}" of table "${relation.name}" takes encrypted values only`)},
      HINT = 'Write through the application, which encrypts; "fieldseal migrate finalize --undo" takes this fence away.';
  END IF;`;
  });
  return {
    functionSql: `${quote(relation.schema)}.${fenceFunctionName(relation.name)}`,
    body: `BEGIN\n${conditions.join("\n")}\n  RETURN NEW;\nEND`,
    columns,
  };
}

/** A function is read in the sessions of the application, to which a backslash may be the start of an escape. */
function conditionOf(value: string, storage: StorageForm): string {
  return envelopeCondition(value, storage).replace(/'(\\x[0-9a-f]+)'/, (_, bytes: string) =>
    literal(bytes),
  );
}

/** The columns that the standing fence is for, of whichever call; none without one. */
export async function fencedColumns(client: ClientBase, relation: Relation): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_trigger JOIN pg_attribute ON attrelid = tgrelid AND attnum = ANY (tgattr::int2[])
     WHERE tgrelid = $1 AND tgname = $2 AND NOT attisdropped ORDER BY attnum`,
    [relation.oid, FENCE],
  );
  return rows.map(({ name }) => name);
}

/** Whether the fence stands, enabled and for these columns. */
export async function hasFence(
  client: ClientBase,
  relation: Relation,
  fence: Fence,
): Promise<boolean> {
  const { rows } = await client.query<{ body: string }>(
    `SELECT prosrc AS body FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid
     WHERE tgrelid = $1 AND tgname = $2 AND tgenabled IN ('O', 'A')`,
    [relation.oid, FENCE],
  );
  return rows[0]?.body === fence.body;
}

/** A table that was renamed keeps its fence, under the name that is now another's: replaced, it would know other columns. */
export async function giveFenceItsName(
  client: ClientBase,
  relation: Relation,
  { functionSql }: Fence,
): Promise<string[]> {
  const { rows } = await client.query<{ table: string }>(
    `SELECT relname AS table FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
     WHERE tgfoid = to_regprocedure($1) AND tgrelid <> $2 AND tgparentid = 0 LIMIT 1`,
    [`${functionSql}()`, relation.oid],
  );
  return rows.map(
    ({ table }) => `ALTER FUNCTION ${functionSql}() RENAME TO ${fenceFunctionName(table)}`,
  );
}

function fenceFunctionName(table: string): string {
  return quote(databaseName([table, "fieldseal_fence"]));
}

export function raiseFence(relation: Relation, { functionSql, body, columns }: Fence): string[] {
  return [
    `CREATE OR REPLACE FUNCTION ${functionSql}() RETURNS trigger LANGUAGE plpgsql AS ${literal(body)}`,
    `DROP TRIGGER IF EXISTS ${FENCE} ON ${relation.sql}`,
    `CREATE TRIGGER ${FENCE} BEFORE INSERT OR UPDATE OF ${columns.map(quote).join(", ")} ON ${relation.sql}
     FOR EACH ROW EXECUTE FUNCTION ${functionSql}()`,
  ];
}

export function dropFence(relation: Relation, { functionSql }: Fence): string[] {
  return [
    `DROP TRIGGER IF EXISTS ${FENCE} ON ${relation.sql}`,
    `DROP FUNCTION IF EXISTS ${functionSql}()`,
  ];
}

export interface EnvelopeConstraint {
  readonly name: string;
  readonly isValidated: boolean;
}

/**
 * Finds the constraint by what it says: an adapter may have made it, under another name. By all that it says: one that
 * only speaks of the pattern (`... OR length(email) < 80`) vouches for nothing.
 */
export async function findConstraint(
  client: ClientBase,
  relation: Relation,
  { column, cipher }: EncryptedColumn,
): Promise<EnvelopeConstraint | undefined> {
  const { number } = relation.attributes.get(column) as Attribute;
  return inTransaction(client, async () => {
    await client.query("SET LOCAL bytea_output = 'hex'"); // in which the catalogs show a constant
    const conditions = await deparsed(client, { column, storage: cipher.storage });
    const { rows } = await client.query<EnvelopeConstraint>(
      `SELECT conname AS name, convalidated AS "isValidated" FROM pg_constraint
       WHERE conrelid = $1 AND contype = 'c' AND conkey = ARRAY[$2::int2]
         AND pg_get_expr(conbin, conrelid) = ANY ($3) ORDER BY convalidated DESC, conname LIMIT 1`,
      [relation.oid, number, conditions],
    );
    return rows[0];
  });
}

/** The condition as PostgreSQL shows it in its catalogs. */
async function deparsed(
  client: ClientBase,
  { column, storage }: { readonly column: string; readonly storage: StorageForm },
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>("SELECT quote_ident($1) AS name", [column]);
  const name = (rows[0] as { name: string }).name;
  const condition = envelopeCondition(name, storage);
  if (storage === "binary") return [`(${condition})`];
  const pattern = condition.slice(condition.indexOf("~"));
  return [`((${name} COLLATE "C") ${pattern}::text)`, `(${name} ${pattern}::text)`];
}

export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}
