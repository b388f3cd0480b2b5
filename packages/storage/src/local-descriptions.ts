// Which of the JSON files that older systems left are still needed: without its description such a file does not open.
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isOurs } from "./local-file.ts";
import { readDescription, sidecarOf } from "./local-sidecar.ts";

/** The one that describes this file, which is there, and no other that needs it: it goes when the file does. */
export async function ownSidecar(path: string): Promise<string | undefined> {
  const sidecar = sidecarOf(path);
  if (sidecar === undefined || (await readDescription(sidecar)) === undefined) return undefined;
  const described = await filesBeside(sidecar);
  const others = described.filter((other) => other !== path);
  if (others.length === described.length) return undefined;
  for (const other of others) if (!(await isOurs(other))) return undefined;
  return sidecar;
}

/** Whether a file describes another one. */
export async function isDescription(path: string): Promise<boolean> {
  if (sidecarOf(path) !== undefined || (await readDescription(path)) === undefined) return false;
  return (await filesBeside(path)).length > 0;
}

/** The files that a JSON file would describe. */
async function filesBeside(sidecar: string): Promise<string[]> {
  const folder = dirname(sidecar);
  const names = await readdir(folder);
  return names
    .filter((name) => sidecarOf(name) === basename(sidecar))
    .map((name) => join(folder, name));
}
