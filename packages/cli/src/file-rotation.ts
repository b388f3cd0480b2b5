// Stored files under the primary key: their envelopes are wrapped anew; a body is written only where it was not encrypted.
import { EncryptionError, type ErrorCode } from "@fieldseal/crypto";
import type { EncryptedStorage, RotationResult } from "@fieldseal/storage";
import { EXIT } from "./exit.ts";
import { bad, caution, count, counted, good, printable, type Output } from "./output.ts";
import { progressDisplay } from "./progress-bar.ts";
import type { Session } from "./session.ts";

export interface FileRotationOptions {
  readonly prefix?: string | undefined;
  /** The run goes on behind this key. */
  readonly startAfter?: string | undefined;
  /** Defaults to 4. */
  readonly concurrency?: number | undefined;
}

export interface FileRotation {
  readonly state: "done" | "partial" | "paused";
  readonly files: number;
  readonly rewrapped: number;
  /** The legacy layout and plaintext: now encrypted. */
  readonly reencrypted: number;
  /** Under the primary key already. */
  readonly current: number;
  readonly failed: number;
  /** The first hundred that failed. */
  readonly failures: readonly { readonly key: string; readonly code: ErrorCode }[];
  /** All files up to this key are done. */
  readonly lastKey: string | undefined;
}

const MAX_LISTED = 100;
/** More failures than this mean that the store, not a file, is at fault. */
const MAX_FAILED = 1000;

export async function rotateFiles(
  { storage, signal }: Session,
  { concurrency = 4, ...listing }: FileRotationOptions,
  output: Output,
): Promise<FileRotation | undefined> {
  if (storage === undefined) return undefined;
  const display = progressDisplay(output);
  const tally = new Tally(await countFiles(storage, listing));
  const queue = storage.list(listing)[Symbol.asyncIterator]();
  const show = (): void => {
    const { seen, total } = tally;
    display.update({ id: "files", name: "stored files", unit: "files", done: seen, total });
    output.event({ files: seen, filesTotal: total });
  };
  try {
    show();
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        for (;;) {
          if (signal.aborted || tally.failed > MAX_FAILED) return;
          const { value, done } = await queue.next();
          if (done === true) return;
          tally.begin(value.key);
          tally.end(value.key, await rotateOne(storage, value.key));
          show();
        }
      }),
    );
  } finally {
    display.stop();
  }
  return tally.report(signal.aborted);
}

async function countFiles(
  storage: EncryptedStorage,
  listing: FileRotationOptions,
): Promise<number> {
  let files = 0;
  for await (const _ of storage.list(listing)) files++;
  return files;
}

type Outcome = RotationResult["outcome"] | "gone" | ErrorCode;

const TRIES = 3;

/** A file that is replaced meanwhile is under the primary key; that is seen at the next look. */
async function rotateOne(storage: EncryptedStorage, key: string): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    try {
      return (await storage.rewrap(key)).outcome;
    } catch (error) {
      if (!(error instanceof EncryptionError)) throw error;
      const { code } = error;
      // A name that is not in normal form C is listed, but no key leads to it.
      const isReachable = key.normalize("NFC") === key;
      if (code === "ERR_STORAGE_NOT_FOUND") return isReachable ? "gone" : code;
      const isPassing = (error as { retryable?: boolean }).retryable === true;
      if (tries === TRIES || !(isPassing || code === "ERR_STORAGE_CHANGED")) return code;
    }
  }
}

/** Counts, and the last key before which nothing is at work. */
class Tally {
  readonly total: number;
  seen = 0;
  readonly #counts = { rewrapped: 0, reencrypted: 0, current: 0, failed: 0 };
  readonly #failures: { readonly key: string; readonly code: ErrorCode }[] = [];
  readonly #atWork: string[] = []; // in the order of the listing
  #ended = new Set<string>();
  #lastKey: string | undefined;

  constructor(total: number) {
    this.total = total;
  }

  get failed(): number {
    return this.#counts.failed;
  }

  begin(key: string): void {
    this.#atWork.push(key);
  }

  end(key: string, outcome: Outcome): void {
    this.seen++;
    if (outcome === "rewrapped" || outcome === "reencrypted" || outcome === "current") {
      this.#counts[outcome]++;
    } else if (outcome !== "gone") {
      this.#counts.failed++;
      if (this.#failures.length < MAX_LISTED) this.#failures.push({ key, code: outcome });
    }
    this.#ended.add(key);
    while (this.#atWork[0] !== undefined && this.#ended.delete(this.#atWork[0])) {
      this.#lastKey = this.#atWork.shift();
    }
  }

  report(isAborted: boolean): FileRotation {
    const { failed } = this.#counts;
    const isComplete = this.seen >= this.total;
    const state = isAborted && !isComplete ? "paused" : failed > 0 ? "partial" : "done";
    const [failures, lastKey] = [this.#failures, this.#lastKey];
    return { state, files: this.seen, ...this.#counts, failures, lastKey };
  }
}

export function fileExitCode(rotation: FileRotation | undefined): number {
  return rotation === undefined || rotation.state === "done" ? EXIT.ok : EXIT.partial;
}

const MAX_NAMED = 20;

export function printFileRotation(rotation: FileRotation, output: Output): void {
  const { state, rewrapped, reencrypted, current, failed, failures, lastKey } = rotation;
  const colour = state === "done" ? good : state === "paused" ? caution : bad;
  const parts = [
    `${counted(rewrapped, "file")} rewrapped`,
    ...(reencrypted > 0 ? [`${count(reencrypted)} encrypted that were not`] : []),
    ...(current > 0 ? [`${count(current)} already under the primary key`] : []),
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
  ];
  output.line(`stored files: ${colour(state)}, ${parts.join(", ")}`);
  output.table([
    ["", ""],
    ...failures.slice(0, MAX_NAMED).map(({ key, code }) => [`  ${printable(key)}`, code]),
  ]);
  if (failed > MAX_NAMED)
    output.line(`  and ${count(failed - MAX_NAMED)} more; --json lists a hundred`);
  if (failed > MAX_FAILED) {
    output.line(
      `Stopped after ${count(failed)} failures: the store seems to be at fault. Then go on with: fieldseal rotate`,
    );
  }
  if (state === "paused") {
    const after = lastKey === undefined ? "" : ` --start-after ${JSON.stringify(lastKey)}`;
    output.line(
      `Paused; what is done is complete. Go on with: fieldseal rotate --only storage${after}`,
    );
  }
}
