// What went wrong, as people and programs are told: one sentence, what to do, a stable code. No stack, no value, no key.
import {
  ConfigError,
  EncryptionError,
  KeyError,
  MigrationError,
  StorageError,
  ValueRangeError,
  ValueTypeError,
} from "@fieldseal/crypto";
import { explainDatabaseError } from "./database-failure.ts";
import { EXIT } from "./exit.ts";

/** An end that is no error of ours: what the command was asked for is refused, or cannot be done here. */
export class CommandError extends Error {
  readonly code: "USAGE" | "REFUSED" | "CONFIG_FILE" | "DATABASE" | "INTERRUPTED";
  readonly exitCode: number;
  readonly fix: string | undefined;
  /** For programs: what the message says in words. */
  readonly details: object | undefined;

  constructor(
    code: CommandError["code"],
    message: string,
    { exitCode, fix, details }: Omit<Failure, "code" | "message">,
  ) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.fix = fix;
    this.details = details;
  }
}

export interface Failure {
  /** Of docs/reference/errors.md, or of the command itself: docs/reference/cli.md. */
  readonly code: string;
  readonly message: string;
  readonly fix?: string | undefined;
  readonly details?: object | undefined;
  readonly exitCode: number;
}

export function describeFailure(thrown: unknown): Failure {
  const error = unwrap(thrown);
  if (error instanceof CommandError) {
    const { code, message, fix, details, exitCode } = error;
    return { code, message, fix, details, exitCode };
  }
  if (error instanceof EncryptionError) {
    const { code, message } = error;
    return { code, message, fix: FIXES[code], exitCode: exitCodeOf(error) };
  }
  if (error instanceof ValueTypeError || error instanceof ValueRangeError) {
    return { code: error.code, message: error.message, exitCode: EXIT.findings };
  }
  return explainDatabaseError(error) ?? describeUnknown(error);
}

/** The same error; one of the driver says which database it speaks of. */
export function namingDatabase(thrown: unknown, database: string): unknown {
  const failure = explainDatabaseError(unwrap(thrown), database);
  return failure ? new CommandError("DATABASE", failure.message, failure) : thrown;
}

/** What the message of an error does not say by itself. */
const FIXES: Readonly<Record<string, string>> = {
  ERR_MIGRATE_POISON:
    '"fieldseal verify" says why they cannot be read, and names missing keys; --max-poison-rows <n> goes on all the same.',
  ERR_MIGRATE_STATE: "fieldseal migrate status lists the runs.",
  ERR_CONFIG_NO_KEY: "A .env file is read only when named: fieldseal --dotenv .env ...",
};

function exitCodeOf(error: EncryptionError): number {
  const isSetUp = error instanceof ConfigError || error instanceof KeyError;
  if (error instanceof MigrationError || error instanceof StorageError) return EXIT.findings;
  return isSetUp ? EXIT.configuration : EXIT.findings;
}

/** ORMs hand on the driver's error inside of their own. */
function unwrap(error: unknown): unknown {
  if (error instanceof EncryptionError || error instanceof CommandError) return error;
  const { cause, parent, original, errors } = (error ?? {}) as Record<string, unknown>;
  const inner = parent ?? original ?? (Array.isArray(errors) ? errors[0] : undefined) ?? cause;
  const isKnown = inner instanceof Error && (inner instanceof EncryptionError || hasCode(inner));
  return isKnown ? unwrap(inner) : error;
}

function hasCode(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === "string";
}

function describeUnknown(error: unknown): Failure {
  const { name, message, code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return {
    code: code ?? "UNEXPECTED",
    message: error instanceof Error ? `${name}: ${firstLine(message ?? "")}` : "Unknown failure.",
    exitCode: EXIT.findings,
  };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
