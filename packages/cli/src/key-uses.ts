// Where each key is still needed: columns by what the envelopes name, stored files by theirs.
import type { EncryptedColumn } from "@fieldseal/crypto";
import {
  planMigration,
  verifyColumns,
  type Finding,
  type FindingKind,
  type TablePlan,
} from "@fieldseal/migrate";
import { counted } from "./output.ts";
import { countSourceEnvelopes } from "./source-uses.ts";
import { nameOfColumn, type Session } from "./session.ts";

export interface KeyUse {
  /** "table.column", or "stored files". */
  readonly where: string;
  readonly kind: "values" | "files";
  readonly count: number;
}

export interface KeyUses {
  readonly byKey: ReadonlyMap<string, readonly KeyUse[]>;
  /** What could not be counted, and why: no key may be called unused because of it. */
  readonly unknown: readonly string[];
  readonly columns: number;
  readonly hasStorage: boolean;
}

/** Counts in the database; no value is opened or fetched. Of files the envelope alone is read. */
export async function countKeyUses(session: Session): Promise<KeyUses> {
  const byKey = new Map<string, KeyUse[]>();
  const unknown: string[] = [];
  const add = (keyId: string, use: KeyUse): void => {
    if (use.count > 0) byKey.set(keyId, [...(byKey.get(keyId) ?? []), use]);
  };
  if (session.columns.length > 0) await countColumns(session, add, unknown);
  if (session.storage !== undefined) await countFiles(session, add, unknown);
  const { columns, storage } = session;
  return { byKey, unknown, columns: columns.length, hasStorage: storage !== undefined };
}

type Add = (keyId: string, use: KeyUse) => void;

async function countColumns(
  { pool, columns, sources, previous, signal }: Session,
  add: Add,
  unknown: string[],
): Promise<void> {
  // A column that is taken over may hold envelopes of its own.
  for (const { where, keyId, values } of await countSourceEnvelopes(pool, columns, sources)) {
    add(keyId, { where, kind: "values", count: values });
  }
  const plan = await planMigration(pool, columns, { exact: true, sampleRows: 1, sources, signal });
  for (const table of plan.tables) {
    const name = [table.schema, table.table].filter((part) => part !== undefined).join(".");
    const hidden = table.findings.find(({ kind }) => HIDES_ROWS.has(kind));
    if (hidden !== undefined) unknown.push(`${name} cannot be read whole: ${withoutStop(hidden)}`);
    for (const { column, type, from } of table.columns) {
      const where = `${name}.${column}`;
      const mistyped = table.findings.find(
        (finding) => finding.kind === "column-type" && finding.column === column,
      );
      // Declared as bytes; envelopes in text are not counted as such, and are read all the same.
      if (mistyped !== undefined && HOLDS_TEXT.test(type ?? ""))
        unknown.push(`${where} cannot be counted: ${withoutStop(mistyped)}`);
      if (from === undefined) {
        if (hidden === undefined) unknown.push(`${where} cannot be read`);
        continue;
      }
      const counts = new Map<string, number>();
      for (const { keyId, values } of from.envelopes) {
        counts.set(keyId, (counts.get(keyId) ?? 0) + values);
      }
      const legacyKey = legacyKeyId(columns, table, column);
      if (legacyKey !== undefined) {
        counts.set(legacyKey, (counts.get(legacyKey) ?? 0) + from.legacy);
      } else if (from.legacy > 0) {
        unknown.push(
          `${counted(from.legacy, "value")} of the legacy layout in ${where} name no key`,
        );
      }
      if (from.plaintext > 0 && previous[where]?.options.legacy !== undefined) {
        unknown.push(
          `${counted(from.plaintext, "value")} in ${where} may be of the legacy layout, which names no key`,
        );
      }
      for (const [keyId, count] of counts) add(keyId, { where, kind: "values", count });
    }
  }
}

const HOLDS_TEXT = /^(?:text|character)/;

function withoutStop({ message }: Pick<Finding, "message">): string {
  return message.replace(/\.$/, "");
}

/** What a plan finds where it may have counted too few rows. */
const HIDES_ROWS: ReadonlySet<FindingKind> = new Set<FindingKind>([
  "missing",
  "privilege",
  "row-security",
]);

/** The legacy layout does not name its key; the declaration may. */
function legacyKeyId(
  columns: readonly EncryptedColumn[],
  { schema, table }: TablePlan,
  column: string,
): string | undefined {
  const declared = columns.find(
    (one) => one.schema === schema && one.table === table && one.column === column,
  );
  const legacy = declared?.cipher.options.legacy;
  return typeof legacy === "object" ? legacy.keyId : undefined;
}

async function countFiles(
  { storage, signal }: Session,
  add: Add,
  unknown: string[],
): Promise<void> {
  const counts = new Map<string, number>();
  let [unreadable, unprotected] = [0, 0];
  for await (const { keyId, state } of storage?.verify({ depth: "envelope", signal }) ?? []) {
    if (keyId !== undefined) counts.set(keyId, (counts.get(keyId) ?? 0) + 1);
    else if (state === "unreadable" || state === "damaged") unreadable++;
    else if (state === "unprotected") unprotected++;
  }
  for (const [keyId, count] of counts) add(keyId, { where: "stored files", kind: "files", count });
  if (unreadable > 0) unknown.push(`${counted(unreadable, "stored file")} cannot be read at all`);
  if (unprotected > 0) {
    unknown.push(
      `${counted(unprotected, "stored file")} of the legacy layout or in plaintext, which this storage does not read, name no key`,
    );
  }
}

/** Search tokens do not name their key: those that are not of the primary one may be of any other. */
export async function columnsWithStaleTokens({
  pool,
  columns,
  sources,
  signal,
}: Session): Promise<string[]> {
  const indexed = columns.filter(({ cipher }) => cipher.blindIndex !== undefined);
  if (indexed.length === 0) return [];
  const ofIndexed = Object.fromEntries(
    Object.entries(sources).filter(([name]) =>
      indexed.some((one) => name.endsWith(`${one.table}.${one.column}`)),
    ),
  );
  const findings = await verifyColumns(pool, indexed, { sources: ofIndexed, signal });
  return findings
    .filter(({ indexDrift = 0 }) => indexDrift > 0)
    .map((one) => `${nameOfColumn(columns, one)} (${one.indexDrift} search tokens)`);
}
