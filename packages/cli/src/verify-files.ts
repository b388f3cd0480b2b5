// What is really in the store, counted by state and key; what is not in order is listed by object key.
import type { VerifiedObject } from "@fieldseal/storage";
import { defaultKeyring } from "@fieldseal/crypto";
import { bad, bold, count, counted, good, printable, type Output } from "./output.ts";
import { progressDisplay } from "./progress-bar.ts";
import type { Session } from "./session.ts";

export interface FileOptions {
  readonly prefix?: string | undefined;
  readonly depth: "envelope" | "body";
}

export interface FileFindings {
  readonly files: number;
  readonly depth: "envelope" | "body";
  readonly byState: Readonly<Partial<Record<VerifiedObject["state"], number>>>;
  readonly byKey: Readonly<Record<string, number>>;
  /** The first hundred that are not in order. */
  readonly found: readonly VerifiedObject[];
  readonly isOk: boolean;
}

const MAX_LISTED = 100;

export async function verifyFiles(
  { storage, signal }: Session,
  { prefix, depth }: FileOptions,
  output: Output,
): Promise<FileFindings | undefined> {
  if (storage === undefined) return undefined;
  const display = progressDisplay(output);
  const byState: Partial<Record<VerifiedObject["state"], number>> = {};
  const byKey: Record<string, number> = {};
  const found: VerifiedObject[] = [];
  let files = 0;
  try {
    for await (const object of storage.verify({ prefix, depth, signal })) {
      files++;
      byState[object.state] = (byState[object.state] ?? 0) + 1;
      const isReadable = object.state === "ok" || object.state === "old-key";
      if (isReadable && object.keyId !== undefined)
        byKey[object.keyId] = (byKey[object.keyId] ?? 0) + 1;
      if (object.state !== "ok" && found.length < MAX_LISTED) found.push(object);
      display.update({
        id: "files",
        name: "stored files",
        unit: "files",
        done: files,
        total: undefined,
      });
      output.event({ files });
    }
  } finally {
    display.stop();
  }
  return { files, depth, byState, byKey, found, isOk: (byState.ok ?? 0) === files };
}

const TEXTS: Readonly<Partial<Record<VerifiedObject["state"], string>>> = {
  legacy: 'legacy layout, not authenticated: "fieldseal rotate"',
  plaintext: 'not encrypted: "fieldseal rotate"',
  unprotected: "not encrypted, and this storage does not accept that",
  damaged: "cut, or changed",
  unreadable: "no key for it, or no object of ours",
};

export function printFiles(findings: FileFindings, limit: number, output: Output): void {
  const { files, byState, byKey, found, isOk, depth } = findings;
  const looked = depth === "envelope" ? " (envelopes only)" : "";
  output.line(
    `${bold("stored files")}  ${counted(files, "file")}${looked}  ${isOk ? good("ok") : bad("findings")}`,
  );
  const primary = files === 0 ? undefined : primaryKeyId();
  const keys = Object.entries(byKey).map(([id, number]) => [
    `  key ${id}`,
    count(number),
    id === primary ? "primary" : bad('older key: "fieldseal rotate"'),
  ]);
  const states = Object.entries(TEXTS).flatMap(([state, text]) => {
    const number = byState[state as VerifiedObject["state"]] ?? 0;
    return number === 0 ? [] : [[`  ${state}`, count(number), bad(text)]];
  });
  output.table([["", "", ""], ...keys, ...states]);
  const wrong = found.filter(({ state }) => state !== "old-key");
  output.table([
    ["", "", ""],
    ...wrong
      .slice(0, limit)
      .map(({ key, state, code }) => [`  ${printable(key)}`, state, code ?? ""]),
  ]);
  if (wrong.length > limit)
    output.line(`  and more; --limit <n> or --json lists up to ${MAX_LISTED}`);
}

/** The storage may have a keyring of its own; then no key is called the primary. */
function primaryKeyId(): string | undefined {
  try {
    return defaultKeyring().primary.id;
  } catch {
    return undefined;
  }
}
