// The annotation app with 2 000 frames and 20 000 boxes: how long a person waits for the list, a filter, a frame, a save.
// Over HTTP from another connection of this process, one request after the other, against a real PostgreSQL.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startTestApplication } from "../examples/annotation-app/test/application.ts";
import { Client, newBox } from "../examples/annotation-app/test/client.ts";
import { openDatabase } from "../examples/annotation-app/src/database/database.ts";
import { thumbnailOf } from "../examples/annotation-app/src/ingest/pictures.ts";
import { openObjectStore } from "../examples/annotation-app/src/media/object-store.ts";
import type { FrameDetail, FrameList } from "../examples/annotation-app/web/src/data/contract.ts";
import { stopPostgres } from "../test/support/postgres.ts";
import { markdownTable } from "./interleaved.ts";

const FRAMES = Number(process.env.BENCH_FRAMES ?? 2_000);
const BOXES_PER_FRAME = 10;
const RUNS = Number(process.env.BENCH_RUNS ?? 100);
const LIMIT_MS = 200;
/** With more than this done by other programs, the slowest requests tell more of them than of the application. */
const QUIET_SHARE = 0.15;
const LABELS = ["person", "car", "bicycle", "dog", "bag", "door", "truck", "sign", "tree", "bench"];
const CAMERAS = ["Gate", "Yard", "Dock", "Lobby", "Roof"];

const app = await startTestApplication({ SEED: "none" });
await fill();
const ada = await Client.signedIn(app.url);
const { frames } = await ada.get<FrameList>("/api/frames");
const some = (): string => frames[Math.floor(Math.random() * frames.length)]?.id ?? "";

const actions: Readonly<Record<string, () => Promise<unknown>>> = {
  "list all frames": () => ada.get("/api/frames"),
  "filter by label": () => ada.get("/api/frames?label=bicycle"),
  "filter by label, camera, day and state": () =>
    ada.get("/api/frames?label=car&camera=Dock&from=2026-11-02&to=2026-11-12&state=unreviewed"),
  "what filters offer": () => ada.get("/api/catalogue"),
  "open a frame": () => ada.get(`/api/frames/${some()}`),
  "its picture (43 kB)": () => ada.get(`/api/frames/${some()}/image`),
  "a thumbnail": () => ada.get(`/api/frames/${some()}/thumbnail`),
  "save one more box": save,
};
const before = await othersShare();
const rows = [];
for (const [name, act] of Object.entries(actions)) rows.push(await measured(name, act));
const others = Math.max(before, await othersShare());
console.log(`${FRAMES} frames, ${FRAMES * BOXES_PER_FRAME} boxes, ${RUNS} requests each\n`);
console.log(
  markdownTable(
    ["", "p50", "p99"],
    rows.map(({ name, p50, p99 }) => [name, ms(p50), ms(p99)]),
  ),
);
const held = others < QUIET_SHARE ? "p99" : "p50";
const busy = `${Math.round(others * 100)} % of the processors had other work before or after`;
console.log(
  `\n${held} is held to ${LIMIT_MS} ms: ${busy}, and p99 counts below ${QUIET_SHARE * 100} %`,
);
const slow = rows.filter(({ [held]: time }) => time > LIMIT_MS);
for (const { name, [held]: time } of slow) {
  console.error(`${name}: ${held} ${ms(time)}, more than ${LIMIT_MS} ms`);
}

await app.stop();
await stopPostgres();
process.exit(slow.length > 0 ? 1 : 0);

/** How busy the processors are while nothing is asked of the application. */
async function othersShare(): Promise<number> {
  const times = (): { all: number; idle: number } => {
    const counted = cpus().map(({ times: { user, nice, sys, idle, irq } }) => ({
      all: user + nice + sys + idle + irq,
      idle,
    }));
    const sum = (of: "all" | "idle"): number => counted.reduce((so, { [of]: ms }) => so + ms, 0);
    return { all: sum("all"), idle: sum("idle") };
  };
  await delay(1_000); // the application's own work ends
  const start = times();
  await delay(2_000);
  const end = times();
  return 1 - (end.idle - start.idle) / (end.all - start.all);
}

async function measured(name: string, act: () => Promise<unknown>) {
  for (let i = 0; i < 10; i += 1) await act();
  const times: number[] = [];
  for (let i = 0; i < RUNS; i += 1) {
    const started = performance.now();
    await act();
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.ceil(share * RUNS) - 1] ?? NaN;
  return { name, p50: at(0.5), p99: at(0.99) };
}

async function save(): Promise<void> {
  const frame = await ada.get<FrameDetail>(`/api/frames/${some()}`);
  const boxes = [...frame.boxes, newBox()];
  const { version, isReviewed } = frame;
  const answer = await ada.send("PUT", `/api/frames/${frame.id}/annotations`, {
    version,
    isReviewed,
    boxes,
  });
  if (answer.status !== 200) throw new Error(`a save was answered by ${answer.status}`);
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

/** Through the models, so that every value is encrypted as the application encrypts it; all frames share one picture. */
async function fill(): Promise<void> {
  const mode = { keyring: app.keys.keyring, plaintext: "reject" } as const;
  const storage = await openObjectStore({ STORAGE_PATH: join(app.folder, "data/objects") }, mode);
  const picture = await readFile(
    join(import.meta.dirname, "../examples/annotation-app/media/coffee.jpg"),
  );
  await storage.put("pictures/bench", picture, { contentType: "image/jpeg" });
  await storage.put("thumbnails/bench", await thumbnailOf(picture), { contentType: "image/webp" });
  const database = await openDatabase({ url: app.database.url, ...mode });
  const { Frame, FrameReview, AnnotationExample, Label } = database.models;
  await Label.bulkCreate(LABELS.map((name, position) => ({ id: randomUUID(), name, position })));
  const start = Date.parse("2026-11-01T00:00:00Z");
  const seeded = Array.from({ length: FRAMES }, (_, i) => ({
    id: randomUUID(),
    name: `frame-${i}.jpg`,
    camera: CAMERAS[i % CAMERAS.length] ?? "",
    capturedAt: new Date(start + i * 1_000_000),
    width: 600,
    height: 400,
  }));
  await Frame.bulkCreate(seeded);
  const em = database.orm.em.fork();
  for (const { id } of seeded) {
    em.create(database.entities.FrameData, {
      frameId: id,
      picture: "pictures/bench",
      thumbnail: "thumbnails/bench",
      metadata: { Source: "Benchmark" },
    });
  }
  await em.flush();
  await FrameReview.bulkCreate(
    seeded.map(({ id }, i) => ({
      frameId: id,
      version: 1,
      isReviewed: i % 3 === 0,
      savedBy: "Ada",
      savedAt: new Date(),
    })),
  );
  for (let at = 0; at < seeded.length; at += 200) {
    const boxes = seeded.slice(at, at + 200).flatMap(({ id: frameId }, i) =>
      Array.from({ length: BOXES_PER_FRAME }, (_, position) => {
        const id = randomUUID();
        const rectangle = { x: position * 50, y: 10 + (i % 50), width: 40, height: 60 };
        const label = LABELS[(i + position * position) % LABELS.length] ?? "";
        return { id, frameId, position, label, rectangle };
      }),
    );
    const detected = database.orm.em.fork();
    for (const { id, frameId, label, rectangle } of boxes) {
      const severity = "detection" as const;
      const event = { id, frameId, label, severity, score: 0.9, box: rectangle };
      detected.create(database.entities.EventDetection, event);
    }
    await detected.flush();
    await AnnotationExample.bulkCreate(
      boxes.map(({ rectangle, ...box }) => ({
        ...box,
        box: { of: box.id, ...rectangle },
        originalDetection: { ...rectangle, label: box.label, score: 0.9 },
        confidence: 0.9,
        note: null,
      })),
    );
  }
  await database.pool.query("ANALYZE");
  await database.close();
}
