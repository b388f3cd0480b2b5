// Files on their way in: recognised by their bytes, cleaned of metadata, stored encrypted, then entered as a row. What
// cannot be finished leaves no row, and its objects are removed, at once or by the retry queue.
import { randomUUID } from "node:crypto";
import { pipeline } from "node:stream/promises";
import type { Readable } from "node:stream";
import type { EncryptedStorage } from "@fieldseal/storage";
import type { RequiredEntityData } from "@mikro-orm/core";
import type { UploadedFile } from "../../web/src/data/contract.ts";
import type { RetryQueue } from "../annotate/retry-queue.ts";
import type { Database } from "../database/database.ts";
import type { Frame, FrameData } from "../database/entities.ts";
import { Problem } from "../http/problem.ts";
import { isMp4, Mp4Filter } from "./mp4-filter.ts";
import { type CleanPicture, cleanPicture, pictureFormatOf, thumbnailOf } from "./pictures.ts";

export interface UploadTarget {
  readonly database: Database;
  readonly storage: EncryptedStorage;
  readonly retries: RetryQueue;
}

export interface IncomingFile {
  readonly name: string;
  readonly content: Readable;
}

const MAX_PICTURE_BYTES = 20 * 1024 * 1024;
export const MAX_CLIP_BYTES = 200 * 1024 * 1024;
/** What tells the formats apart. */
const HEAD_BYTES = 16;
/** The camera of what somebody adds by hand. */
const CAMERA = "Uploads";

/** @throws {@link Problem} 413, 415, 422 */
export async function receive(target: UploadTarget, file: IncomingFile): Promise<UploadedFile> {
  const source = file.content[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const head = await readHead(source);
  const rest = following(head, source);
  const name = cleanName(file.name);
  if (isMp4(head)) return receiveClip(target, name, rest);
  if (pictureFormatOf(head)) return receivePicture(target, name, await collect(rest));
  throw new Problem(
    415,
    "FORMAT",
    "Only JPEG, PNG, WebP and MP4 files can be added, and this is none of them.",
  );
}

async function receivePicture(
  target: UploadTarget,
  name: string,
  content: Buffer,
): Promise<UploadedFile> {
  const picture = await cleanPicture(content);
  const id = await addFrame(target, { name, camera: CAMERA, picture });
  return { kind: "frame", id, removedMetadata: picture.removedMetadata };
}

export interface NewFrame {
  readonly name: string;
  readonly camera: string;
  readonly picture: CleanPicture;
}

async function addFrame(
  target: UploadTarget,
  { name, camera, picture }: NewFrame,
): Promise<string> {
  const { storage, retries } = target;
  const id = randomUUID();
  const pictureKey = `pictures/${id}`;
  const { content, contentType, width, height } = picture;
  await storage.put(pictureKey, content, { contentType, fileName: name });
  const thumbnail = await withObjects(target, [pictureKey, thumbnailKeyOf(id)], async () => {
    const small = await putThumbnail(target, id, content);
    const capturedAt = picture.capturedAt ?? new Date();
    const metadata = { "Added as": name, "Removed from the file": listed(picture.removedMetadata) };
    await insertFrame(
      target.database,
      { id, name, camera, capturedAt, width, height },
      { frameId: id, picture: pictureKey, thumbnail: small, metadata },
    );
    return small;
  });
  // Not before there is a row: the queue would find nothing to do, and cross it out. But then the picture stays,
  // whatever fails.
  if (thumbnail === null) await retries.add("make-thumbnail", { frameId: id });
  return id;
}

async function insertFrame(
  { orm, entities }: Database,
  frame: RequiredEntityData<Frame>,
  data: RequiredEntityData<FrameData>,
): Promise<void> {
  await orm.em.fork().transactional(async (em) => {
    em.create(entities.Frame, frame);
    await em.flush();
    em.create(entities.FrameData, data);
  });
}

function listed(names: readonly string[]): string {
  return names.length > 0 ? names.join(", ") : "nothing, it had no metadata";
}

export function thumbnailKeyOf(frameId: string): string {
  return `thumbnails/${frameId}`;
}

/** @returns null when it is left to the retry queue; the frame is usable without */
async function putThumbnail(
  { storage }: UploadTarget,
  frameId: string,
  picture: Buffer,
): Promise<string | null> {
  const key = thumbnailKeyOf(frameId);
  try {
    await storage.put(key, await thumbnailOf(picture), { contentType: "image/webp" });
    return key;
  } catch {
    return null;
  }
}

/** The retry queue's part: the thumbnail of a frame that has none. */
export async function makeThumbnail(
  { database, storage }: Omit<UploadTarget, "retries">,
  frameId: string,
): Promise<void> {
  const em = database.orm.em.fork();
  const data = await em.findOne(database.entities.FrameData, { frameId });
  if (!data || data.thumbnail !== null) return;
  const { bytes } = await storage.get(data.picture);
  const key = thumbnailKeyOf(frameId);
  await storage.put(key, await thumbnailOf(await bytes()), { contentType: "image/webp" });
  data.thumbnail = key;
  await em.flush();
}

async function receiveClip(
  target: UploadTarget,
  name: string,
  content: AsyncIterable<Buffer>,
): Promise<UploadedFile> {
  const id = randomUUID();
  const clip = `clips/${id}`;
  const filter = new Mp4Filter();
  const [stored] = await Promise.all([
    target.storage.put(clip, filter, { contentType: "video/mp4", fileName: name }),
    pipeline(content, filter),
  ]).catch((error: unknown) => Promise.reject(filter.errored ?? error));
  await withObjects(target, [clip], async () => {
    const em = target.database.orm.em.fork();
    em.create(target.database.entities.Video, {
      id,
      name,
      camera: CAMERA,
      recordedAt: new Date(),
      durationSeconds: filter.durationSeconds,
      sizeBytes: stored.size,
      clip,
    });
    await em.flush();
  });
  return { kind: "video", id, removedMetadata: filter.removedMetadata };
}

/** Does the rest of the work; if that fails, the objects go. */
async function withObjects<T>(
  { storage, retries }: UploadTarget,
  keys: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    for (const key of keys) {
      await storage.delete(key).catch(() => retries.add("remove-object", { key }));
    }
    throw error;
  }
}

async function readHead(source: AsyncIterator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < HEAD_BYTES) {
    const next = await source.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* following(head: Buffer, source: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (;;) {
    const next = await source.next();
    if (next.done) return;
    yield next.value;
  }
}

async function collect(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of content) {
    length += part.length;
    if (length > MAX_PICTURE_BYTES) {
      throw new Problem(413, "TOO_LARGE", "A picture may have 20 MB at most.");
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** For showing only; nothing is ever stored under it. */
function cleanName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? "";
  const visible = last.toWellFormed().replaceAll(/\p{C}/gu, "").trim();
  return visible.slice(0, 200) || "unnamed";
}
