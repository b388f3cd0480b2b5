// The routes of the console: the raw database, keys, re-encryption.
import type { EncryptedStorage } from "@fieldseal/storage";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { KeyInfo } from "../../web/src/data/contract.ts";
import type { ActivityLog } from "../annotate/activity-log.ts";
import type { KeyStore } from "../config/key-store.ts";
import type { Database } from "../database/database.ts";
import { userOf } from "../http/guard.ts";
import { Problem } from "../http/problem.ts";
import { readKeyUse, type KeyUse } from "./key-use.ts";
import type { Rotation } from "./rotation.ts";
import { type CellReference, flipByte, listRows, listTables, swap } from "./stored-rows.ts";

export interface ConsoleOptions {
  readonly database: Database;
  readonly storage: EncryptedStorage;
  readonly activity: ActivityLog;
  readonly keys: KeyStore;
  readonly rotation: Rotation;
}

const TableQuery = z.object({ table: z.string().max(63) });
const Cell = z.object({
  table: z.string().max(63),
  id: z.string().max(100),
  column: z.string().max(63),
});
const Swap = Cell.extend({ otherId: z.string().max(100) });
const KeyParams = z.object({ id: z.string().regex(/^[0-9a-f]{8}$/) });
const StepParams = z.object({ step: z.enum(["start", "pause", "resume"]) });

const config = { needs: "annotator" } as const;

export function consoleRoutes(server: FastifyInstance, options: ConsoleOptions): void {
  databaseRoutes(server, options);
  keyRoutes(server, options);
  rotationRoutes(server, options);
}

function databaseRoutes(server: FastifyInstance, { database, activity }: ConsoleOptions): void {
  server.get("/api/database/tables", () => listTables(database));
  server.get("/api/database/rows", async (request) => {
    const { table } = TableQuery.parse(request.query);
    const rows = await listRows(database, table);
    await activity.append(userOf(request), "database.look", `${table}: ${rows.length} rows`);
    return rows;
  });
  const placeOf = ({ table, column, id }: CellReference): string => `${table}.${column} of ${id}`;
  server.post("/api/database/flip-byte", async (request) => {
    const cell = Cell.parse(request.body);
    const result = await flipByte(database, cell);
    await activity.append(userOf(request), "database.flip", placeOf(cell));
    return result;
  });
  server.post("/api/database/swap", async (request) => {
    const cell = Swap.parse(request.body);
    const result = await swap(database, cell);
    await activity.append(userOf(request), "database.swap", `${placeOf(cell)} and ${cell.otherId}`);
    return result;
  });
}

function keyRoutes(server: FastifyInstance, options: ConsoleOptions): void {
  const { database, storage, keys, activity, rotation } = options;
  const use = (): Promise<KeyUse> => readKeyUse(database, storage, keys.current);
  const list = async (): Promise<KeyInfo[]> => (await use()).keys;
  server.get("/api/keys", list);

  server.post("/api/keys", { config }, async (request) => {
    refuseFixed(keys);
    refuseWhileRotating(rotation);
    await keys.add();
    const { id } = keys.current.primary;
    await activity.append(userOf(request), "key.add", `New values are written under ${id}`);
    return list();
  });

  server.post("/api/keys/:id/retire", { config }, async (request) => {
    const { id } = KeyParams.parse(request.params);
    refuseFixed(keys);
    refuseWhileRotating(rotation);
    const { keys: found, unknownFiles } = await use();
    const info = found.find((key) => key.id === id);
    if (!info) throw new Problem(404, "NOT_FOUND", "The keyring has no such key.");
    refuseUsed(info);
    refuseUnknown(unknownFiles);
    if (!(await keys.retire(id))) throw primaryInUse();
    await activity.append(userOf(request), "key.retire", `Key ${id} is forgotten`);
    return list();
  });
}

function refuseFixed({ isFixed }: KeyStore): void {
  if (!isFixed) return;
  throw new Problem(
    409,
    "KEYS_FIXED",
    "Keys come from the environment or a key file here. Change them there, and restart.",
  );
}

function refuseWhileRotating({ isUnderWay }: Rotation): void {
  if (!isUnderWay) return;
  throw new Problem(409, "RUNNING", "Wait for the re-encryption, or pause it.");
}

/** It would move everything to a key that is about to be an older one. */
function refuseWhileKeysChange({ isChanging }: KeyStore): void {
  if (!isChanging) return;
  throw new Problem(
    409,
    "KEYS_CHANGING",
    "A key is being added or retired. Start the re-encryption when that is done, in a second or so.",
  );
}

function refuseUsed({ status, values, objects }: KeyInfo): void {
  if (status === "primary") throw primaryInUse();
  if (values + objects === 0) return;
  throw new Problem(
    409,
    "KEY_IN_USE",
    `${values} values and ${objects} files are still under this key. Re-encrypt first.`,
  );
}

function primaryInUse(): Problem {
  return new Problem(409, "KEY_IN_USE", "New values are written with this key. Add another first.");
}

/** A store that fails for a moment must not make a key look unused. */
function refuseUnknown(files: number): void {
  if (files === 0) return;
  throw new Problem(
    409,
    "KEY_USE_UNKNOWN",
    `${files} files cannot be opened at the moment, and may be under this key. Mend or remove them first.`,
  );
}

function rotationRoutes(server: FastifyInstance, options: ConsoleOptions): void {
  const { rotation, activity, keys } = options;
  server.post("/api/rotation/:step", { config }, async (request) => {
    const { step } = StepParams.parse(request.params);
    if (step !== "pause") refuseWhileKeysChange(keys);
    const state = await rotation[step]();
    const text = step === "start" ? "from the beginning" : `${state.done} of ${state.total} done`;
    await activity.append(userOf(request), `rotation.${step}`, text);
    return state;
  });

  server.get("/api/rotation/events", (request, reply) => {
    reply.hijack();
    const headers = reply.getHeaders() as Record<string, string>;
    reply.raw.writeHead(200, { ...headers, "Content-Type": "text/event-stream" });
    const stop = rotation.follow((state) => {
      reply.raw.write(`event: rotation\ndata: ${JSON.stringify(state)}\n\n`);
    });
    request.raw.once("close", stop);
  });
}
