// The JSON files that older systems keep beside the files they describe.
import { lstat, readFile } from "node:fs/promises";

const MAX_SIDECAR_BYTES: number = 64 * 1024;

/** Where older systems keep a file's metadata: `7.json` beside `7.mp4`. Undefined for a path that is one itself. */
export function sidecarOf(path: string): string | undefined {
  return path.endsWith(".json") ? undefined : `${path.replace(/\.[^./\\]*$/, "")}.json`;
}

/** Its pairs with lower-case names, `_` as `-`; undefined where there is no such file or it is about something else. */
export async function readSidecar(path: string): Promise<Record<string, string> | undefined> {
  const sidecar = sidecarOf(path);
  return sidecar === undefined ? undefined : readDescription(sidecar);
}

/** The same of the JSON file itself. */
export async function readDescription(
  sidecar: string,
): Promise<Record<string, string> | undefined> {
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
