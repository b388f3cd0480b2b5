// Everything that can be set, checked once at start. Nothing else in the application reads the environment.
import { resolve } from "node:path";
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
  readonly seed: "photographs" | "none";
  readonly sessionHours: number;
  /** Undefined: as fast as it goes. */
  readonly rotationRowsPerSecond: number | undefined;
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug";
}

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
  if (isProduction && fields.DATABASE_URL === undefined) {
    throw new ConfigurationError(
      "DATABASE_URL must be set in production: the embedded PostgreSQL is for trying things out.",
    );
  }
  return {
    isProduction,
    host: fields.HOST,
    port: fields.PORT,
    publicOrigins: fields.PUBLIC_ORIGINS,
    services: fields.SERVICES,
    databaseUrl: fields.DATABASE_URL,
    dataDirectory: resolve(folder, fields.DATA_DIRECTORY),
    seed: fields.SEED ?? (isProduction ? "none" : "photographs"),
    sessionHours: fields.SESSION_HOURS,
    rotationRowsPerSecond: fields.ROTATION_ROWS_PER_SECOND,
    logLevel: fields.LOG_LEVEL,
  };
}

function describe(error: z.ZodError): string {
  const lines = error.issues.map(({ path, message }) => `  ${path[0]?.toString()}: ${message}`);
  return ["The configuration cannot be used:", ...lines].join("\n");
}
