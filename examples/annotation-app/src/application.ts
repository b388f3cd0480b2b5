// From a configuration to a running application, and back: database, tables, first data, encryption, services, server.
import { mkdirSync } from "node:fs";
import type { EncryptedStorage } from "@fieldseal/storage";
import type { FastifyInstance } from "fastify";
import { ActivityLog } from "./annotate/activity-log.ts";
import { RecentLooks } from "./annotate/recent-looks.ts";
import { RetryQueue } from "./annotate/retry-queue.ts";
import { annotateRoutes } from "./annotate/routes.ts";
import type { Configuration, Service } from "./config/configuration.ts";
import type { KeyStore } from "./config/key-store.ts";
import { consoleRoutes } from "./console/routes.ts";
import { Rotation } from "./console/rotation.ts";
import { type Database, openDatabase } from "./database/database.ts";
import { startEmbeddedPostgres } from "./database/embedded-postgres.ts";
import { describe } from "./http/failures.ts";
import type { GuardOptions } from "./http/guard.ts";
import { buildPages, servePages } from "./http/pages.ts";
import { createServer } from "./http/server.ts";
import { sessionRoutes } from "./http/session-routes.ts";
import { Sessions } from "./http/sessions.ts";
import { ingestRoutes } from "./ingest/routes.ts";
import { makeThumbnail } from "./ingest/uploads.ts";
import { openObjectStore } from "./media/object-store.ts";
import { mediaRoutes } from "./media/routes.ts";
import { prepare } from "./prepare.ts";
import type { Reporter } from "./terminal.ts";

export interface Application {
  readonly url: string;
  readonly databaseUrl: string;
  stop(): Promise<void>;
}

export interface ApplicationOptions {
  readonly configuration: Configuration;
  readonly keys: KeyStore;
  readonly reporter: Reporter;
  /** Breaks off a start that is under way; the next one goes on where it was. */
  readonly signal?: AbortSignal;
}

/** What is undone when the application stops, or when its start fails half way: the last first. */
type Undo = (() => Promise<void> | void)[];

export async function startApplication(options: ApplicationOptions): Promise<Application> {
  const undo: Undo = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const addresses = await start(options, undo);
    return { ...addresses, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  options: ApplicationOptions,
  undo: Undo,
): Promise<Pick<Application, "url" | "databaseUrl">> {
  const { configuration, keys, reporter, signal } = options;
  mkdirSync(configuration.dataDirectory, { recursive: true, mode: 0o700 });
  const databaseUrl = await databaseOf(configuration, undo);
  signal?.throwIfAborted();
  await prepare({ configuration, keys, reporter, databaseUrl, signal });
  if (configuration.services.includes("console") && (await buildPages())) {
    reporter.step("Built the pages");
  }
  signal?.throwIfAborted();
  const mode = { keyring: keys.keyring, plaintext: "reject" } as const;
  const database = await openDatabase({ url: databaseUrl, ...mode });
  undo.push(() => database.close());
  const storage = await openObjectStore(configuration.objectStore, mode);
  const url = await serve({ configuration, keys, database, storage }, undo);
  return { url, databaseUrl };
}

async function databaseOf({ databaseUrl, dataDirectory }: Configuration, undo: Undo) {
  if (databaseUrl !== undefined) return databaseUrl;
  const server = await startEmbeddedPostgres(dataDirectory);
  undo.push(() => server.stop());
  return server.url;
}

interface Parts {
  readonly configuration: Configuration;
  readonly keys: KeyStore;
  readonly database: Database;
  readonly storage: EncryptedStorage;
}

async function serve(parts: Parts, undo: Undo): Promise<string> {
  const { configuration, database } = parts;
  const { isProduction, publicOrigins, sessionHours } = configuration;
  const sessions = new Sessions(database.models, sessionHours);
  const guardOptions: GuardOptions = { sessions, isProduction, publicOrigins };
  const server = await createServer(configuration, guardOptions);
  const activity = new ActivityLog(database);
  sessionRoutes(server, {
    ...guardOptions,
    models: database.models,
    record: (user, action, text) => activity.append(user, action, text),
  });
  await addServices(server, { ...parts, activity }, undo);
  undo.push(() => server.close());
  return server.listen({ host: configuration.host, port: configuration.port });
}

interface ServiceParts extends Parts {
  readonly activity: ActivityLog;
}

async function addServices(
  server: FastifyInstance,
  parts: ServiceParts,
  undo: Undo,
): Promise<void> {
  const { configuration } = parts;
  const looks = new RecentLooks();
  const runs = (service: Service): boolean => configuration.services.includes(service);
  if (runs("ingest")) await addIngest(server, parts, undo);
  if (runs("annotate")) annotateRoutes(server, { ...parts, looks });
  if (runs("media")) mediaRoutes(server, { ...parts, looks });
  if (runs("console")) await addConsole(server, parts, undo);
}

async function addIngest(server: FastifyInstance, parts: ServiceParts, undo: Undo): Promise<void> {
  const { database, storage } = parts;
  const retries = new RetryQueue(database, {
    handlers: {
      "make-thumbnail": ({ frameId = "" }) => makeThumbnail({ database, storage }, frameId),
      "remove-object": async ({ key = "" }) => void (await storage.delete(key)),
    },
    onFailure: (kind, error) => server.log.warn(describe(error), `retry of ${kind} failed`),
  });
  await ingestRoutes(server, { ...parts, retries });
  retries.start();
  undo.push(() => retries.stop());
}

async function addConsole(server: FastifyInstance, parts: ServiceParts, undo: Undo): Promise<void> {
  const rotation = new Rotation({
    ...parts,
    rowsPerSecond: parts.configuration.rotationRowsPerSecond,
    onFailure: (error) => server.log.error(describe(error), "re-encryption failed"),
  });
  consoleRoutes(server, { ...parts, rotation });
  await servePages(server);
  await rotation.restore();
  undo.push(() => rotation.stop());
}
