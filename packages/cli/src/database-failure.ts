// Why a database cannot be used, in words. PostgreSQL's own message is passed on only where it cannot quote a value.
import { EXIT } from "./exit.ts";
import type { Failure } from "./failure.ts";

/** By SQLSTATE, or by the code of Node's network: what is said of the database, and what to do. */
const KNOWN: Readonly<Record<string, readonly [verb: string, fix: string]>> = {
  ECONNREFUSED: [
    "does not answer: connection refused",
    "Is PostgreSQL running there, on this port?",
  ],
  ECONNRESET: ["ended the connection", "Does the server, or a proxy before it, expect TLS?"],
  ENOTFOUND: ["is on a host that does not exist", "Look at the host in DATABASE_URL."],
  EAI_AGAIN: ["is on a host that could not be looked up", "Is there a network, and a name server?"],
  ETIMEDOUT: ["did not answer in time", "Is a firewall in between?"],
  EHOSTUNREACH: ["cannot be reached: no route", "Is a network or a VPN missing?"],
  ENETUNREACH: ["cannot be reached: no route", "Is a network or a VPN missing?"],
  "28P01": ["refused the password", "Look at user and password in DATABASE_URL."],
  "28000": ["does not let this user in", "Look at the user, at TLS, and at pg_hba.conf."],
  "3D000": ["does not exist", "Look at the name in DATABASE_URL."],
  "53300": ["has no connection left", "Use fewer --workers, or wait until others have finished."],
  "57P03": ["is starting up or shutting down", "Try again in a moment."],
  "57P01": ["ended the connection", "Was it restarted? The same command goes on."],
  "25006": [
    "is read-only",
    "Use the primary server, and a role without default_transaction_read_only.",
  ],
};

const TLS_FIX = "Give the authority's certificate: sslrootcert=... in DATABASE_URL.";
const TLS_CODES =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*|CERT_.*|ERR_TLS_.*)$/;

/** What `pg` says in words only. */
const TEXTS: readonly (readonly [pattern: RegExp, verb: string, fix: string])[] = [
  [/does not support SSL/, "offers no TLS", "Use sslmode=disable only on a trusted network."],
  [/client password must be a string/, "asks for a password", "Put one into DATABASE_URL."],
  [
    /timeout (?:expired|exceeded)|due to connection timeout/,
    "did not answer in time",
    "Is a firewall in between?",
  ],
  [/Connection terminated/, "ended the connection", "Was it restarted? The same command goes on."],
];

/** Classes whose messages name tables, roles and settings, never a row. */
const SPEAKS_OF_NO_VALUE = /^(?:08|25|28|3D|3F|42|53|55|57|58)/;

export function explainDatabaseError(
  error: unknown,
  database = "The database",
): Failure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (code === "42501") return explainDenial(error.message, database);
  const found = find(typeof code === "string" ? code : "", error.message);
  if (found !== undefined) {
    const [verb, fix] = found;
    return { code: "DATABASE", message: `${database} ${verb}.`, fix, exitCode: EXIT.configuration };
  }
  if (typeof code !== "string" || !/^[0-9A-Z]{5}$/.test(code)) return undefined;
  const message = SPEAKS_OF_NO_VALUE.test(code)
    ? `PostgreSQL says: ${error.message} (${code}).`
    : `PostgreSQL refused a statement with ${code}.`;
  return { code: "DATABASE", message, exitCode: EXIT.findings };
}

/** PostgreSQL names the object that is meant, and no value. */
function explainDenial(text: string, database: string): Failure {
  const { kind = "", name = "" } =
    /permission denied for (?<kind>schema|table|database) (?<name>.+)$/.exec(text)?.groups ?? {};
  const fix = GRANTS[kind]?.(name) ?? "Use the role that owns it.";
  const message = `${database} denies this role a privilege that is needed: ${text}.`;
  return { code: "DATABASE", message, fix, exitCode: EXIT.configuration };
}

const GRANTS: Readonly<Record<string, (name: string) => string>> = {
  schema: (name) =>
    name === "fieldseal"
      ? "Use the role that began the runs: the schema fieldseal belongs to it."
      : `Use the role that owns the tables, or: GRANT USAGE ON SCHEMA ${name} TO the role.`,
  table: (name) => `Use the role that owns it, or: GRANT SELECT, UPDATE ON ${name} TO the role.`,
  database: (name) =>
    `Runs keep a journal in a schema of their own: GRANT CREATE ON DATABASE ${name} TO the role.`,
};

function find(code: string, text: string): readonly [message: string, fix: string] | undefined {
  if (TLS_CODES.test(code)) return [`shows a certificate that is not trusted (${code})`, TLS_FIX];
  const known = KNOWN[code];
  if (known !== undefined || code !== "") return known;
  const said = TEXTS.find(([pattern]) => pattern.test(text));
  return said && [said[1], said[2]];
}

/** Where a connection string leads, without its password: "app@db.example:5432/shop". */
export function describeDatabase(url: string): string {
  try {
    const { username, hostname, port, pathname } = new URL(url);
    const user = username === "" ? "" : `${decodeURIComponent(username)}@`;
    return `${user}${hostname}:${port || "5432"}${decodeURIComponent(pathname)}`;
  } catch {
    return "of this URL";
  }
}
