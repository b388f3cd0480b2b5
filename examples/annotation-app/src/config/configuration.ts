// Everything that can be set, checked once at start. Nothing else in the application reads the environment.
import { join, resolve } from "node:path";
import { z } from "zod";

export const SERVICES = ["ingest", "annotate", "media", "console"] as const;
export type Service = (typeof SERVICES)[number];

export interface Configuration {
  readonly isProduction: boolean;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Addresses under which browsers may reach the server, as `https://frames.example.org`. */
  readonly publicOrigins: readonly string[];
  readonly services: readonly Service[];
  /** Undefined: PostgreSQL is started here, with its files in the data directory. */
  readonly databaseUrl: string | undefined;
  /** Absolute. Database, objects and log, as far as they are local. */
  readonly dataDirectory: string;
  /** Variables that describe where pictures and clips are kept, as `@fieldseal/storage` reads them. */
  readonly objectStore: Environment;
  readonly seed: "photographs" | "none";
  readonly sessionHours: number;
  /** Undefined: as fast as it goes. */
  readonly rotationRowsPerSecond: number | undefined;
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug";
}

const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);

export type Environment = Readonly<Record<string, string | undefined>>;

/** The message lists every variable that is wrong, what it may be, and never a value. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

const serviceList = z
  .string()
  .transform((text) => text.split(",").map((name) => name.trim()))
  .pipe(z.array(z.enum(SERVICES)).min(1));

const originList = z
  .string()
  .transform((text) => text.split(",").map((origin) => origin.trim()))
  .pipe(z.array(z.url({ protocol: /^https?$/ })));

const SCHEMA = z.object({
  NODE_ENV: z.enum(["development", "production", "test"]).default("development"),
  HOST: z.string().default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65_535).default(4600),
  PUBLIC_ORIGINS: originList.default([]),
  SERVICES: serviceList.default([...SERVICES]),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATA_DIRECTORY: z.string().default(".data"),
  STORAGE_TYPE: z.enum(["local", "s3"]).default("local"),
  SEED: z.enum(["photographs", "none"]).optional(),
  SESSION_HOURS: z.coerce.number().min(0.1).max(168).default(12),
  ROTATION_ROWS_PER_SECOND: z.coerce.number().int().min(1).optional(),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug"]).default("info"),
});

/**
 * @param folder what a relative DATA_DIRECTORY starts from
 * @throws {@link ConfigurationError}
 */
export function readConfiguration(environment: Environment, folder: string): Configuration {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = SCHEMA.safeParse(set);
  if (!parsed.success) throw new ConfigurationError(describe(parsed.error));
  const fields = parsed.data;
  const isProduction = fields.NODE_ENV === "production";
  const dataDirectory = resolve(folder, fields.DATA_DIRECTORY);
  if (isProduction && fields.DATABASE_URL === undefined) {
    throw new ConfigurationError(
      "DATABASE_URL must be set in production: the embedded PostgreSQL is for trying things out.",
    );
  }
  if (!isProduction && !LOOPBACK.has(fields.HOST)) {
    throw new ConfigurationError(
      "HOST lets others in, and outside of production the sign-in page shows the passwords of demo accounts. " +
        "Set NODE_ENV=production, or HOST=127.0.0.1.",
    );
  }
  return {
    isProduction,
    host: fields.HOST,
    port: fields.PORT,
    publicOrigins: fields.PUBLIC_ORIGINS,
    services: fields.SERVICES,
    databaseUrl: fields.DATABASE_URL,
    dataDirectory,
    objectStore: objectStoreOf(set, dataDirectory, folder),
    seed: fields.SEED ?? (isProduction ? "none" : "photographs"),
    sessionHours: fields.SESSION_HOURS,
    rotationRowsPerSecond: fields.ROTATION_ROWS_PER_SECOND,
    logLevel: fields.LOG_LEVEL,
  };
}

const isOfStore = (name: string): boolean => /^(STORAGE|S3)_[A-Z_]+$/.test(name);

/** `createEncryptedStorage` checks it; here the folder of a local store gets its place. */
function objectStoreOf(set: Environment, dataDirectory: string, folder: string): Environment {
  const given = Object.fromEntries(Object.entries(set).filter(([name]) => isOfStore(name)));
  if ((given.STORAGE_TYPE ?? "local") !== "local") return given;
  const { STORAGE_PATH: path } = given;
  return { ...given, STORAGE_PATH: path ? resolve(folder, path) : join(dataDirectory, "objects") };
}

/** A misspelt name in the file would otherwise be a key that nobody set. @throws {@link ConfigurationError} */
export function refuseUnknownNames(file: Environment, path: string): void {
  const isKnown = (name: string): boolean =>
    Object.hasOwn(SCHEMA.shape, name) || isOfStore(name) || name.startsWith("ENCRYPTION_KEY");
  const unknown = Object.keys(file).filter(
    (name) => !isKnown(name) && name !== "ENCRYPTION_PREVIOUS_KEYS",
  );
  if (unknown.length === 0) return;
  throw new ConfigurationError(
    `${path} sets ${unknown.join(", ")}, which this application does not read. .env.example has all names.`,
  );
}

function describe(error: z.ZodError): string {
  const lines = error.issues.map(({ path, message }) => `  ${path[0]?.toString()}: ${message}`);
  return ["The configuration cannot be used:", ...lines].join("\n");
}
