// One batch: all columns of its rows and the checkpoint in one statement, which is one transaction. It touches a row
// only if it is the very version that was read.
//
// Why xmin is a proof: a visible row version (primary key, xmin = X) was written by transaction X, which is over; no
// later version of the row can carry X. Under READ COMMITTED an UPDATE that meets a newer version evaluates its
// conditions on that one, whose xmin differs, and leaves it alone. SKIP LOCKED means that this statement never waits
// for a row, so it can be part of no deadlock.
import type { ClientBase } from "pg";
import { hasAfterTriggers } from "./after-triggers.ts";
import { byteaArray, reusedRoom, textArray, xidArray, type Room } from "./binary-array.ts";
import type { Chunk } from "./chunks.ts";
import { keyArrays, type Place, type ReadRow } from "./read.ts";
import type { Cell } from "./rewrite.ts";
import { silently, type Statement } from "./silent-statement.ts";
import type { Slot } from "./slot.ts";
import { quote, type Table } from "./table.ts";

export interface Changed {
  readonly row: ReadRow;
  /** By slot. */
  readonly cells: readonly Cell[];
}

export interface Checkpoint {
  readonly runId: string;
  readonly chunk: Pick<Chunk, "number" | "leaf">;
  readonly owner: string;
  readonly leaseMs: number;
  /** Where the batch ended: rows before it are done. */
  readonly cursor: Place;
  readonly seen: number;
  readonly isLast: boolean;
}

/**
 * Rows that were not written, because they were changed, locked, deleted or moved meanwhile. undefined when the lease
 * was lost: then nothing was written that another worker would not write as well.
 */
export async function writeBatch(
  client: ClientBase,
  table: Table,
  rows: readonly Changed[],
  checkpoint: Checkpoint,
): Promise<readonly Changed[] | undefined> {
  const written = table.slots
    .map((slot, at) => ({ slot, at }))
    .filter(({ slot }) => slot.assign !== undefined);
  const { leaf } = checkpoint.chunk;
  const execute = await silently<{ readonly written: readonly (number | string)[] | null }>(
    client,
    statement(table, leaf),
  );
  const [result] = await execute([
    checkpoint.runId,
    checkpoint.chunk.number,
    checkpoint.owner,
    checkpoint.cursor,
    checkpoint.seen,
    checkpoint.leaseMs / 1000,
    checkpoint.isLast,
    xidArray(rows.map(({ row }) => row.version)),
    ...keyArrays(
      table,
      rows.map(({ row }) => row.key),
    ),
    ...written.map(({ slot, at }) => {
      const room = roomOf(client, at);
      return slot.parameter === "text"
        ? textArray(
            rows.map(({ cells }) => cells[at] as string | null),
            room,
          )
        : byteaArray(
            rows.map(({ cells }) => cells[at] as Buffer | null),
            room,
          );
    }),
  ]);
  return result && missedOf(rows, result.written);
}

/** Of each connection, by slot. A connection sends one batch after the other. */
const rooms = new WeakMap<ClientBase, Map<number, Room>>();

function roomOf(client: ClientBase, slot: number): Room {
  const own = rooms.get(client) ?? new Map<number, Room>();
  rooms.set(client, own);
  const room = own.get(slot) ?? reusedRoom();
  own.set(slot, room);
  return room;
}

/** The server names rows, by their position from 1, when it did not write them all. */
function missedOf(
  rows: readonly Changed[],
  written: readonly (number | string)[] | null,
): Changed[] {
  if (written === null || written.length === rows.length) return [];
  const positions = new Set(written.map(Number)); // outside of JSON, `pg` gives a bigint as text
  return rows.filter((_, i) => !positions.has(i + 1));
}

const FIRST_KEY = 9;

/** Run, chunk, owner, cursor, seen, seconds of the lease, whether it is the last batch, versions. */
const FIRST_TYPES = ["bigint", "int", "uuid", "bigint", "bigint", "float8", "bool", "xid[]"];

function statement(table: Table, leaf: string): Statement {
  const written = table.slots.filter(({ assign }) => assign !== undefined);
  const firstCell = FIRST_KEY + table.primaryKey.length;
  const keyArguments = table.keyTypes.map((type, i) => `$${FIRST_KEY + i}::text[]::${type}[]`);
  const cellArguments = written.map(({ parameter }, i) => `$${firstCell + i}::${parameter}[]`);
  const keys = table.primaryKey.map((_, i) => `k${i}`);
  const cells = written.map((_, i) => `c${i}`);
  const isRow = (alias: string): string =>
    table.primaryKey.map((name, i) => `t.${quote(name)} = ${alias}.k${i}`).join(" AND ");
  const assignments = written.map(
    ({ name, assign }, i) =>
      `${quote(name)} = ${(assign as NonNullable<Slot["assign"]>)(`l.c${i}`)}`,
  );
  const types = [
    ...FIRST_TYPES,
    ...table.keyTypes.map(() => "text[]"),
    ...written.map(({ parameter }) => `${parameter}[]`),
  ];
  const given = `unnest(${[...keyArguments, "$8::xid[]", ...cellArguments].join(", ")})
        WITH ORDINALITY v(${[...keys, "version", ...cells, "position"].join(", ")})`;
  // Looked at in the statement itself: such a trigger may be made while the run is at work.
  const mayBeRewritten = hasAfterTriggers(leaf);
  const holds = (positions: string): string =>
    `NOT EXISTS (SELECT FROM ${given} LEFT JOIN ONLY ${leaf} t ON ${isRow("v")}
       WHERE v.position = ANY (${positions}) AND (t.tableoid IS NULL OR ${isIntact(written, "v")} = 0))`;
  const isNamed = `n.written < cardinality($8::xid[]) OR ${mayBeRewritten}`;
  const text = `WITH owned AS MATERIALIZED (
      SELECT 1 FROM fieldseal.chunk WHERE run_id = $1 AND number = $2 AND owner = $3 FOR UPDATE
    ), l AS MATERIALIZED (
      SELECT v.*, t.ctid AS place FROM ${given}
      JOIN ONLY ${leaf} t ON ${isRow("v")} AND t.xmin = v.version
      WHERE EXISTS (SELECT 1 FROM owned) FOR NO KEY UPDATE OF t SKIP LOCKED
    ), u AS (
      UPDATE ONLY ${leaf} t SET ${assignments.join(", ")} FROM l WHERE t.ctid = l.place
      RETURNING l.position, ${isIntact(written, "l")} AS intact
    ), n AS (
      SELECT count(*) AS written, 1 / min(intact) AS proof FROM u
    )
    UPDATE fieldseal.chunk SET
      cursor_place = $4, seen = seen + $5, lease_until = clock_timestamp() + make_interval(secs => $6),
      finished_at = CASE WHEN $7 THEN clock_timestamp() END,
      written = chunk.written + n.written, conflicts = conflicts + cardinality($8::xid[]) - n.written
    FROM n WHERE run_id = $1 AND number = $2 AND owner = $3 AND coalesce(n.proof, 1) = 1
    RETURNING CASE WHEN ${isNamed} THEN (SELECT coalesce(array_agg(position), '{}') FROM u) END AS written`;
  return { text, types, check: { when: mayBeRewritten, holds } };
}

/**
 * 1, or 0 when a trigger changed what was given: the division by it then fails the whole statement, because changed
 * ciphertext is lost data.
 */
function isIntact(written: readonly Slot[], given: string): string {
  const comparisons = written.flatMap(({ name, parameter, select }, i) => {
    if (select !== `t.${quote(name)}`) return []; // a plain column of another type
    const collation = parameter === "text" ? ' COLLATE "C"' : "";
    return [`t.${quote(name)}${collation} IS NOT DISTINCT FROM ${given}.c${i}`];
  });
  return comparisons.length === 0 ? "1" : `(${comparisons.join(" AND ")})::int`;
}
