// One after another for one path, among the processes of this machine too: what looks at a file and then replaces it
// would otherwise overwrite what another process put in between.
import { link, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { KeyedLock } from "./keyed-lock.ts";
import { temporaryBeside } from "./local-folder.ts";

/** A lock is held for as long as a rename or two writes take: this old, its process was killed. */
const STALE_MS = 5000;
const RETRY_MS = 2;

/** Within the process, where waiting costs nothing. */
const waiting: KeyedLock = new KeyedLock();

export function withFileLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  return waiting.run(path, async () => {
    // Named like a temporary file, so that gc removes what a killed process left.
    const lock = join(dirname(path), `.${basename(path)}.${"0".repeat(12)}.tmp`);
    const isHeld = await acquire(lock);
    try {
      return await action();
    } finally {
      if (isHeld) await unlink(lock).catch(() => {});
    }
  });
}

/** Both, in one order whoever asks: two moves in opposite directions would otherwise wait for each other. */
export function withFileLocks<T>(one: string, other: string, action: () => Promise<T>): Promise<T> {
  const [first, second] = one < other ? [one, other] : [other, one];
  return withFileLock(first, () => withFileLock(second, action));
}

/** False where no file can be made: on a full disk a delete must work, and what else fails says so itself. */
async function acquire(lock: string): Promise<boolean> {
  for (;;) {
    try {
      await (await open(lock, "wx", 0o600)).close();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
    }
    const found = await stat(lock).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > STALE_MS) await removeStale(lock);
    else await delay(RETRY_MS);
  }
}

/** Another process may have done it, and made a new one, since it was looked at: that one is put back. */
async function removeStale(lock: string): Promise<void> {
  const aside = temporaryBeside(lock);
  try {
    await rename(lock, aside);
    if (Date.now() - (await stat(aside)).mtimeMs <= STALE_MS) await link(aside, lock);
  } catch {
    // Gone, or there is a newer one already.
  }
  await unlink(aside).catch(() => {});
}
