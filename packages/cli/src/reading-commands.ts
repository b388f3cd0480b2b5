// verify, inspect, doctor: names, options and help.
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { doctor, type DoctorCommand } from "./doctor.ts";
import { EXIT } from "./exit.ts";
import { inspectValue } from "./inspect-value.ts";
import { onlyOption } from "./migrate-commands.ts";
import { positive } from "./option-values.ts";
import type { Context } from "./program.ts";
import { verify, type VerifyCommand } from "./verify-command.ts";

export function addReadingCommands(program: Command, context: Context): void {
  addVerifyCommand(program, context);
  program
    .command("inspect")
    .argument("[value]", "text, or \\x and hex digits; default standard input")
    .description("header of one stored value; nothing is decrypted, and no key is needed")
    .addHelpText(
      "after",
      `
Ends with 1 when the value is no envelope.

Examples:
  fieldseal inspect 9V6hAa8xLw8B...
  psql -Atc "select email from users limit 1" | fieldseal inspect`,
    )
    .action((value?: string) =>
      context.plainly(async (_, output) => {
        if (value === undefined && process.stdin.isTTY) {
          output.note("Reading the value from standard input; Ctrl-D ends it.");
        }
        const stored = value ?? (await text(process.stdin));
        return inspectValue(stored.trim(), output) ? EXIT.ok : EXIT.findings;
      }),
    );
  program
    .command("doctor")
    .description("check Node, configuration, keys, database, data and storage; changes nothing")
    .option("--canary", "store a value under the primary key, for later checks to open")
    .addHelpText(
      "after",
      `
The canary stands in the table fieldseal.canary: it opens only with the keys of
this database. Ends with 1 when a check fails; warnings alone end with 0.`,
    )
    .action((options: DoctorCommand) =>
      context.plainly((_, output, signal) =>
        doctor({ config: context.configPath(), signal }, options, output),
      ),
    );
}

const DEFAULT_LIMIT = 5;

interface VerifyFlags extends Omit<VerifyCommand, "limit"> {
  readonly limit?: number;
}

function addVerifyCommand(program: Command, { inSession }: Context): void {
  program
    .command("verify")
    .description("read every value and every file, and say what they really are; changes nothing")
    .addOption(onlyOption())
    .option("--quick", "of files the envelope and the last segment, not every byte")
    .option("--prefix <prefix>", "stored files whose key starts with it")
    .option("--limit <n>", `rows and files named of each kind; default ${DEFAULT_LIMIT}`, positive)
    .addHelpText(
      "after",
      `
Ends with 1 when anything is not intact, not in the declared form, or not under
the primary key.

Examples:
  fieldseal verify --only columns
  fieldseal verify --json | jq '.columns[] | {table, column, isStrict}'`,
    )
    .action(({ limit = DEFAULT_LIMIT, ...options }: VerifyFlags) =>
      inSession((session, output) => verify(session, { ...options, limit }, output)),
    );
}
