// Search tokens for a companion column: a keyed, truncated HMAC-SHA-256 of the normalised value.
import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import type { Encoded } from "./codecs/codec.ts";
import { encodeColumn, lengthPrefixed, type ColumnContext } from "./context.ts";
import { ConfigError } from "./errors.ts";
import { deriveKeyBytes, type Key } from "./key.ts";
import { resolveNormalizer, type Normalizer } from "./normalize.ts";

export interface BlindIndexOptions {
  /** The companion column that holds tokens: TEXT, with an ordinary index on it. */
  readonly column: string;
  /**
   * Token length in bits, 4 to 256. Few bits make many values share a token, which hides which rows are equal;
   * `planBlindIndex` computes a range. Use 256 where the companion column is UNIQUE. Defaults to 256.
   */
  readonly bits?: number;
  /** What counts as the same value. Defaults to `"exact"`. */
  readonly normalize?: Normalizer;
  /** Logical name that the tokens' key is derived from. Defaults to `column`; set it before renaming that. */
  readonly name?: string;
}

/**
 * Rows behind a token that adapters read and compare to answer one condition; where there are more, they refuse it: the
 * index has too few bits for its table.
 */
export const MAX_INDEX_CANDIDATES = 10_000;

/** From here on two values share a token with a chance below 2^-64 even among 2^32 rows. */
const EXACT_BITS = 128;

export const MIN_INDEX_BITS = 4;
export const MAX_INDEX_BITS = 256;

const OPTION_NAMES: readonly string[] = ["column", "bits", "normalize", "name"];

/** Makes the tokens of one column's blind index; {@link ColumnCipher} does it for whole columns and all live keys. */
export class BlindIndex {
  readonly column: string;
  readonly bits: number;
  readonly #normalize: (text: string) => string;
  readonly #context: Buffer;
  readonly #keys = new WeakMap<Key, KeyObject>();

  /** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
  constructor(options: BlindIndexOptions, context: ColumnContext, where: string) {
    const { column, bits = MAX_INDEX_BITS, normalize = "exact", name = column } = options;
    const refuse = (problem: string): never => {
      throw new ConfigError("ERR_CONFIG_OPTION", `${where}: ${problem}.`);
    };
    if (typeof column !== "string" || column === "" || typeof name !== "string" || name === "")
      refuse("blindIndex.column must name the companion column");
    // `bits` misspelt would be 256 of them, which show every equality.
    const unknown = Object.keys(options).find((option) => !OPTION_NAMES.includes(option));
    if (unknown !== undefined)
      refuse(`unknown option "${unknown}" of blindIndex. Known: ${OPTION_NAMES.join(", ")}`);
    if (!Number.isInteger(bits) || bits < MIN_INDEX_BITS || bits > MAX_INDEX_BITS) {
      refuse(`blindIndex.bits must be a whole number from ${MIN_INDEX_BITS} to ${MAX_INDEX_BITS}`);
    }
    this.column = column;
    this.bits = bits;
    this.#normalize = resolveNormalizer(normalize, where);
    this.#context = Buffer.concat([encodeColumn(context), lengthPrefixed(name)]);
  }

  /** Whether a token stands for one value: shorter ones are shared, and rows found by them must be compared. */
  get isExact(): boolean {
    return this.bits >= EXACT_BITS;
  }

  /** Token of an encoded value under one key: lower-case hex of `ceil(bits / 8)` bytes. */
  token(value: Encoded, key: Key): string {
    const digest = createHmac("sha256", this.#keyFor(key)).update(this.normalize(value)).digest();
    return truncate(digest, this.bits).toString("hex");
  }

  /** What is compared and hashed: normalised text, or the bytes as they are. */
  normalize(value: Encoded): Encoded {
    return typeof value === "string" ? this.#normalize(value) : value;
  }

  #keyFor(key: Key): KeyObject {
    let indexKey = this.#keys.get(key);
    if (indexKey === undefined) {
      const use = {
        purpose: "blind-index",
        suiteId: 0,
        context: this.#context,
        lengthBytes: 32,
      } as const;
      const keyBytes = deriveKeyBytes(key, use);
      indexKey = createSecretKey(keyBytes);
      keyBytes.fill(0);
      this.#keys.set(key, indexKey);
    }
    return indexKey;
  }
}

/** The first `bits` bits; the rest of the last byte is zero. */
function truncate(digest: Buffer, bits: number): Buffer {
  const bytes = digest.subarray(0, Math.ceil(bits / 8));
  const spare = bytes.length * 8 - bits;
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] as number) & (0xff << spare);
  return bytes;
}
