// Statements whose failure PostgreSQL does not log. The messages of constraints, casts and triggers quote the row
// ("Failing row contains (...)"), and whoever reads the server's log reads plaintext that was never in the database as
// such. An error that PL/pgSQL catches is not logged, whatever the role may set: so each statement that carries values
// runs in a function of this session alone, which hands the error's code and names back without its message.
import type { ClientBase } from "pg";
import { literal } from "./fence.ts";
import { prepared } from "./statements.ts";
import { inTransaction } from "./transaction.ts";

export interface Statement {
  /** Values are $1, $2 ...; rows come back as JSON. */
  readonly text: string;
  /** SQL types of the values. */
  readonly types: readonly string[];
  readonly check?: Check;
}

/** What must hold once a statement and its triggers are through, else it fails with 22012 and nothing of it stays. */
interface Check {
  /** Without parameters: whether there is anything to check. */
  readonly when: string;
  /** Given the SQL of what the row that came back has as `written`, a bigint[]. */
  readonly holds: (written: string) => string;
}

export type Execute<Row> = (values: readonly unknown[]) => Promise<Row[]>;

interface Failure {
  readonly code: string;
  readonly constraint: string;
  readonly table: string;
  readonly column: string;
}

/** As an error of `pg`, without the message and the detail. */
export class StatementRefused extends Error {
  override name = "StatementRefused";
  readonly code: string;
  readonly constraint: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;

  constructor({ code, constraint, table, column }: Failure) {
    super(`PostgreSQL refused a statement with ${code}.`);
    this.code = code;
    this.constraint = constraint || undefined;
    this.table = table || undefined;
    this.column = column || undefined;
  }
}

/** Where no temporary function can be made, at least nothing of a parameter. For what this role may not set see the plan. */
export const SILENCE = `DO $silence$
  DECLARE setting text[];
  BEGIN
    FOREACH setting SLICE 1 IN ARRAY ARRAY[
      ['log_min_messages', 'fatal'], ['log_parameter_max_length', '0'], ['log_parameter_max_length_on_error', '0'],
      ['auto_explain.log_parameter_max_length', '0'], ['pgaudit.log_parameter', 'off']
    ] LOOP
      BEGIN
        PERFORM set_config(setting[1], setting[2], false);
      EXCEPTION WHEN OTHERS THEN NULL; -- not for this role, or not in this version
      END;
    END LOOP;
  END $silence$`;

const NOWHERE = { constraint: "", table: "", column: "" };

interface Session {
  readonly hasFunctions: boolean;
  /** By text. */
  readonly calls: Map<string, string>;
}

const sessions = new WeakMap<ClientBase, Session>();

/** Makes the function of a statement, once a session: outside of a transaction, whose end might take it away. */
export async function silently<Row>(
  client: ClientBase,
  statement: Statement,
): Promise<Execute<Row>> {
  const { hasFunctions, calls } = await sessionOf(client);
  if (!hasFunctions) {
    return (values) => executePlainly<Row>(client, statement, values);
  }
  const call = calls.get(statement.text) ?? (await create(client, statement, calls));
  return async (values) => {
    const { rows } = await client.query<{ row: Row; failure: Failure | null }>({
      ...prepared(call),
      values: [...values],
    });
    const failed = rows.find(({ failure }) => failure !== null);
    if (failed?.failure) throw new StatementRefused(failed.failure);
    return rows.map(({ row }) => row);
  };
}

async function executePlainly<Row>(
  client: ClientBase,
  { text, types, check }: Statement,
  values: readonly unknown[],
): Promise<Row[]> {
  const execute = async (): Promise<Row[]> =>
    (await client.query({ ...prepared(text), values: [...values] })).rows as Row[];
  if (check === undefined) return execute();
  return inTransaction(client, async () => {
    await client.query("SET CONSTRAINTS ALL IMMEDIATE"); // what is deferred would come after the check
    const rows = await execute();
    const { rows: looks } = await client.query(`SELECT WHERE ${check.when}`);
    if (looks.length === 0) return rows;
    const given = types.map((type, i) => `$${i + 1}::${type}`).join(", ");
    const holds = `SELECT ${check.holds(`$${types.length + 1}::bigint[]`)} AS holds FROM (SELECT ${given}) AS given`;
    for (const { written } of rows as readonly { readonly written: unknown }[]) {
      const { rows: answers } = await client.query<{ holds: boolean }>({
        ...prepared(holds),
        values: [...values, written],
      });
      if (answers[0]?.holds !== true) throw new StatementRefused({ ...NOWHERE, code: "22012" });
    }
    return rows;
  });
}

async function sessionOf(client: ClientBase): Promise<Session> {
  let session = sessions.get(client);
  if (session === undefined) {
    const { rows } = await client.query<{ hasFunctions: boolean }>(
      `SELECT has_database_privilege(current_database(), 'TEMPORARY') AS "hasFunctions"`,
    );
    session = { hasFunctions: rows[0]?.hasFunctions === true, calls: new Map() };
    sessions.set(client, session);
  }
  return session;
}

async function create(
  client: ClientBase,
  { text, types, check }: Statement,
  calls: Map<string, string>,
): Promise<string> {
  const name = `pg_temp.fieldseal_${calls.size}`;
  // What is deferred would fail at the commit, outside of the block that catches it.
  const body = `#variable_conflict use_column
  DECLARE
    fieldseal_record record;
    fieldseal_code text; fieldseal_constraint text; fieldseal_table text; fieldseal_column text;
  BEGIN
    SET CONSTRAINTS ALL IMMEDIATE;
    FOR fieldseal_record IN ${text} LOOP
${check === undefined ? "" : `      IF ${check.when} THEN IF NOT (${check.holds("fieldseal_record.written")}) THEN RAISE EXCEPTION USING ERRCODE = '22012'; END IF; END IF;\n`}      fieldseal_row := to_jsonb(fieldseal_record);
      RETURN NEXT;
    END LOOP;
  EXCEPTION WHEN OTHERS OR assert_failure THEN
    GET STACKED DIAGNOSTICS fieldseal_code = RETURNED_SQLSTATE, fieldseal_constraint = CONSTRAINT_NAME,
      fieldseal_table = TABLE_NAME, fieldseal_column = COLUMN_NAME;
    fieldseal_row := NULL;
    fieldseal_failure := jsonb_build_object('code', fieldseal_code, 'constraint', fieldseal_constraint,
      'table', fieldseal_table, 'column', fieldseal_column);
    RETURN NEXT;
  END`;
  await client.query(
    `CREATE FUNCTION ${name}(${types.join(", ")}) RETURNS TABLE (fieldseal_row jsonb, fieldseal_failure jsonb)
     LANGUAGE plpgsql AS ${literal(body)}`,
  );
  const places = types.map((_, i) => `$${i + 1}`).join(", ");
  const call = `SELECT fieldseal_row AS row, fieldseal_failure AS failure FROM ${name}(${places})`;
  calls.set(text, call);
  return call;
}
