// The command line: global options, help, and how a command ends. What each command does stands in a file of its own.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { loadDotenv } from "./dotenv.ts";
import { EXIT } from "./exit.ts";
import { CommandError, describeFailure } from "./failure.ts";
import { watchInterruption } from "./interruption.ts";
import { addKeyCommands } from "./key-commands.ts";
import { addMigrateCommands } from "./migrate-commands.ts";
import { createOutput, type Format, type Output } from "./output.ts";
import { addReadingCommands } from "./reading-commands.ts";
import { withOptionalConfig, withSession, type Session } from "./session.ts";
import type { FieldsealConfig } from "./config.ts";

interface GlobalOptions {
  readonly json?: boolean;
  readonly ndjson?: boolean;
  readonly config?: string;
  readonly dotenv?: string;
}

/** What an action gives: the exit code. */
type Action<Subject> = (subject: Subject, output: Output, signal: AbortSignal) => Promise<number>;

/** What a command gets from the line it stands in. */
export interface Context {
  /** Runs an action that needs nothing configured, and ends with its exit code. */
  readonly plainly: (action: Action<void>) => Promise<void>;
  /** The same with the configuration, where there is one. */
  readonly withConfig: (action: Action<FieldsealConfig | undefined>) => Promise<void>;
  /** The same with columns, storage and database of the configuration. */
  readonly inSession: (action: Action<Session>) => Promise<void>;
  readonly configPath: () => string | undefined;
}

/** Runs the command with these arguments, and gives its exit code. */
export async function run(
  parameters: readonly string[],
  output: Output = createOutput(formatOf(parameters)),
): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(output, (code) => (exitCode = code));
  try {
    await program.parseAsync(parameters, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return endOfParsing(error, output);
    const failure = describeFailure(error);
    output.failure(failure);
    return failure.exitCode;
  }
}

/** Looked up before parsing: an error of parsing is told in the form that was asked for, too. */
export function formatOf(parameters: readonly string[]): Format {
  if (parameters.includes("--ndjson")) return "ndjson";
  return parameters.includes("--json") ? "json" : "text";
}

/** Commander has written help and version by itself. */
function endOfParsing({ exitCode, code, message }: CommanderError, output: Output): number {
  if (exitCode === 0) return EXIT.ok;
  const isHelp = code === "commander.help"; // a command without the one of its commands that is meant
  if (isHelp && output.format === "text") return EXIT.usage;
  const text = isHelp
    ? "A command is missing."
    : message.replace(/^error: /, "").replace("\n", " ");
  output.failure({ code: "USAGE", message: text, fix: "fieldseal --help", exitCode: EXIT.usage });
  return EXIT.usage;
}

export function createProgram(output: Output, finish: (exitCode: number) => void): Command {
  const program: Command = new Command("fieldseal")
    .description("Keys, re-encryption and verification of encrypted columns and files.")
    .version(version(), "-V, --version", "print the version")
    .option("--json", "one JSON document on standard output, and nothing else")
    .option("--ndjson", "one JSON document a line: progress as it comes, the result last")
    .option("--config <file>", "default: fieldseal.config.ts, .mts, .mjs or .js")
    .option("--dotenv <file>", "read variables from this file; those that are set win")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp({ showGlobalOptions: true, helpWidth: 80 })
    .configureOutput({
      outputError: () => {}, // told as all failures are
      ...(output.format !== "text" && { writeErr: () => {} }),
    })
    .exitOverride()
    .hook("preAction", () => loadDotenv(program.opts<GlobalOptions>().dotenv))
    .addHelpText("after", PROGRAM_HELP);
  const configPath = (): string | undefined => program.opts<GlobalOptions>().config;
  const context = createContext(output, finish, configPath);
  addKeyCommands(program, context);
  addMigrateCommands(program, context);
  addReadingCommands(program, context);
  return program;
}

const PROGRAM_HELP = `
Keys come from ENCRYPTION_KEY, ENCRYPTION_KEY_FILE or ENCRYPTION_KEYSET_FILE,
the database from DATABASE_URL. A .env file is read only with --dotenv.

Exit codes: 0 fine; 1 findings, or a failure on the way; 2 usage;
3 configuration, keys, or no way to the database; 4 partly done;
130, 143 interrupted.

Examples:
  fieldseal keygen --env --out .env          a key, in a private file
  fieldseal --dotenv .env doctor             is all set up?
  fieldseal migrate plan                     what would a run do?
  fieldseal verify --json > report.json      what do columns and files hold?`;

function createContext(
  output: Output,
  finish: (exitCode: number) => void,
  configPath: () => string | undefined,
): Context {
  const watched = async (action: (signal: AbortSignal) => Promise<number>): Promise<void> => {
    const { signal, release } = watchInterruption(output.note);
    try {
      finish(await action(signal));
    } catch (error) {
      // Whatever an aborted action says on its way out, the signal was the reason.
      throw signal.aborted && !(error instanceof CommandError) ? signal.reason : error;
    } finally {
      release();
    }
  };
  return {
    configPath,
    plainly: (action) => watched((signal) => action(undefined, output, signal)),
    withConfig: (action) =>
      watched((signal) =>
        withOptionalConfig({ config: configPath(), signal }, (config) =>
          action(config, output, signal),
        ),
      ),
    inSession: (action) =>
      watched((signal) =>
        withSession({ config: configPath(), signal }, (session) => action(session, output, signal)),
      ),
  };
}

function version(): string {
  const file = new URL("../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
