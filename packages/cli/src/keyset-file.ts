// Keyset files: read, made, and changed by one process at a time. A reader sees the old file or the new one, never a part.
import {
  chownSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  keyringFromKeysetFile,
  loadKeyring,
  parseKeyset,
  wrappedKeysetSource,
  wrapKeyset,
  Keyring,
  type KeysetEntry,
  type KeysetJson,
  type KeyWrapper,
} from "@fieldseal/crypto";
import { exportKeyset } from "@fieldseal/crypto/unsafe";

export interface OpenKeyset {
  readonly keyset: KeysetJson;
  readonly keyring: Keyring;
  readonly isWrapped: boolean;
}

/** @throws {@link ConfigError} `ERR_CONFIG_KEY_FILE` when it is wrapped and the configuration names no keyWrapper */
export async function readKeyset(path: string, wrapper?: KeyWrapper): Promise<OpenKeyset> {
  const text = read(path);
  const keyset = parseKeyset(text, path);
  const isWrapped = keyset.keys.some((entry) => entry.wrapped !== undefined);
  if (!isWrapped) return { keyset, keyring: keyringFromKeysetFile(path), isWrapped };
  if (wrapper === undefined) {
    throw new ConfigError(
      "ERR_CONFIG_KEY_FILE",
      `The keys of ${path} are wrapped. Name the service that unwraps them: keyWrapper in the configuration file.`,
    );
  }
  const keyring = await loadKeyring(wrappedKeysetSource({ json: text, wrapper }));
  return { keyset, keyring, isWrapped };
}

export interface KeysetChange {
  readonly path: string;
  readonly wrapper: KeyWrapper | undefined;
  readonly change: (before: Keyring) => KeysetChanged;
}

export interface KeysetChanged {
  readonly after: Keyring;
  /** The new key, if there is one. */
  readonly added?: string;
}

/** Changes a keyset file. Entries that stay keep their bytes; nothing is unwrapped and wrapped anew. */
export async function changeKeyset({ path, wrapper, change }: KeysetChange): Promise<Keyring> {
  const file = realpathSync(existing(path)); // a link is kept, and what it leads to is changed
  const unlock = await lock(file);
  try {
    const { keyset, keyring, isWrapped } = await readKeyset(file, wrapper);
    const { after, added } = change(keyring);
    const entries = keyset.keys.map((entry) => withStatusOf(entry, after));
    if (added !== undefined) {
      const entry = await entryOf(added, isWrapped ? wrapper : undefined);
      entries.push(withStatusOf(entry, after));
    }
    replace(file, formatKeyset({ ...keyset, keys: entries }));
    return after;
  } finally {
    unlock();
  }
}

export interface NewKeyset {
  readonly keyring: Keyring;
  readonly wrapper: KeyWrapper | undefined;
  /** Of keys whose age is not known. Defaults to none. */
  readonly createdAt?: Date;
}

/** A keyset of these keys, in a file that was not there. */
export async function writeNewKeyset(
  path: string,
  { keyring, wrapper, createdAt }: NewKeyset,
): Promise<void> {
  const { format, keys } = await keysetOf(keyring, wrapper);
  const dated = keys.map(({ key, wrapped, ...entry }) => ({
    ...entry,
    ...(createdAt && { createdAt: entry.createdAt ?? createdAt.toISOString() }),
    ...(key !== undefined && { key }),
    ...(wrapped !== undefined && { wrapped }),
  }));
  writeNew(path, formatKeyset({ format, keys: dated }));
}

/** A file that others cannot read, and that was not there. */
export function writeNew(path: string, content: string): void {
  try {
    write(path, content);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === "EEXIST"
        ? "exists, and may hold a key that is in use. Choose another name or move it away."
        : `cannot be written (${code}).`;
    throw new ConfigError("ERR_CONFIG_KEY_FILE", `${path} ${reason}`);
  }
}

async function entryOf(key: string, wrapper: KeyWrapper | undefined): Promise<KeysetEntry> {
  const { keys } = await keysetOf(Keyring.fromKey(key), wrapper);
  return keys[0] as KeysetEntry;
}

async function keysetOf(keyring: Keyring, wrapper: KeyWrapper | undefined): Promise<KeysetJson> {
  return wrapper === undefined ? exportKeyset(keyring) : wrapKeyset(keyring, wrapper);
}

function withStatusOf({ key, wrapped, ...entry }: KeysetEntry, keyring: Keyring): KeysetEntry {
  const { status = entry.status, createdAt } = keyring.get(entry.id) ?? {};
  const plain = {
    ...entry,
    status,
    ...(createdAt !== undefined && { createdAt: createdAt.toISOString() }),
  };
  if (status === "destroyed") return plain;
  return { ...plain, ...(key !== undefined && { key }), ...(wrapped !== undefined && { wrapped }) };
}

function formatKeyset(keyset: KeysetJson): string {
  return `${JSON.stringify(keyset, null, 2)}\n`;
}

const LOCK_TRIES = 50;
const LOCK_WAIT_MS = 100;

/** Never taken by force: a lock that a dead process left is removed by whoever knows that it is dead. */
async function lock(file: string): Promise<() => void> {
  const path = `${file}.lock`;
  for (let tries = 1; ; tries++) {
    try {
      write(path, `process ${process.pid} on ${hostname()}\n`);
      return () => rmSync(path, { force: true });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EEXIST") throw unreadable(path, error);
      if (tries < LOCK_TRIES) {
        await sleep(LOCK_WAIT_MS);
        continue;
      }
    }
    const owner = read(path).trim();
    throw new ConfigError(
      "ERR_CONFIG_KEY_FILE",
      `${file} is being changed by ${owner}. If that process is gone, remove ${path} and try again.`,
    );
  }
}

/** Old content or new, whenever the machine stops; the owner stays, so that the application can still read it. */
function replace(file: string, content: string): void {
  const temporary = `${file}.${process.pid}.new`;
  const { uid, gid } = statSync(file);
  try {
    write(temporary, content);
    if (uid !== process.getuid?.() || gid !== process.getgid?.()) chownSync(temporary, uid, gid);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw unreadable(file, error);
  }
  syncFolder(dirname(file));
}

function write(path: string, content: string): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } catch (error) {
    rmSync(path, { force: true }); // a full disk must not leave half a key
    throw error;
  } finally {
    closeSync(file);
  }
}

/** The new name survives a power failure only once its folder is on the disk; not every system can. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function existing(path: string): string {
  try {
    statSync(path);
    return path;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): ConfigError {
  const { code = "unknown reason" } = error as NodeJS.ErrnoException;
  const fix =
    code === "ENOENT"
      ? `Correct --keyset or ENCRYPTION_KEYSET_FILE, or make it: fieldseal keygen --keyset ${path}`
      : "Look at the owner and mode of the file and its folder.";
  return new ConfigError("ERR_CONFIG_KEY_FILE", `${path} cannot be used: ${code}. ${fix}`);
}
