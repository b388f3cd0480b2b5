// Some rows as the run would treat them: opened and sealed here, measured, and not written.
import type { ClientBase } from "pg";
import type { Direction } from "../contract.ts";
import { countLegacy, isSuspect, type LegacyCount } from "../legacy-guard.ts";
import type { Relation } from "../relation.ts";
import { rewrite, type Cell, type Poison } from "../rewrite.ts";
import { quote, type Table } from "../table.ts";

export interface SampledRow {
  readonly key: readonly string[];
  readonly leaf: number;
  readonly place: string;
  readonly version: string;
  /** One cell a slot, as the run would write it. */
  readonly cells: readonly Cell[];
}

export interface Sample {
  /** Rows looked at. */
  readonly rows: number;
  /** Those that the run would write. */
  readonly changed: readonly SampledRow[];
  readonly poison: readonly Poison[];
  /** A column whose values of the legacy layout another key wrote, as it seems. */
  readonly suspicion: LegacyCount | undefined;
  /** What a written row's migrated columns take before and after, as stored, on average. */
  readonly bytesBefore: Bytes;
  readonly bytesAfter: Bytes;
  /** Opening and sealing, in this process. */
  readonly millisecondsPerRow: number;
}

/** Longer values stand in the table's TOAST, outside of the row. */
export interface Bytes {
  readonly inRow: number;
  readonly outside: number;
}

/** Above it PostgreSQL moves values out of the row; only a pointer remains. */
const TOAST_THRESHOLD_BYTES = 2000;
const TOAST_POINTER_BYTES = 18;
const MAX_VALUE_BYTES = 1_048_576;

export async function sampleRows(
  client: ClientBase,
  { relation, table, direction, samplePercent, limit }: SampleSpec,
): Promise<Sample> {
  const sizes = table.slots.map(({ name }) => `pg_column_size(t.${quote(name)})`);
  const keys = table.primaryKey.map((name) => `t.${quote(name)}::text`);
  const small = table.slots.map(
    ({ name }) => `coalesce(pg_column_size(t.${quote(name)}), 0) < ${MAX_VALUE_BYTES}`,
  );
  const method = samplePercent === undefined ? "" : `TABLESAMPLE SYSTEM (${samplePercent})`;
  // The first rows of a small table would all be of one time.
  const order = samplePercent === undefined ? "ORDER BY random()" : "";
  const { rows } = await client.query<unknown[]>({
    text: `SELECT t.tableoid, t.ctid::text, t.xmin::text, ${[...sizes, ...keys, ...table.slots.map(({ select }) => select)].join(", ")}
      FROM ${relation.sql} t ${method} WHERE ${small.join(" AND ")} ${order} LIMIT $1`,
    values: [limit],
    rowMode: "array",
  });
  const firstKey = 3 + sizes.length;
  const firstCell = firstKey + keys.length;
  const cells = rows.map((row) => row.slice(firstCell) as Cell[]);
  const start = performance.now();
  const rewritten = rewrite(table, cells, { direction });
  const elapsedMs = performance.now() - start;
  const written = table.slots.flatMap((slot, i) => (slot.assign === undefined ? [] : [i]));
  const changes = rows.flatMap((row, i) => {
    const next = rewritten.rows[i];
    const before = written.map((at) => Number(row[3 + at] ?? 0));
    return next ? [{ row, next, before }] : [];
  });
  return {
    rows: rows.length,
    changed: changes.map(({ row, row: [leaf, place, version], next }) => ({
      leaf: leaf as number,
      place: place as string,
      version: version as string,
      key: row.slice(firstKey, firstCell) as string[],
      cells: next,
    })),
    poison: rewritten.poison,
    suspicion: countLegacy(table, cells, rewritten.poison).find(isSuspect),
    bytesBefore: average(changes.map(({ before }) => before)),
    bytesAfter: average(
      changes.map(({ next }) => written.map((at) => storedBytes(next[at] as Cell))),
    ),
    millisecondsPerRow: rows.length === 0 ? 0 : elapsedMs / rows.length,
  };
}

export interface SampleSpec {
  readonly relation: Relation;
  readonly table: Table;
  readonly direction: Direction;
  readonly samplePercent: number | undefined;
  readonly limit: number;
}

function storedBytes(cell: Cell): number {
  return cell === null ? 0 : Buffer.byteLength(cell) + 4;
}

function average(rows: readonly (readonly number[])[]): Bytes {
  const sum = { inRow: 0, outside: 0 };
  for (const bytes of rows.flat()) {
    const isOutside = bytes > TOAST_THRESHOLD_BYTES;
    sum.inRow += isOutside ? TOAST_POINTER_BYTES : bytes;
    if (isOutside) sum.outside += bytes;
  }
  const count = Math.max(1, rows.length);
  return { inRow: sum.inRow / count, outside: sum.outside / count };
}

/** SQL of a relation `v` with place, key (as text) and new cells of sampled rows, and its parameters and their types. */
export function valuesOf(
  { slots, primaryKey }: Pick<Table, "slots" | "primaryKey">,
  changed: readonly SampledRow[],
): { readonly sql: string; readonly types: readonly string[]; readonly parameters: unknown[] } {
  const types = [
    "oid[]",
    "tid[]",
    "xid[]",
    ...primaryKey.map(() => "text[]"),
    ...slots.map(({ parameter }) => `${parameter}[]`),
  ];
  const arrays = types.map((type, i) => `$${i + 1}::${type}`);
  const names = [...primaryKey.map((_, i) => `k${i}`), ...slots.map((_, i) => `c${i}`)];
  return {
    sql: `unnest(${arrays.join(", ")}) WITH ORDINALITY v(leaf, place, version, ${names.join(", ")}, position)`,
    types,
    parameters: [
      changed.map(({ leaf }) => leaf),
      changed.map(({ place }) => place),
      changed.map(({ version }) => version),
      ...primaryKey.map((_, i) => changed.map(({ key }) => key[i])),
      ...slots.map((_, i) => changed.map(({ cells }) => cells[i] ?? null)),
    ],
  };
}
