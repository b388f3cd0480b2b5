// One root key as a handle: id and status can be seen, the bytes cannot. Material is reached only through the
// functions at the end, which index.ts does not export.
import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import { formatKeyId } from "./envelope.ts";
import { KeyError } from "./errors.ts";

/**
 * - `primary`: encrypts and decrypts; exactly one per keyring
 * - `enabled`: decrypts, may be promoted to primary
 * - `decrypt-only`: decrypts; on its way out
 * - `disabled`: refuses to decrypt, but can be enabled again
 * - `destroyed`: the bytes are gone; the id stays, so that what is left under it can be named
 */
export type KeyStatus = "primary" | "enabled" | "decrypt-only" | "disabled" | "destroyed";
export const KEY_STATUSES: readonly KeyStatus[] = [
  "primary",
  "enabled",
  "decrypt-only",
  "disabled",
  "destroyed",
];

const INFO_PREFIX = "fieldseal/v1/";
const NO_SALT: Buffer = Buffer.alloc(0);
const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** Set by the class below, because only it can reach private state; not methods, so that no caller of the package can. */
let readMaterial: (key: Key) => KeyObject | undefined;

/** A root key: its id, status and age. The bytes cannot be read, printed or serialised. */
export class Key {
  /** Eight hex digits. */
  readonly id: string;
  /** {@link Key.id} as the envelope holds it. */
  readonly idNumber: number;
  readonly status: KeyStatus;
  /** When the key was made or first loaded into a keyset, if its source says. */
  readonly createdAt: Date | undefined;
  readonly #material: KeyObject | undefined;

  static {
    readMaterial = (key) => key.#material;
  }

  constructor(
    idNumber: number,
    status: KeyStatus,
    material: KeyObject | undefined,
    createdAt: Date | undefined,
  ) {
    this.idNumber = idNumber;
    this.id = formatKeyId(idNumber);
    this.status = status;
    this.#material = status === "destroyed" ? undefined : material;
    this.createdAt = createdAt;
  }

  withStatus(status: KeyStatus): Key {
    return new Key(this.idNumber, status, this.#material, this.createdAt);
  }

  toJSON(): { readonly id: string; readonly status: KeyStatus } {
    return { id: this.id, status: this.status };
  }

  [inspect](): string {
    return `[Key ${this.id} ${this.status}]`;
  }
}

/** Takes 32 checked bytes (root-key.ts) and zeroes them. */
export function keyFromBytes(bytes: Buffer, status: KeyStatus, createdAt?: Date): Key {
  const material = createSecretKey(bytes);
  bytes.fill(0);
  const id = Buffer.from(hkdfSync("sha256", material, NO_SALT, `${INFO_PREFIX}key-id`, 4));
  return new Key(id.readUInt32BE(0), status, material, createdAt);
}

/** A key whose bytes are gone; it only names what can no longer be opened. */
export function destroyedKey(id: string, createdAt?: Date): Key {
  return new Key(Number.parseInt(id, 16), "destroyed", undefined, createdAt);
}

/** The root key for use. @throws {@link KeyError} `ERR_KEY_DISABLED` or `ERR_KEY_DESTROYED` */
export function materialOf(key: Key): KeyObject {
  const material = readMaterial(key);
  if (material === undefined) {
    throw new KeyError(
      "ERR_KEY_DESTROYED",
      `Key ${key.id} is destroyed: what was encrypted with it cannot be opened any more.`,
      { keyId: key.id },
    );
  }
  if (key.status === "disabled") {
    throw new KeyError("ERR_KEY_DISABLED", `Key ${key.id} is disabled. Enable it to decrypt.`, {
      keyId: key.id,
    });
  }
  return material;
}

/** The root key for saving in a keyset, in any status; undefined when destroyed. */
export function exportMaterial(key: Key): KeyObject | undefined {
  return readMaterial(key);
}

/** What derived key bytes are for; each purpose and context gives unrelated bytes. */
export interface KeyUse {
  readonly purpose: "encrypt" | "blind-index";
  /** Suite id; 0 where no suite is involved. */
  readonly suiteId: number;
  /** Encoded context (context.ts). */
  readonly context: Buffer;
  readonly lengthBytes: number;
}

/**
 * HKDF-SHA-256 with empty salt and info `"fieldseal/v1/" || purpose || suite id || context`.
 * @see RFC 5869
 */
export function deriveKeyBytes(key: Key, use: KeyUse): Buffer {
  const info = Buffer.concat([
    Buffer.from(INFO_PREFIX + use.purpose, "ascii"),
    Buffer.of(use.suiteId),
    use.context,
  ]);
  return Buffer.from(hkdfSync("sha256", materialOf(key), NO_SALT, info, use.lengthBytes));
}
