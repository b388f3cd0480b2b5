// A result cache that holds ciphertext: MikroORM caches entities as plain objects, in memory or in Redis.
import { deserialize, serialize } from "node:v8";
import {
  bytesCodec,
  ColumnCipher,
  DecryptError,
  KeyError,
  type KeyringInput,
} from "@fieldseal/crypto";
import { MemoryCacheAdapter, type CacheAdapter } from "@mikro-orm/core";

export interface EncryptedCacheOptions {
  /** The adapter that keeps the entries. Defaults to MikroORM's own, in memory. */
  readonly adapter?: new (options: never) => CacheAdapter;
  /** Defaults to the process default. */
  readonly keyring?: KeyringInput;
  /** Everything else goes to the inner adapter. */
  readonly [option: string]: unknown;
}

/** Bound to the cache alone: a column's value does not open here, nor the other way round. */
const CONTEXT = { table: "fieldseal:result-cache", column: "entry" };

/**
 * Encrypts entries before another adapter gets them, and hides their names, which may hold values of conditions. An
 * entry that does not open (another key, damage, moved here from another name) is a miss, published on the channel
 * `fieldseal:failure`.
 *
 * @example
 * ```ts
 * const orm = await MikroORM.init({
 *   entities: [User],
 *   resultCache: { adapter: EncryptedCacheAdapter, options: { adapter: RedisCacheAdapter } },
 * });
 * ```
 */
export class EncryptedCacheAdapter implements CacheAdapter {
  readonly #inner: CacheAdapter;
  readonly #entry: ColumnCipher<Buffer>;

  constructor({ adapter, keyring, ...options }: EncryptedCacheOptions = {}) {
    const Adapter = adapter ?? MemoryCacheAdapter;
    this.#inner = new Adapter(options as never);
    this.#entry = new ColumnCipher({
      codec: bytesCodec,
      label: "The result cache",
      options: { storage: "text", blindIndex: { column: "name" } },
      defaultContext: CONTEXT,
      defaultKeyring: keyring,
    });
  }

  async get<T>(name: string): Promise<T | undefined> {
    const token = this.#tokenOf(name);
    const stored = await this.#inner.get<unknown>(token);
    if (typeof stored !== "string") return undefined;
    try {
      return deserialize(this.#entry.open(stored, token));
    } catch (error) {
      if (error instanceof DecryptError || error instanceof KeyError) return undefined;
      throw error;
    }
  }

  async set(name: string, data: unknown, origin: string, expiration?: number): Promise<void> {
    const token = this.#tokenOf(name);
    const stored = this.#entry.seal(serialize(data), token);
    await this.#inner.set(token, stored, origin, expiration);
  }

  async remove(name: string): Promise<void> {
    await this.#inner.remove(this.#tokenOf(name));
  }

  async clear(): Promise<void> {
    await this.#inner.clear();
  }

  async close(): Promise<void> {
    await this.#inner.close?.();
  }

  /** What an entry is kept under and bound to: names may be longer than a row's id. */
  #tokenOf(name: string): string {
    return this.#entry.indexToken(Buffer.from(name));
  }
}
