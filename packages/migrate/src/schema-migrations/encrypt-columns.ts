// The engine as a step of a schema migration: `up` encrypts, `down` goes back.
import { MigrationError, type EncryptedColumn } from "@fieldseal/crypto";
import type { Pool } from "pg";
import type { Direction, RunOptions, RunReport } from "../contract.ts";
import { finalizeColumns, undoFinalize } from "../finalize.ts";
import { migrate } from "../migrate.ts";
import { displayName } from "../relation.ts";
import { groupByTable } from "../table.ts";
import { describeColumn, type ColumnDeclaration } from "./column-declaration.ts";
import { openHost, type MigrationHost } from "./host.ts";
import { refuseOwnTransaction } from "./own-transaction.ts";

export interface SchemaMigrationOptions extends Omit<RunOptions, "direction"> {
  /** Sequelize's transaction, if the migration has one open: it is asked for its locks, and nothing else. Defaults to none. */
  readonly transaction?: object;
}

export interface EncryptColumnsOptions extends SchemaMigrationOptions {
  /** Installs the fence and the CHECK constraints afterwards, as `finalizeColumns` does. Defaults to false. */
  readonly finalize?: boolean;
}

/**
 * Encrypts columns from within a migration of umzug, sequelize-cli or MikroORM, on connections of its own: batch by batch,
 * while the application writes, and without a transaction around it. A migration that was interrupted goes on when it
 * is run again; instances that migrate at the same time share the work.
 *
 * @param host the migration's `queryInterface`, MikroORM's migration (`this`), or a pool of `pg`
 * @param columns declared here, because migrations outlive models; or those of an adapter's `encryptedColumns()`
 * @throws {@link MigrationError} `ERR_MIGRATE_INCOMPLETE` when rows were left: the migration must not count as done.
 * `ERR_MIGRATE_TRANSACTION` when called inside a transaction that has locked the table, and otherwise as {@link migrate}
 * @example
 * ```ts
 * export const up = async ({ context: queryInterface }) => {
 *   await encryptColumns(queryInterface, [{ table: "users", column: "email", type: "text" }]);
 * };
 * export const down = async ({ context: queryInterface }) => {
 *   await decryptColumns(queryInterface, [{ table: "users", column: "email", type: "text" }]);
 * };
 * ```
 */
export async function encryptColumns(
  host: MigrationHost,
  columns: readonly (ColumnDeclaration | EncryptedColumn)[],
  { finalize = false, ...options }: EncryptColumnsOptions = {},
): Promise<RunReport[]> {
  return runToTheEnd(host, columns, { ...options, direction: "encrypt", finalize });
}

/**
 * The way back, for `down`. Fences and CHECK constraints that stand are taken away first.
 * @throws as {@link encryptColumns}
 */
export async function decryptColumns(
  host: MigrationHost,
  columns: readonly (ColumnDeclaration | EncryptedColumn)[],
  options: SchemaMigrationOptions = {},
): Promise<RunReport[]> {
  return runToTheEnd(host, columns, { ...options, direction: "decrypt", finalize: false });
}

async function runToTheEnd(
  given: MigrationHost,
  declared: readonly (ColumnDeclaration | EncryptedColumn)[],
  { finalize, transaction, ...options }: EncryptColumnsOptions & { readonly direction: Direction },
): Promise<RunReport[]> {
  const columns = declared.map(describeColumn);
  const host = await openHost(given, transaction);
  const { signal } = options;
  try {
    await refuseOwnTransaction(host, groupByTable(columns));
    if (options.direction === "decrypt")
      await undoFinalize(host.pool, columns, signal ? { signal } : {});
    const reports = await migrate(host.pool, columns, options);
    reports.forEach(refuseIncomplete);
    if (finalize === true) await finish(host.pool, columns, signal);
    return reports;
  } finally {
    await host.close();
  }
}

async function finish(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const finalized = await finalizeColumns(pool, columns, signal ? { signal } : {});
  const open = finalized.find(({ isValidated }) => !isValidated);
  if (open === undefined) return;
  throw new MigrationError(
    "ERR_MIGRATE_INCOMPLETE",
    `Column "${open.column}" of table "${open.table}" is encrypted, but ${open.remaining} plaintext values came in ` +
      "meanwhile: something still writes them. Stop that, then run the migration again, and it goes on.",
    { table: open.table },
  );
}

/** A migration tool notes every migration as done that does not throw. */
function refuseIncomplete(report: RunReport): void {
  const { runId, table, state, poisonRows, rowsSkipped } = report;
  if (state === "done") return;
  const left = [
    ...(poisonRows > 0 ? [`${poisonRows} rows cannot be read`] : []),
    ...(rowsSkipped > 0 ? [`${rowsSkipped} rows stayed locked`] : []),
  ];
  const why = left.length > 0 ? `: ${left.join(", ")}` : "";
  throw new MigrationError(
    "ERR_MIGRATE_INCOMPLETE",
    `Run ${runId} of table "${displayName(report)}" ended ${state}${why}. What was written is complete. "fieldseal verify" ` +
      "names the rows that cannot be read; then run the migration again, and it goes on.",
    { table, runId },
  );
}
