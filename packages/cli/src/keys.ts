// Keys: made, listed, promoted and retired. Bytes go to a file of mode 0600, or once to the terminal by `keygen`.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import {
  ConfigError,
  defaultKeyring,
  generateRootKey,
  KeyError,
  Keyring,
  keyringFromKeysetFile,
  type EncryptedColumn,
} from "@fieldseal/crypto";
import { exportKeyset } from "@fieldseal/crypto/unsafe";
import { verifyColumns } from "@fieldseal/migrate";
import type { Pool } from "pg";
import type { Output } from "./output.ts";

export interface KeygenOptions {
  /** A file to write the key to; refused if it exists. */
  readonly out?: string;
  /** A keyset file to make, with the key as its primary. */
  readonly keyset?: string;
  /** As a line of an environment file. */
  readonly env?: boolean;
}

export function keygen({ out, keyset, env }: KeygenOptions, output: Output): void {
  const key = generateRootKey();
  const { id } = Keyring.fromKey(key).primary;
  const path = out ?? keyset;
  if (path === undefined) {
    output.line(env === true ? `ENCRYPTION_KEY=${key}` : key);
    output.json({ id, key });
    return;
  }
  const content =
    keyset === undefined
      ? `${env === true ? "ENCRYPTION_KEY=" : ""}${key}\n`
      : formatKeyset(Keyring.fromKey(key));
  writeNew(path, content);
  output.line(
    `Key ${id} was written to ${path} (mode 0600). Keep a copy apart from the data: without it nothing opens.`,
  );
  output.json({ id, path });
}

export function listKeys(path: string | undefined, output: Output): void {
  const { keys } = path === undefined ? defaultKeyring() : keyringFromKeysetFile(path);
  output.table([
    ["key", "status", "created"],
    ...keys.map(({ id, status, createdAt }) => [id, status, createdAt?.toISOString() ?? "unknown"]),
  ]);
  output.json(keys);
}

export function addKey(path: string, output: Output): void {
  const before = keyringFromKeysetFile(path);
  const after = before.add(generateRootKey());
  const { id } = after.keys.find((key) => before.get(key.id) === undefined) as { id: string };
  replace(path, formatKeyset(after));
  output.line(
    `Key ${id} was added as enabled. Deploy the keyset everywhere, then: fieldseal keys promote ${id}`,
  );
  output.json({ id, status: "enabled" });
}

export function promoteKey(path: string, id: string, output: Output): void {
  replace(path, formatKeyset(keyringFromKeysetFile(path).promote(id)));
  output.line(`Key ${id} encrypts from now on. Deploy, then re-encrypt: fieldseal rotate`);
  output.json({ id, status: "primary" });
}

export interface Retirement {
  readonly path: string;
  readonly id: string;
  readonly isDestroyed: boolean;
}

/**
 * Disables or destroys a key that no value uses any more.
 * @throws {@link KeyError} `ERR_KEY_STATUS` while rows still use it
 */
export async function retireKey(
  { path, id, isDestroyed }: Retirement,
  session: { readonly pool: Pool; readonly columns: readonly EncryptedColumn[] },
  output: Output,
): Promise<void> {
  const keyring = keyringFromKeysetFile(path);
  const status = isDestroyed ? "destroyed" : "disabled";
  const retired = keyring.setStatus(id, status);
  const findings = await verifyColumns(session.pool, session.columns);
  const uses = findings.filter(({ byKey }) => (byKey[id] ?? 0) > 0);
  if (uses.length > 0) {
    const where = uses.map(({ table, column, byKey }) => `${table}.${column} (${byKey[id]} rows)`);
    throw new KeyError(
      "ERR_KEY_STATUS",
      `Key ${id} is still used by ${where.join(", ")}. Run "fieldseal rotate" first.`,
      { keyId: id },
    );
  }
  replace(path, formatKeyset(retired));
  output.line(`Key ${id} is ${status}. No value of ${findings.length} columns uses it.`);
  output.json({ id, status });
}

function formatKeyset(keyring: Keyring): string {
  return `${JSON.stringify(exportKeyset(keyring), null, 2)}\n`;
}

function writeNew(path: string, content: string): void {
  if (existsSync(path)) {
    throw new ConfigError(
      "ERR_CONFIG_KEY_FILE",
      `${path} exists, and may hold a key that is in use. Choose another name or move it away.`,
    );
  }
  write(path, content, "wx");
}

/** The old file or the new one, never a part. */
function replace(path: string, content: string): void {
  const temporary = `${path}.${process.pid}.new`;
  write(temporary, content, "wx");
  renameSync(temporary, path);
}

function write(path: string, content: string, flags: string): void {
  const file = openSync(path, flags, 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
