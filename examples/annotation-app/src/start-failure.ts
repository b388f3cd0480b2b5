// What people are told when a start fails: what is wrong and what to do, without a stack where that is known.
import { EncryptionError } from "@fieldseal/crypto";
import type { Configuration } from "./config/configuration.ts";
import { ConfigurationError } from "./config/configuration.ts";

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
]);

/** Conditions of PostgreSQL. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const REFUSED: Readonly<Record<string, string>> = {
  "28P01": "the password is wrong",
  "28000": "this user may not connect",
  "3D000": "there is no such database",
  "53300": "it has too many connections",
  "57P03": "it is starting up or shutting down",
};

/** @param configuration undefined when it was the configuration that failed */
export function explainFailure(error: unknown, configuration: Configuration | undefined): string {
  if (error instanceof ConfigurationError || error instanceof EncryptionError) return error.message;
  const known =
    configuration && (portFailure(error, configuration) ?? databaseFailure(error, configuration));
  return known ?? (error instanceof Error ? String(error.stack) : "The start failed.");
}

function portFailure(error: unknown, { host, port }: Configuration): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== "listen") return undefined;
  const address = `${host}:${port}`;
  if (code === "EADDRINUSE") {
    return `Another program listens on ${address}. Stop it, or set PORT to a free port (0 takes any).`;
  }
  if (code === "EACCES") return `This user may not listen on ${address}. Set PORT to 1024 or more.`;
  return `The server cannot listen on ${address} (${code}). Set HOST and PORT.`;
}

/** Names where the database is expected, never with which password. */
function databaseFailure(error: unknown, { databaseUrl }: Configuration): string | undefined {
  if (databaseUrl === undefined) return undefined;
  const code = codeOf(error);
  const reason = UNREACHABLE.has(code) ? `nothing answers there (${code})` : REFUSED[code];
  if (reason === undefined) return undefined;
  const { hostname, port, pathname, username } = new URL(databaseUrl);
  const place = `${hostname}:${port || "5432"}${pathname}`;
  return `The database of DATABASE_URL cannot be used: ${username || "the default user"} at ${place}: ${reason}.`;
}

/** ORMs wrap the driver's error; several addresses that failed come as one error with a list. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { code, parent, original, cause, errors } = error as unknown as Readonly<
    Record<string, unknown>
  >;
  if (typeof code === "string") return code;
  const inner = [parent, original, cause, Array.isArray(errors) ? errors[0] : undefined];
  return inner.map(codeOf).find((found) => found !== "") ?? "";
}
