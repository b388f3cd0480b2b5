// The JSON files that older systems keep beside the files they describe.
import { lstat, readdir, readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";

const MAX_SIDECAR_BYTES: number = 64 * 1024;

/** Where older systems keep a file's metadata: `7.json` beside `7.mp4`. Undefined for a path that is one itself. */
export function sidecarOf(path: string): string | undefined {
  return path.endsWith(".json") ? undefined : `${path.replace(/\.[^./\\]*$/, "")}.json`;
}

/** Its pairs with lower-case names, `_` as `-`; undefined where there is no such file or it is about something else. */
export async function readSidecar(path: string): Promise<Record<string, string> | undefined> {
  const sidecar = sidecarOf(path);
  if (sidecar === undefined) return undefined;
  try {
    const found = await lstat(sidecar);
    if (!found.isFile() || found.size > MAX_SIDECAR_BYTES) return undefined;
    const json = JSON.parse(await readFile(sidecar, "utf8")) as unknown;
    if (typeof json !== "object" || json === null || !("encrypted" in json)) return undefined;
    const pairs = Object.entries(json).filter(([, value]) => typeof value !== "object");
    return Object.fromEntries(
      pairs.map(([name, value]) => [name.toLowerCase().replaceAll("_", "-"), String(value)]),
    );
  } catch {
    return undefined;
  }
}

/** The one that describes this file, which is there, and no other file: it goes when the file does. */
export async function ownSidecar(path: string): Promise<string | undefined> {
  if ((await readSidecar(path)) === undefined) return undefined;
  const sidecar = sidecarOf(path) as string;
  const names = await readdir(dirname(path));
  const described = names.filter((name) => sidecarOf(name) === basename(sidecar));
  return described.length === 1 && described[0] === basename(path) ? sidecar : undefined;
}
