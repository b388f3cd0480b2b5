// What can be said without the database: Node, keys, the files they stand in, the storage.
import { existsSync, readFileSync, statSync } from "node:fs";
import { parseEnv } from "node:util";
import {
  decryptString,
  defaultKeyring,
  encryptString,
  generateRootKey,
  type Keyring,
} from "@fieldseal/crypto";
import { failed, type Check } from "./check.ts";
import { counted } from "./output.ts";
import type { Session } from "./session.ts";

const LEAST_NODE = [22, 17] as const;

export function machineChecks(): Check[] {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isOld = major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1]);
  const node: Check = isOld
    ? {
        name: "Node.js",
        state: "failure",
        detail: `${process.version} is too old`,
        fix: "Use 22.17 or later.",
      }
    : { name: "Node.js", state: "ok", detail: process.version };
  return [node, ...dotenvCheck()];
}

const OTHERS_MAY_ACCESS = 0o077;

/** Key files are refused by the keyring itself when others may read them; a .env is read by anything. */
function dotenvCheck(): Check[] {
  if (process.platform === "win32" || !existsSync(".env")) return [];
  const mode = statSync(".env").mode & 0o777;
  const { ENCRYPTION_KEY: key } = parseEnv(readFileSync(".env", "utf8"));
  if (!key || (mode & OTHERS_MAY_ACCESS) === 0) return [];
  const detail = `.env holds a key, and others may read it (mode ${mode.toString(8)})`;
  return [{ name: "file modes", state: "failure", detail, fix: "chmod 600 .env" }];
}

export function keyChecks({ columns }: Session): Check[] {
  try {
    const keyring = defaultKeyring();
    return [describeKeyring(keyring), selfTest(keyring)];
  } catch (error) {
    const ids = primaryKeysOf(columns);
    if (ids === undefined) return [failed("keys", error)];
    const detail = `columns bring keyrings of their own, primary ${ids.join(", ")}`;
    return [{ name: "keys", state: "ok", detail }];
  }
}

function primaryKeysOf(columns: Session["columns"]): string[] | undefined {
  try {
    const ids = [...new Set(columns.map(({ cipher }) => cipher.primaryKeyId))];
    return ids.length > 0 ? ids : undefined;
  } catch {
    return undefined;
  }
}

function describeKeyring({ primary, keys }: Keyring): Check {
  const others = keys.filter((key) => key !== primary).map(({ id, status }) => `${id} ${status}`);
  const detail = [`primary ${primary.id}`, ...others].join(", ");
  return { name: "keys", state: "ok", detail };
}

function selfTest(keyring: Keyring): Check {
  const text = generateRootKey();
  const options = { context: "doctor.test", keyring };
  const isSame = decryptString(encryptString(text, options), options) === text;
  return isSame
    ? { name: "encryption", state: "ok", detail: "a value was encrypted and came back" }
    : {
        name: "encryption",
        state: "failure",
        detail: "a value was encrypted and did not come back",
      };
}

const SAMPLED_FILES = 5;

/** The first few files: reachable, and of these keys. */
export async function storageCheck({ storage, signal }: Session): Promise<Check> {
  const name = "storage";
  try {
    let files = 0;
    for await (const { key, state, code } of storage?.verify({ depth: "envelope", signal }) ?? []) {
      if (state === "damaged" || state === "unreadable") {
        const fix = "fieldseal verify --only storage";
        return { name, state: "failure", detail: `${key} is ${state} [${code}]`, fix };
      }
      if (++files === SAMPLED_FILES) break;
    }
    const detail =
      files === 0 ? "reachable, and empty" : `reachable; ${counted(files, "file")} opened`;
    return { name, state: "ok", detail };
  } catch (error) {
    return failed(name, error);
  }
}
