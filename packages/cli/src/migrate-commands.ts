// migrate ..., rotate: names, options and help.
import type { RunOptions } from "@fieldseal/migrate";
import { Option, type Command } from "commander";
import { showRuns, steerRun } from "./control-command.ts";
import { finalize, type FinalizeCommand } from "./finalize-command.ts";
import { positive, runNumber, size, workers, type Part } from "./option-values.ts";
import { plan } from "./plan-command.ts";
import type { Context } from "./program.ts";
import { rotate } from "./rotate-command.ts";
import { runMigration } from "./run-command.ts";
import { scrub, type ScrubCommand } from "./scrub-command.ts";

export function addMigrateCommands(program: Command, context: Context): void {
  const migration = program
    .command("migrate")
    .description("bring the values of columns into the declared form, on the live database");
  addPlanCommand(migration, context);
  addRunCommands(migration, context);
  addControlCommands(migration, context);
  addFinalCommands(migration, context);
  addRotateCommand(program, context);
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
    .addHelpText("after", "\nEnds with 1 when a run would fail or leave values behind.")
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

function withRunOptions(command: Command): Command {
  return command
    .option("--batch-rows <n>", "rows of one write; default what takes 100 ms", positive)
    .option("--workers <n>", "writing connections of this process; default 2", workers)
    .option("--max-rows-per-second <n>", "of this process; default no limit", positive)
    .option("--max-wal-per-second <size>", "of the server, as 20MB; default no limit", size)
    .option("--max-lag <seconds>", "wait for replicas further behind; default 30", positive)
    .option("--max-snapshot-age <seconds>", "wait for older ones; default 3600", positive)
    .option("--max-poison-rows <n>", "stop at more unreadable rows; default 1000", positive)
    .option("--vacuum", "VACUUM after every tenth of a table");
}

function addRunCommands(migration: Command, { inSession }: Context): void {
  const commands = {
    run: "start, or go on where an earlier run stopped",
    resume: "another name of run: goes on with a paused one",
  };
  for (const [name, description] of Object.entries(commands)) {
    withRunOptions(migration.command(name))
      .description(description)
      .option("--reverse", "back to plaintext")
      .addHelpText(
        "after",
        `
Ctrl-C finishes the batch at hand and pauses; a second one stops at once.
Nothing is lost either way. Any number of processes may run at the same time.
Ends with 4 when rows were left: unreadable, locked, or paused.

Examples:
  fieldseal migrate ${name} --max-rows-per-second 2000
  fieldseal migrate ${name} --ndjson > progress.ndjson`,
      )
      .action((flags: RunFlags) =>
        inSession((session, output) => runMigration(session, runOptions(flags), output)),
      );
  }
}

interface RotateFlags extends RunFlags {
  readonly only?: Part;
  readonly prefix?: string;
  readonly startAfter?: string;
  readonly files?: number;
}

function addRotateCommand(program: Command, { inSession }: Context): void {
  withRunOptions(program.command("rotate"))
    .description("bring all columns and stored files under the primary key")
    .addOption(onlyOption())
    .option("--prefix <prefix>", "stored files whose key starts with it")
    .option("--start-after <key>", "stored files behind this key, to go on")
    .option("--files <n>", "stored files at once; default 4", positive)
    .addHelpText(
      "after",
      `
Columns are re-encrypted; of files only the envelope is wrapped anew, and a body
is written only where it was not encrypted. What is done is passed over.
Ends with 4 when something was left.`,
    )
    .action(({ only, prefix, startAfter, files, ...flags }: RotateFlags) =>
      inSession((session, output) => {
        const fileOptions = { prefix, startAfter, concurrency: files };
        return rotate(session, { run: runOptions(flags), files: fileOptions, only }, output);
      }),
    );
}

export function onlyOption(): Option {
  return new Option("--only <part>", "that part alone").choices(["columns", "storage"]);
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
    cancel: "end a run for good; what it wrote stays",
  } as const;
  for (const [action, description] of Object.entries(control)) {
    migration
      .command(action)
      .argument("<run>", "its number, as status shows it", runNumber)
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
    .addHelpText(
      "after",
      "\nEnds with 1 when no column could be made final, with 4 when some could.",
    )
    .action((options: FinalizeCommand) =>
      inSession((session, output) => finalize(session, options, output)),
    );
  migration
    .command("scrub")
    .description("remove what the plaintext left behind, and say what only you can remove")
    .option("--rewrite", "VACUUM FULL: locks each table while it is written anew")
    .addHelpText(
      "after",
      `
VACUUM, ANALYZE and a checkpoint; then a list of what is left in dead rows,
statistics, write-ahead log, replicas, server logs and backups.
Ends with 4 when something remains in a table's files.`,
    )
    .action((options: ScrubCommand) =>
      inSession((session, output) => scrub(session, options, output)),
    );
}
