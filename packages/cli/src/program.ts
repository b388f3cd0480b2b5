// The command line: names, options and help. What each command does stands in a file of its own.
import { text } from "node:stream/consumers";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { withSession } from "./config.ts";
import { doctor } from "./doctor.ts";
import { EXIT, reportError } from "./exit.ts";
import { inspectValue } from "./inspect-value.ts";
import { addKey, keygen, listKeys, promoteKey, retireKey, type KeygenOptions } from "./keys.ts";
import { runMigration, showRuns, steerRun } from "./migrate-command.ts";
import { createOutput, type Output } from "./output.ts";
import { verify } from "./verify-command.ts";

interface GlobalOptions {
  readonly json?: boolean;
  readonly config?: string;
}

/** Runs the command with these arguments, and gives its exit code. */
export async function run(parameters: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram((code) => (exitCode = code));
  try {
    await program.parseAsync(parameters, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return reportError(error, program.opts<GlobalOptions>().json === true);
  }
}

export function createProgram(finish: (exitCode: number) => void): Command {
  const program = new Command("fieldseal")
    .description("Keys, re-encryption and verification of encrypted database columns.")
    .option("--json", "one JSON value instead of text")
    .option("--config <file>", "configuration file; default fieldseal.config.ts, .mjs or .js")
    .exitOverride()
    .showHelpAfterError("(fieldseal --help lists the commands)")
    .addHelpText(
      "after",
      `
Exit codes: 0 fine, 1 findings or failure, 2 usage, 3 configuration or keys, 4 partly done.
Keys come from ENCRYPTION_KEY, ENCRYPTION_KEY_FILE or ENCRYPTION_KEYSET_FILE; the database from DATABASE_URL.`,
    );
  const output = (): Output => createOutput(program.opts<GlobalOptions>().json === true);
  const config = (): string | undefined => program.opts<GlobalOptions>().config;
  addKeyCommands(program, { output, config });
  addMigrateCommands(program, { output, config, finish });
  program
    .command("verify")
    .description("read every value and say what the columns really hold")
    .action(async () =>
      finish(await withSession(config(), (session) => verify(session, output()))),
    );
  program
    .command("inspect [value]")
    .description(
      "header of one stored value, from the argument or standard input; nothing is decrypted",
    )
    .action(async (value?: string) => {
      const stored = value ?? (await text(process.stdin)).trim();
      finish(inspectValue(stored, output()) ? EXIT.ok : EXIT.findings);
    });
  program
    .command("doctor")
    .description("check Node, keys, configuration and database")
    .action(async () => finish(await doctor(config(), output())));
  return program;
}

interface Context {
  readonly output: () => Output;
  readonly config: () => string | undefined;
}

function addKeyCommands(program: Command, { output, config }: Context): void {
  program
    .command("keygen")
    .description("make a key: print it once, or write it to a file of mode 0600")
    .option("--out <file>", "write the key to this file")
    .option("--keyset <file>", "make a keyset file with the key as its primary")
    .option("--env", "as a line ENCRYPTION_KEY=...")
    .action((options: KeygenOptions) => keygen(options, output()));
  const keys = program.command("keys").description("keys and their statuses; never bytes");
  keys
    .command("list [keyset]")
    .description("of a keyset file, or of the environment")
    .action((path?: string) => listKeys(path, output()));
  keys
    .command("add <keyset>")
    .description("add a new key as enabled: it decrypts, and encrypts once promoted")
    .action((path: string) => addKey(path, output()));
  keys
    .command("promote <keyset> <id>")
    .description("encrypt with this key from now on")
    .action((path: string, id: string) => promoteKey(path, id, output()));
  keys
    .command("retire <keyset> <id>")
    .description("disable a key that no value uses any more; refused while one does")
    .option("--destroy", "drop its bytes for good")
    .action((path: string, id: string, options: { destroy?: boolean }) =>
      withSession(config(), (session) =>
        retireKey({ path, id, isDestroyed: options.destroy === true }, session, output()),
      ),
    );
}

interface RunOptions {
  readonly reverse?: boolean;
  readonly batchRows?: number;
  readonly maxRowsPerSecond?: number;
  readonly workers?: number;
}

function addMigrateCommands(
  program: Command,
  { output, config, finish }: Context & { readonly finish: (exitCode: number) => void },
): void {
  const start = async (options: RunOptions): Promise<void> =>
    finish(
      await withSession(config(), (session) =>
        runMigration(
          session,
          {
            direction: options.reverse === true ? "decrypt" : "encrypt",
            batchRows: options.batchRows,
            maxRowsPerSecond: options.maxRowsPerSecond,
            workers: options.workers,
          },
          output(),
        ),
      ),
    );
  const withRunOptions = (command: Command): Command =>
    command
      .option("--batch-rows <n>", "rows of one write; default 1000", positive)
      .option("--max-rows-per-second <n>", "of this process; default no limit", positive)
      .option("--workers <n>", "connections of this process; default 2", positive);
  const migration = program
    .command("migrate")
    .description("bring existing values into the declared form");
  withRunOptions(migration.command("run"))
    .description("start, or go on; Ctrl-C pauses")
    .option("--reverse", "back to plaintext")
    .action(start);
  withRunOptions(program.command("rotate"))
    .description("re-encrypt everything under the primary key (the same as migrate run)")
    .action(start);
  migration
    .command("status")
    .description("runs and how far they are")
    .action(async () =>
      finish(await withSession(config(), (session) => showRuns(session, output()))),
    );
  for (const action of ["pause", "cancel"] as const) {
    migration
      .command(`${action} <run>`)
      .description(
        action === "pause" ? "stop the workers; migrate run goes on" : "end a run for good",
      )
      .action(async (runId: string) =>
        finish(
          await withSession(config(), (session) => steerRun(session, { action, runId }, output())),
        ),
      );
  }
}

function positive(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("A whole number above 0 is needed.");
}
