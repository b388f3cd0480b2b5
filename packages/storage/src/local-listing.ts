// Walks the folder: objects in the order of their keys, and what interrupted puts left behind.
import type { Dirent } from "node:fs";
import { readdir, stat, unlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { backendError } from "./backend-error.ts";
import type { GcReport, ListedObject, ListOptions } from "./contract.ts";
import { isAbsent, isOurs } from "./local-file.ts";
import { TEMPORARY_NAME, type LocalFolder } from "./local-folder.ts";
import { ownSidecar } from "./local-descriptions.ts";
import { readSidecar, sidecarOf } from "./local-sidecar.ts";

export async function* listFiles(
  folder: LocalFolder,
  { prefix = "", startAfter, signal }: ListOptions,
): AsyncGenerator<ListedObject, void, undefined> {
  const root = await folder.root();
  for await (const key of walk(root, "", prefix, startAfter)) {
    signal?.throwIfAborted();
    // It may have been deleted since.
    const found = await stat(join(root, key)).catch(() => undefined);
    if (found === undefined) continue;
    yield { key, modifiedAt: found.mtime, storedBytes: found.size };
  }
}

async function* walk(
  root: string,
  folder: string,
  prefix: string,
  startAfter: string | undefined,
): AsyncGenerator<string, void, undefined> {
  const entries = await entriesOf(join(root, folder), folder);
  const isSidecar = await sidecarsAmong(join(root, folder), entries);
  for (const entry of entries.toSorted(byKeyOrder)) {
    const key = folder + entry.name;
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory()) {
      if (mayHold(`${key}/`, prefix, startAfter)) yield* walk(root, `${key}/`, prefix, startAfter);
    } else if (entry.isFile() && key.startsWith(prefix) && !isSidecar(entry.name)) {
      if (startAfter === undefined || byBytes(startAfter, key) < 0) yield key;
    }
  }
}

/** A folder that is gone is empty; one that cannot be read must not look like it. */
async function entriesOf(path: string, folder: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw backendError(error, "listing", folder);
  }
}

/** A folder sorts as its keys do, which all begin with its name and a slash. */
function byKeyOrder(a: Dirent, b: Dirent): number {
  const name = (entry: Dirent): string => (entry.isDirectory() ? `${entry.name}/` : entry.name);
  return byBytes(name(a), name(b));
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function mayHold(folder: string, prefix: string, startAfter: string | undefined): boolean {
  const isInPrefix = folder.startsWith(prefix) || prefix.startsWith(folder);
  const isBehind =
    startAfter !== undefined && !startAfter.startsWith(folder) && byBytes(startAfter, folder) > 0;
  return isInPrefix && !isBehind;
}

/** The JSON files of older systems that stand beside the file they describe. */
async function sidecarsAmong(
  folder: string,
  entries: readonly Dirent[],
): Promise<(name: string) => boolean> {
  const sidecars = new Set<string>();
  const names = new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name));
  for (const name of names) {
    const sidecar = sidecarOf(name);
    if (sidecar === undefined || !names.has(sidecar) || sidecars.has(sidecar)) continue;
    if ((await readSidecar(join(folder, name))) !== undefined) sidecars.add(sidecar);
  }
  return (name) => sidecars.has(name);
}

export async function collectGarbage(folder: LocalFolder, olderThanMs: number): Promise<GcReport> {
  const before = Date.now() - olderThanMs;
  const report = { removed: 0, bytes: 0 };
  const root = await folder.root();
  const folders = [root];
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    const entries = await entriesOf(path, relative(root, path));
    // A symbolic link is neither folder nor file: nothing outside of the store is touched.
    folders.push(
      ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name)),
    );
    for await (const name of leftoversAmong(path, entries)) {
      const bytes = await removeIfOlder(join(path, name), before);
      if (bytes === undefined) continue;
      report.removed++;
      report.bytes += bytes;
    }
  }
  return report;
}

/** Files whose put was interrupted; and the descriptions, in plaintext, of files that were encrypted when that broke off. */
async function* leftoversAmong(
  folder: string,
  entries: readonly Dirent[],
): AsyncGenerator<string, void, undefined> {
  const names = new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name));
  for (const name of names) {
    if (TEMPORARY_NAME.test(name)) yield name;
    const sidecar = sidecarOf(name);
    if (sidecar === undefined || !names.has(sidecar)) continue;
    const path = join(folder, name);
    if ((await isOurs(path)) && (await ownSidecar(path)) !== undefined) yield sidecar;
  }
}

/** Its bytes; undefined if it is younger, or its put has ended meanwhile. */
async function removeIfOlder(path: string, before: number): Promise<number | undefined> {
  try {
    const { mtimeMs, size } = await stat(path);
    if (mtimeMs > before) return undefined;
    await unlink(path);
    return size;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
