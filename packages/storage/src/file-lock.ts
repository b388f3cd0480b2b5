// One after another for one path, among the processes of this machine too: what looks at a file and then replaces it
// would otherwise overwrite what another process put in between.
import { link, open, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { areOneFile } from "./local-file.ts";
import { temporaryBeside } from "./local-folder.ts";

/** A lock is touched while it is held, because a busy disk may take long: this old, its process was killed. */
const STALE_MS = 5000;
const TOUCH_MS = 1000;
const RETRY_MS = 2;

/** One after another for one key, side by side for different ones. */
class KeyedLock {
  readonly #last: Map<string, Promise<void>> = new Map();

  async run<T>(key: string, action: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last.set(key, promise);
    await before;
    try {
      return await action();
    } finally {
      resolve();
      if (this.#last.get(key) === promise) this.#last.delete(key);
    }
  }
}

/** Within the process, where waiting costs nothing. */
const waiting: KeyedLock = new KeyedLock();

export function withFileLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  return waiting.run(path, async () => {
    const lock = lockOf(path);
    const held = await acquire(lock);
    if (held === undefined) return action();
    const touching = setInterval(() => {
      held.utimes(new Date(), new Date()).catch(() => {});
    }, TOUCH_MS);
    try {
      return await action();
    } finally {
      clearInterval(touching);
      await release(lock, held).catch(() => {});
    }
  });
}

/** Not another process's: while a file is open, none gets its number. */
async function release(lock: string, held: FileHandle): Promise<void> {
  const { ino } = await held.stat();
  const found = await stat(lock).catch(() => undefined);
  if (found?.ino === ino) await unlink(lock).catch(() => {});
  await held.close();
}

/** Both, in one order whoever asks: two moves in opposite directions would otherwise wait for each other. */
export function withFileLocks<T>(one: string, other: string, action: () => Promise<T>): Promise<T> {
  const [first, second] = one < other ? [one, other] : [other, one];
  return withFileLock(first, async () =>
    // Names that are one to the file system, as "A" and "a" may be, have one lock.
    (await areOneFile(lockOf(first), lockOf(second))) ? action() : withFileLock(second, action),
  );
}

/** Named like a temporary file, so that gc removes what a killed process left. */
function lockOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${"0".repeat(12)}.tmp`);
}

/**
 * Undefined where no file can be made: on a full disk a delete must work, and what else fails says so itself. But not for
 * want of descriptors, which passes: a rename needs none, and would undo what another process checks and does.
 */
async function acquire(lock: string): Promise<FileHandle | undefined> {
  for (;;) {
    try {
      return await open(lock, "wx", 0o600);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EMFILE" || code === "ENFILE") throw error;
      if (code !== "EEXIST") return undefined;
    }
    const found = await stat(lock).catch(() => undefined);
    if (found !== undefined && isStale(found)) await removeStale(lock);
    else await delay(RETRY_MS);
  }
}

/** Also one from the future: the clock was put back since. */
function isStale({ mtimeMs }: { readonly mtimeMs: number }): boolean {
  return Math.abs(Date.now() - mtimeMs) > STALE_MS;
}

/** Another process may have done it, and made a new one, since it was looked at: that one is put back. */
async function removeStale(lock: string): Promise<void> {
  const aside = temporaryBeside(lock);
  try {
    await rename(lock, aside);
    if (!isStale(await stat(aside))) await link(aside, lock);
  } catch {
    // Gone, or there is a newer one already.
  }
  await unlink(aside).catch(() => {});
}
