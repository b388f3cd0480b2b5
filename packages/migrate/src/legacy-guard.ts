// Values of the legacy layout carry no authentication: under a wrong key one in 256 has a possible padding, opens as
// garbage, and would be sealed as that. Where most values of a column do not open, those that do are not believed.
import { envelopeCondition, MigrationError, parseEnvelope } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { DeclaredPlaintext } from "./declared.ts";
import { readSome, type ReadRow } from "./read.ts";
import { rewrite, type Cell, type Poison } from "./rewrite.ts";
import { quote, type MigratedColumn, type Table } from "./table.ts";

/** Of fewer values nothing is concluded. */
const MIN_VALUES = 20;
const PROBED_ROWS = 200;

export interface LegacyCount {
  readonly column: string;
  /** Values of the legacy layout that were looked at. */
  readonly values: number;
  /** Those of them that do not open. */
  readonly unreadable: number;
}

/** Of each column that reads the legacy layout. */
export function countLegacy(
  { migrated }: Pick<Table, "migrated">,
  rows: readonly (readonly Cell[])[],
  poison: readonly Poison[],
): LegacyCount[] {
  return migrated.flatMap((one): LegacyCount[] => {
    const { column } = one.column;
    if (!readsLegacy(one)) return [];
    const isLegacy = rows.map((cells) => holdsLegacy(one, cells));
    const values = isLegacy.filter(Boolean).length;
    const unreadable = poison.filter(
      (record) => record.column === column && isLegacy[record.row] === true,
    ).length;
    return [{ column, values, unreadable }];
  });
}

function readsLegacy({ column: { cipher }, previous }: MigratedColumn): boolean {
  return cipher.options.legacy !== undefined || previous?.options.legacy !== undefined;
}

function holdsLegacy({ valueAt, sourceAt }: MigratedColumn, cells: readonly Cell[]): boolean {
  const own = cells[valueAt] as Cell;
  const cell = own === null && sourceAt !== undefined ? (cells[sourceAt] as Cell) : own;
  return cell !== null && parseEnvelope(cell) === undefined;
}

export function isSuspect({ values, unreadable }: LegacyCount): boolean {
  return values >= MIN_VALUES && unreadable * 2 > values;
}

/** What one process has met of the legacy layout. */
export class LegacyGuard {
  readonly #table: Table;
  readonly #met = new Map<string, LegacyCount>();

  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * Before rows are written: a batch is judged for itself, because a table may have been written under several keys; a
   * small one with all that came before. Of values that all do not open there is nothing to write, and nothing to refuse.
   * @throws {@link MigrationError} `ERR_MIGRATE_POISON`
   */
  judge(rows: readonly (readonly Cell[])[], poison: readonly Poison[]): void {
    for (const count of countLegacy(this.#table, rows, poison)) {
      const { column, values, unreadable } = count;
      const before = this.#met.get(column) ?? { column, values: 0, unreadable: 0 };
      const all = {
        column,
        values: before.values + values,
        unreadable: before.unreadable + unreadable,
      };
      this.#met.set(column, all);
      const evidence = values < MIN_VALUES ? all : count;
      if (values > unreadable && isSuspect(evidence)) this.#refuse(evidence);
    }
  }

  /**
   * Looks at the first values of each column before anything is written.
   * @throws {@link MigrationError} `ERR_MIGRATE_POISON`
   */
  async probe(client: ClientBase, declared: DeclaredPlaintext): Promise<void> {
    for (const one of this.#table.migrated) {
      const { column, cipher } = one.column;
      if (!readsLegacy(one)) continue;
      const own = `t.${quote(column)}`;
      const fromSource =
        one.source === undefined ? "" : ` OR ${own} IS NULL AND t.${quote(one.source)} IS NOT NULL`;
      const where = `NOT (${envelopeCondition(own, cipher.storage)})${fromSource}`;
      const rows = await readSome(client, this.#table, { where, limit: PROBED_ROWS });
      const cells = rows.map((row) => row.cells);
      const isPlaintext = (row: number, name: string): boolean =>
        declared.has((rows[row] as ReadRow).key, name);
      const { poison } = rewrite(this.#table, cells, { direction: "encrypt", isPlaintext });
      this.judge(cells, poison);
    }
  }

  #refuse(count: LegacyCount): never {
    const { table } = this.#table;
    const { message, fix } = explainSuspicion(this.#table, count);
    throw new MigrationError("ERR_MIGRATE_POISON", `${message} None of these was written. ${fix}`, {
      table,
    });
  }
}

export function explainSuspicion(
  { sql }: Pick<Table, "sql">,
  { column, values, unreadable }: LegacyCount,
): { readonly message: string; readonly fix: string } {
  return {
    message:
      `Table ${sql} holds values of the legacy layout in "${column}" that another key wrote, or that are none: ${unreadable} ` +
      `of ${values} do not open, and the others may be garbage.`,
    fix: 'Name the key that wrote them: legacy: { suite: "aes-256-cbc", keyId: "…" }.',
  };
}
