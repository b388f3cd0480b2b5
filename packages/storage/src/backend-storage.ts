// The storage that users hold, over any backend.
import { defaultKeyring, type Keyring } from "@fieldseal/crypto";
import type { ObjectBackend } from "./backend.ts";
import { exists, foreign } from "./object-errors.ts";
import { checkOptions } from "./storage-options.ts";
import type {
  CopyOptions,
  EncryptedStorage,
  GcOptions,
  GcReport,
  GetOptions,
  GetResult,
  ListedObject,
  ListOptions,
  ObjectInfo,
  OpenObject,
  OpenOptions,
  PutOptions,
  PutSource,
  RotationResult,
  StorageOptions,
  VerifiedObject,
  VerifyOptions,
} from "./contract.ts";
import { DataKeys } from "./data-key.ts";
import { checkKey, checkPrefix } from "./object-key.ts";
import { DEFAULT_CONTEXT, ObjectOpener } from "./object-opener.ts";
import { reencrypt, rewrap, type RotationParts } from "./object-rotation.ts";
import { verify } from "./object-verification.ts";
import { ObjectWriter } from "./object-writer.ts";
import { OpenedObject, resultOf } from "./opened-object.ts";
import { holding } from "./put-source.ts";
import { publishing } from "./storage-events.ts";
import { checkTagBytes, checkTags, ownTags, withoutOwnTags, type Tags } from "./tags.ts";

const DAY_MS: number = 24 * 60 * 60 * 1000;

export class BackendStorage implements EncryptedStorage {
  readonly #backend: ObjectBackend;
  readonly #parts: RotationParts;

  /** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
  constructor(backend: ObjectBackend, options: StorageOptions = {}) {
    checkOptions(options);
    const { keyring, context = DEFAULT_CONTEXT } = options;
    const resolve = (): Keyring =>
      typeof keyring === "function" ? keyring() : (keyring ?? defaultKeyring());
    const keys = new DataKeys(context, keyring);
    this.#backend = backend;
    this.#parts = {
      backend,
      keys,
      opener: new ObjectOpener(backend, keys, resolve, options),
      writer: new ObjectWriter(backend, keys, options),
    };
  }

  async put(key: string, source: PutSource, options: PutOptions = {}): Promise<ObjectInfo> {
    return holding(source, (held) => {
      const name = checkKey(key);
      return publishing("put", name, () => this.#parts.writer.put(name, held, options));
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    const opened = await this.#open("get", key, options);
    try {
      return resultOf(opened, options);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  open(key: string, options: OpenOptions = {}): Promise<OpenObject> {
    return this.#open("open", key, options);
  }

  async head(key: string, options: OpenOptions = {}): Promise<ObjectInfo> {
    const opened = await this.#open("head", key, options);
    await opened.close();
    return opened.info;
  }

  list({ prefix = "", startAfter, signal }: ListOptions = {}): AsyncIterable<ListedObject> {
    return this.#backend.list({ prefix: checkPrefix(prefix), startAfter, signal });
  }

  async copy(from: string, to: string, options: CopyOptions = {}): Promise<void> {
    await this.#transfer("copy", from, to, options);
  }

  async move(from: string, to: string, options: CopyOptions = {}): Promise<void> {
    await this.#transfer("move", from, to, options);
  }

  async delete(key: string): Promise<boolean> {
    const name = checkKey(key);
    return publishing("delete", name, () => this.#backend.delete(name));
  }

  async getTags(key: string): Promise<Tags> {
    return withoutOwnTags(await this.#backend.readTags(checkKey(key)));
  }

  async setTags(key: string, tags: Tags): Promise<void> {
    const name = checkKey(key);
    const { info, body } = await this.#parts.opener.open(name);
    await body.close();
    const confidential = [info.fileName ?? "", ...Object.values(info.metadata)];
    const checked = checkTags(tags, confidential, name);
    const all = { ...checked, ...ownTags(info.keyId) };
    checkTagBytes(all, this.#backend.maxTagBytes, name);
    await publishing("tag", name, () => this.#backend.writeTags(name, all));
  }

  async rewrap(key: string): Promise<RotationResult> {
    const name = checkKey(key);
    return publishing("rewrap", name, () => rewrap(name, this.#parts));
  }

  async reencrypt(key: string): Promise<RotationResult> {
    const name = checkKey(key);
    return publishing("reencrypt", name, () => reencrypt(name, this.#parts));
  }

  verify({ prefix = "", ...options }: VerifyOptions = {}): AsyncIterable<VerifiedObject> {
    return verify({ ...options, prefix: checkPrefix(prefix) }, this.#parts);
  }

  async gc({ olderThanMs = DAY_MS }: GcOptions = {}): Promise<GcReport> {
    // Nothing is younger than NaN: uploads that are running would be removed.
    if (typeof olderThanMs !== "number" || Number.isNaN(olderThanMs))
      throw new RangeError("olderThanMs must be a number.");
    return this.#backend.gc({ olderThanMs });
  }

  async #open(
    operation: "get" | "open" | "head",
    key: string,
    options: OpenOptions,
  ): Promise<OpenedObject> {
    const name = checkKey(key);
    const { expectedObjectId, signal } = options;
    return publishing(operation, name, async () => {
      signal?.throwIfAborted();
      return new OpenedObject(await this.#parts.opener.open(name, { expectedObjectId, signal }));
    });
  }

  async #transfer(
    operation: "copy" | "move",
    from: string,
    to: string,
    options: CopyOptions,
  ): Promise<void> {
    const [source, target] = [checkKey(from), checkKey(to)];
    options.signal?.throwIfAborted();
    await publishing(operation, source, () =>
      source === target
        ? this.#leave(source, options.ifAbsent)
        : this.#backend[operation](source, target, options),
    );
  }

  /** A copy onto itself would undo what was put there since it was read. */
  async #leave(key: string, ifAbsent = false): Promise<void> {
    const body = await this.#backend.open(key);
    await body.close();
    if (body.object.envelope === undefined) throw foreign(key);
    if (ifAbsent) throw exists(key);
  }
}
