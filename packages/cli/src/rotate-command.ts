// rotate: everything under the primary key, columns first, then stored files.
import { EXIT } from "./exit.ts";
import {
  fileExitCode,
  printFileRotation,
  rotateFiles,
  type FileRotationOptions,
} from "./file-rotation.ts";
import type { Output } from "./output.ts";
import { exitCodeOf, runColumns, type RunCommand } from "./run-command.ts";
import type { Part } from "./option-values.ts";
import { CommandError } from "./failure.ts";
import { requireColumns, type Session } from "./session.ts";

export interface RotateCommand {
  readonly run: RunCommand;
  readonly files: FileRotationOptions;
  readonly only: Part | undefined;
}

export async function rotate(
  session: Session,
  { run, files, only }: RotateCommand,
  output: Output,
): Promise<number> {
  const { hasColumns } = partsOf(session, only);
  const again = `fieldseal rotate${only === undefined ? "" : ` --only ${only}`}`;
  const reports = !hasColumns ? [] : await runColumns(session, { ...run, again }, output);
  const isPaused = session.signal.aborted || reports.some(({ state }) => state === "paused");
  const rotation =
    isPaused || only === "columns" ? undefined : await rotateFiles(session, files, output);
  if (rotation !== undefined) printFileRotation(rotation, output);
  const isLeft = session.signal.aborted && rotation === undefined && session.storage !== undefined;
  const exitCode = isLeft ? EXIT.partial : Math.max(exitCodeOf(reports), fileExitCode(rotation));
  if (exitCode === EXIT.ok)
    output.line("See what uses older keys still: fieldseal keys list --uses");
  output.json({ runs: reports, storage: rotation ?? null });
  return exitCode;
}

/**
 * What there is of the two, of what was asked for.
 * @throws {@link CommandError} `CONFIG_FILE` when it is nothing
 */
export function partsOf(
  session: Session,
  only: Part | undefined,
): { readonly hasColumns: boolean; readonly hasFiles: boolean } {
  const { columns, storage } = session;
  if (only === "storage" && storage === undefined) {
    throw new CommandError("CONFIG_FILE", "The configuration names no storage.", {
      exitCode: EXIT.configuration,
      fix: "Add to it: storage: () => createEncryptedStorage(process.env)",
    });
  }
  const hasFiles = storage !== undefined && only !== "columns";
  const hasColumns = only !== "storage" && (columns.length > 0 || !hasFiles);
  if (hasColumns) requireColumns(session);
  return { hasColumns, hasFiles };
}
