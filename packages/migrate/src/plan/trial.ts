// The write of the run, on sampled rows, rolled back: what constraints, triggers and privileges really do to it.
import type { ClientBase } from "pg";
import { ADVICE } from "../connections.ts";
import type { Relation } from "../relation.ts";
import { silently, type Statement } from "../silent-statement.ts";
import { quote, type Table } from "../table.ts";
import type { Finding } from "./contract.ts";
import { valuesOf, type Sample } from "./sample.ts";

export interface Trial {
  readonly findings: readonly Finding[];
  /** On one connection; undefined when nothing was written. */
  readonly millisecondsPerRow: number | undefined;
}

/** Rows that the application holds locked are left out: a trial waits for nobody. */
export async function tryWrite(
  client: ClientBase,
  {
    relation,
    table,
    sample,
  }: { readonly relation: Relation; readonly table: Table; readonly sample: Sample },
): Promise<Trial> {
  if (sample.changed.length === 0) return { findings: [], millisecondsPerRow: undefined };
  const values = valuesOf(table, sample.changed);
  const written = table.slots.flatMap(({ name, assign }, i) =>
    assign === undefined ? [] : [{ name: quote(name), value: assign(`l.c${i}`) }],
  );
  const execute = await silently<{ locked: number | string; written: readonly unknown[] }>(client, {
    types: values.types,
    text: `WITH l AS MATERIALIZED (
         SELECT v.* FROM ${values.sql} JOIN ${relation.sql} t ON t.tableoid = v.leaf AND t.ctid = v.place AND t.xmin = v.version
         FOR NO KEY UPDATE OF t SKIP LOCKED
       ), u AS (
         UPDATE ${relation.sql} t SET ${written.map(({ name, value }) => `${name} = ${value}`).join(", ")}
         FROM l WHERE t.tableoid = l.leaf AND t.ctid = l.place RETURNING l.position
       )
       SELECT (SELECT count(*) FROM l) AS locked, coalesce(array_agg(position), '{}') AS written FROM u`,
  });
  const countKept = await silently<{ kept: number | string }>(
    client,
    keptRows(table, relation, values),
  );
  await client.query("BEGIN");
  try {
    await client.query("SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '30s'");
    // As the engine's own writes: a trigger that keeps plain columns in step lets them pass.
    await client.query("SET LOCAL fieldseal.engine = 'on'; SET CONSTRAINTS ALL IMMEDIATE");
    const start = performance.now();
    const [{ locked, written: positions } = { locked: 0, written: [] }] = await execute(
      values.parameters,
    );
    const elapsedMs = performance.now() - start;
    const count = positions.length;
    const [kept] = await countKept([...values.parameters, positions]);
    return {
      findings: [...notWritten(Number(locked), count), ...changedBy(count, Number(kept?.kept))],
      millisecondsPerRow: count === 0 ? undefined : elapsedMs / count,
    };
  } catch (error) {
    return { findings: [refused(error)], millisecondsPerRow: undefined };
  } finally {
    await client.query("ROLLBACK");
  }
}

/** Looked up once all triggers are through: one that fires afterwards may write the row once more. */
function keptRows(
  table: Table,
  relation: Relation,
  { sql, types }: Pick<ReturnType<typeof valuesOf>, "sql" | "types">,
): Statement {
  const isRow = table.primaryKey.map(
    (name, i) => `t.${quote(name)} = v.k${i}::${table.keyTypes[i]}`,
  );
  const isKept = table.slots.flatMap(({ name, assign }, i) =>
    assign === undefined
      ? []
      : [`t.${quote(name)}::text COLLATE "C" IS NOT DISTINCT FROM (${assign(`v.c${i}`)})::text`],
  );
  return {
    types: [...types, "bigint[]"],
    text: `SELECT count(*) AS kept FROM ${sql} JOIN ${relation.sql} t ON t.tableoid = v.leaf AND ${isRow.join(" AND ")}
       WHERE v.position = ANY ($${types.length + 1}::bigint[]) AND ${isKept.join(" AND ")}`,
  };
}

function notWritten(locked: number, written: number): Finding[] {
  if (written === locked) return [];
  return [
    {
      severity: "refusal",
      kind: "trial",
      message: `Of ${locked} sampled rows PostgreSQL wrote ${written}: a trigger or a policy lets the others stay as they are.`,
      fix: "Find the BEFORE UPDATE trigger that returns NULL, or the policy, and let the engine's role pass.",
    },
  ];
}

function changedBy(written: number, kept: number): Finding[] {
  if (kept === written) return [];
  return [
    {
      severity: "refusal",
      kind: "trial",
      message:
        "A trigger changes what is written to an encrypted column, which would destroy it: " +
        `of ${written} sampled rows ${kept} kept their ciphertext.`,
      fix: "Take the column out of that trigger.",
    },
  ];
}

/** The database's message may quote a value; its code and names do not. */
function refused(error: unknown): Finding {
  const {
    code = "unknown",
    constraint,
    table,
    column,
  } = error as Readonly<Record<string, string | undefined>>;
  const names = Object.entries({ constraint, table, column }).flatMap(([what, name]) =>
    name === undefined ? [] : [`${what} "${name}"`],
  );
  const named = names.length > 0 ? ` (${names.join(", ")})` : "";
  const advice = ADVICE[code];
  const message = `PostgreSQL refuses the write of sampled rows with code ${code}${named}`;
  if (advice !== undefined) {
    return { severity: "refusal", kind: "trial", message: `${message}: ${advice}.` };
  }
  return {
    severity: "refusal",
    kind: "trial",
    message: `${message}.`,
    fix: "Look the code up in PostgreSQL's list of error codes; a trigger may raise codes of its own.",
  };
}
