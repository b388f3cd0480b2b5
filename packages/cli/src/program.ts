// The command line: names, options and help. What each command does stands in a file of its own.
import { text } from "node:stream/consumers";
import { Command, CommanderError } from "commander";
import { withSession, type Session } from "./config.ts";
import { doctor } from "./doctor.ts";
import { EXIT, reportError } from "./exit.ts";
import { inspectValue } from "./inspect-value.ts";
import { addKeyCommands } from "./key-commands.ts";
import { addMigrateCommands } from "./migrate-commands.ts";
import { createOutput, type Output } from "./output.ts";
import { verify } from "./verify-command.ts";

interface GlobalOptions {
  readonly json?: boolean;
  readonly config?: string;
}

/** What a command gets from the line it stands in. */
export interface Context {
  readonly output: () => Output;
  readonly config: () => string | undefined;
  /** Sets the exit code. */
  readonly finish: (exitCode: number) => void;
  /** Runs an action on the configured columns and database, and ends with its exit code. */
  readonly inSession: (
    action: (session: Session, output: Output) => Promise<number>,
  ) => Promise<void>;
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
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError("(fieldseal --help lists the commands)")
    .addHelpText(
      "after",
      `
Exit codes: 0 fine, 1 findings or failure, 2 usage, 3 configuration or keys,
4 partly done.
Keys come from ENCRYPTION_KEY, ENCRYPTION_KEY_FILE or ENCRYPTION_KEYSET_FILE,
the database from DATABASE_URL.`,
    );
  const output = (): Output => createOutput(program.opts<GlobalOptions>().json === true);
  const config = (): string | undefined => program.opts<GlobalOptions>().config;
  const context: Context = {
    output,
    config,
    finish,
    inSession: async (action) =>
      finish(await withSession(config(), (session) => action(session, output()))),
  };
  addKeyCommands(program, context);
  addMigrateCommands(program, context);
  addReadingCommands(program, context);
  return program;
}

function addReadingCommands(program: Command, context: Context): void {
  program
    .command("verify")
    .description("read every value and say what the columns really hold")
    .action(() => context.inSession(verify));
  program
    .command("inspect [value]")
    .description(
      "header of one stored value, from the argument or standard input; nothing is decrypted",
    )
    .action(async (value?: string) => {
      const stored = value ?? (await text(process.stdin)).trim();
      context.finish(inspectValue(stored, context.output()) ? EXIT.ok : EXIT.findings);
    });
  program
    .command("doctor")
    .description("check Node, keys, configuration and database")
    .action(async () => context.finish(await doctor(context.config(), context.output())));
}
