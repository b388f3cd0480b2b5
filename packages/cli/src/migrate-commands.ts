// migrate ..., rotate: names, options and help.
import type { RunOptions } from "@fieldseal/migrate";
import type { Command } from "commander";
import { showRuns, steerRun } from "./control-command.ts";
import { finalize, type FinalizeCommand } from "./finalize-command.ts";
import { positive, size } from "./option-values.ts";
import { plan } from "./plan-command.ts";
import type { Context } from "./program.ts";
import { runMigration } from "./run-command.ts";

export function addMigrateCommands(program: Command, context: Context): void {
  const migration = program
    .command("migrate")
    .description("bring existing values into the declared form");
  addPlanCommand(migration, context);
  addRunCommands(program, migration, context);
  addControlCommands(migration, context);
  addFinalCommands(migration, context);
}

interface PlanFlags {
  readonly reverse?: boolean;
  readonly trial?: boolean;
  readonly exact?: boolean;
}

function addPlanCommand(migration: Command, { inSession }: Context): void {
  migration
    .command("plan")
    .description("rows, bytes, time, and what would make a run fail; changes nothing")
    .option("--reverse", "of the way back to plaintext")
    .option("--trial", "write some rows and roll back: finds more, estimates better")
    .option("--exact", "read large tables whole, not a sample")
    .action(({ reverse, ...options }: PlanFlags) =>
      inSession((session, output) =>
        plan(session, { ...options, direction: directionOf(reverse) }, output),
      ),
    );
}

interface RunFlags {
  readonly reverse?: boolean;
  readonly batchRows?: number;
  readonly workers?: number;
  readonly maxRowsPerSecond?: number;
  readonly maxWalPerSecond?: number;
  readonly maxLag?: number;
  readonly maxSnapshotAge?: number;
  readonly maxPoisonRows?: number;
  readonly vacuum?: boolean;
}

function addRunCommands(program: Command, migration: Command, { inSession }: Context): void {
  const start = (flags: RunFlags): Promise<void> =>
    inSession((session, output) => runMigration(session, runOptions(flags), output));
  const withRunOptions = (command: Command): Command =>
    command
      .option("--batch-rows <n>", "rows of one write; default what takes 100 ms", positive)
      .option("--workers <n>", "writing connections of this process; default 2", positive)
      .option("--max-rows-per-second <n>", "of this process; default no limit", positive)
      .option("--max-wal-per-second <size>", "of the server, as 20MB; default no limit", size)
      .option("--max-lag <seconds>", "wait for replicas further behind; default 30", positive)
      .option("--max-snapshot-age <seconds>", "wait for older ones; default 3600", positive)
      .option("--max-poison-rows <n>", "stop at more unreadable rows; default 1000", positive)
      .option("--vacuum", "VACUUM after every tenth of a table");
  const commands = {
    run: "start, or go on; Ctrl-C pauses",
    resume: "go on with a paused run (the same as run)",
  };
  for (const [name, description] of Object.entries(commands)) {
    withRunOptions(migration.command(name))
      .description(description)
      .option("--reverse", "back to plaintext")
      .action(start);
  }
  withRunOptions(program.command("rotate"))
    .description("re-encrypt everything under the primary key (the same as migrate run)")
    .action(start);
}

function directionOf(reverse: boolean | undefined): "encrypt" | "decrypt" {
  return reverse === true ? "decrypt" : "encrypt";
}

/** The engine's own names; options that were not given stay away, so that its defaults hold. */
function runOptions({
  reverse,
  maxWalPerSecond,
  maxLag,
  maxSnapshotAge,
  ...rest
}: RunFlags): RunOptions {
  return {
    ...rest,
    direction: directionOf(reverse),
    ...(maxWalPerSecond !== undefined && { maxWalBytesPerSecond: maxWalPerSecond }),
    ...(maxLag !== undefined && { maxReplicationLagSeconds: maxLag }),
    ...(maxSnapshotAge !== undefined && { maxSnapshotAgeSeconds: maxSnapshotAge }),
  };
}

function addControlCommands(migration: Command, { inSession }: Context): void {
  migration
    .command("status")
    .description("runs and how far they are")
    .action(() => inSession(showRuns));
  const control = {
    pause: "stop the workers of a run, wherever they are",
    cancel: "end a run for good",
  } as const;
  for (const [action, description] of Object.entries(control)) {
    migration
      .command(`${action} <run>`)
      .description(description)
      .action((runId: string) =>
        inSession((session, output) =>
          steerRun(session, { action: action as keyof typeof control, runId }, output),
        ),
      );
  }
}

function addFinalCommands(migration: Command, { inSession }: Context): void {
  migration
    .command("finalize")
    .description("let the database refuse plaintext: a fence and a validated CHECK constraint")
    .option("--fence-first", "raise the fence although values are left that are no envelope")
    .option("--undo", "take fence and constraint away")
    .action((options: FinalizeCommand) =>
      inSession((session, output) => finalize(session, options, output)),
    );
}
