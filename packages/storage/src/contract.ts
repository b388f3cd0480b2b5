// What a storage is to its users, whatever keeps the bytes. The classes that implement it: local-storage.ts and s3-storage.ts.
import type { Readable } from "node:stream";
import type { ErrorCode, KeyringInput } from "@fieldseal/crypto";

/**
 * What can be stored. A `Readable` is an `AsyncIterable`, and so is a web `ReadableStream` on Node. If the put fails, a
 * `Readable` is destroyed and a `ReadableStream` cancelled, but for an HTTP request that was not read yet: it shares the
 * connection of its answer.
 */
export type PutSource = Uint8Array | Blob | AsyncIterable<Uint8Array>;

/** Options that every storage takes. */
export interface StorageOptions {
  /** The keys that data keys are wrapped with; the same keyring as for columns. Defaults to the process default. */
  readonly keyring?: KeyringInput;
  /**
   * Binds objects to a tenant or purpose: an object opens only under the context it was put with. Defaults to
   * `"default"`.
   */
  readonly context?: string;
  /**
   * `"accept"` reads objects that are stored unencrypted and say so. While it is set, whoever can write to the store
   * can replace an encrypted object by one of their own. Defaults to `"reject"`.
   */
  readonly plaintext?: "reject" | "accept";
  /**
   * Reads the legacy layout, whole-object AES-256-CBC under the raw root key: of the primary key, or of the key named.
   * Such objects are not authenticated. Defaults to none.
   */
  readonly legacy?: "aes-256-cbc" | { readonly suite: "aes-256-cbc"; readonly keyId: string };
  /**
   * What `put` does when it cannot encrypt. `"insecure-store-plaintext"` stores the object, its name and its type as
   * they are, publishes an event on `fieldseal:insecure`, and `verify` reports it. Defaults to `"throw"`.
   */
  readonly onEncryptFailure?: "throw" | "insecure-store-plaintext";
}

export interface PutOptions {
  /** Media type, stored encrypted. Defaults to `"application/octet-stream"`. */
  readonly contentType?: string;
  /** The name that a download gets, stored encrypted. Defaults to none. */
  readonly fileName?: string;
  /** Custom pairs, stored encrypted. On S3 all metadata together must stay under about 1200 bytes. Defaults to none. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** PUBLIC: readable by whoever can list the store, for life-cycle rules. At most 8. Defaults to none. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Bytes of the source, where it cannot tell itself (a stream). A source of another length is refused. */
  readonly size?: number;
  /** Fails with `ERR_STORAGE_EXISTS` if the key is taken, also by a racing put. Defaults to false. */
  readonly ifAbsent?: boolean;
  /** Aborts the put; nothing is left in the store. */
  readonly signal?: AbortSignal;
  /** Called with the plaintext bytes taken from the source so far. */
  readonly onProgress?: (progress: { readonly bytes: number }) => void;
}

/**
 * What an object is. Where `protection` is `"encrypted"`, all of it is authenticated except `key` and `modifiedAt`: the
 * store can rename objects. Of `"legacy"` and `"plaintext"` objects nothing is authenticated.
 */
export interface ObjectInfo {
  readonly key: string;
  /**
   * 32 hex digits, made anew by every `put` and kept by copy, move, rewrap and reencrypt. Keep it in your own row and
   * pass it as `expectedObjectId` to notice objects that were swapped or rolled back. Empty for the legacy layout; what
   * was not encrypted gets a new one from reencrypt.
   */
  readonly objectId: string;
  /** Strong entity tag with its quotes; the same for the same content. */
  readonly etag: string;
  /** Plaintext bytes. */
  readonly size: number;
  readonly contentType: string;
  readonly fileName: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Eight hex digits; undefined for plaintext. */
  readonly keyId: string | undefined;
  readonly protection: "encrypted" | "legacy" | "plaintext";
  readonly modifiedAt: Date;
}

export interface OpenOptions {
  /**
   * Fails with `ERR_STORAGE_MISMATCH` when another object stands under the key, or one that is not encrypted and so
   * cannot prove which it is. Defaults to no check.
   */
  readonly expectedObjectId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes `start` to `end`, both included and counted from 0, as in HTTP. `end` defaults to the last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface GetOptions extends OpenOptions {
  /** Part of the object. Defaults to all of it. */
  readonly range?: ByteRange;
  /**
   * Fails with `ERR_STORAGE_CHANGED` when the object's `etag` is another, and with `ERR_STORAGE_UNPROTECTED` when it is
   * not encrypted, because nothing authenticates its etag then. Defaults to no check.
   */
  readonly ifMatch?: string;
}

export interface GetResult {
  readonly info: ObjectInfo;
  /** What the stream gives, both ends included; undefined for all of an empty object. */
  readonly range: { readonly start: number; readonly end: number } | undefined;
  /** Of an encrypted object authenticated bytes only; errors at a segment that is not intact. Destroy it to stop early. */
  readonly stream: Readable;
  /** Reads the stream to its end. */
  bytes(): Promise<Buffer>;
}

/** One version of an object, held open: reads never mix it with a later put. Close it. */
export interface OpenObject extends AsyncDisposable {
  readonly info: ObjectInfo;
  readonly size: number;
  /**
   * Up to `length` bytes from `offset`; fewer only at the end of the object.
   * @throws {@link StorageError} `ERR_STORAGE_TAMPERED` when a segment that is needed is not intact
   */
  read(offset: number, length: number): Promise<Buffer>;
  /**
   * Fills `target` from `offset` and gives the number of bytes, fewer than `target` takes only at the end of the object.
   * For many reads: memory that is used again need not be collected. After an error `target` may hold a part of what
   * was asked for, of intact segments only.
   * @throws {@link StorageError} `ERR_STORAGE_TAMPERED` when a segment that is needed is not intact
   */
  readInto(target: Uint8Array, offset: number): Promise<number>;
  /** The bytes of a range, all of them by default, in pieces of the store's choice. */
  stream(range?: ByteRange): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

export interface ListOptions {
  /** Keys that start with it. Defaults to all. */
  readonly prefix?: string | undefined;
  /** Keys after this one, in the order of their UTF-8 bytes. Defaults to the first. */
  readonly startAfter?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ListedObject {
  /** A name that another program gave may be none that keys can have: then other methods refuse it. */
  readonly key: string;
  readonly modifiedAt: Date;
  /** Bytes in the store: a little more than the object has. */
  readonly storedBytes: number;
}

export interface CopyOptions {
  /**
   * Fails with `ERR_STORAGE_EXISTS` if the target is taken; on disk and in S3 also by a racing put. Stores that check no
   * condition of a copy (Ceph 16) may replace what is put there in the same moment. Defaults to false.
   */
  readonly ifAbsent?: boolean;
  /** Looked at until the target is there, between the parts of a large object too. */
  readonly signal?: AbortSignal;
}

/** `"rewrapped"` and `"reencrypted"` changed the store; `"current"` found nothing to do. */
export interface RotationResult {
  readonly key: string;
  readonly outcome: "rewrapped" | "reencrypted" | "current";
  /** Key id before, undefined for plaintext. */
  readonly from: string | undefined;
  readonly to: string;
}

export interface VerifyOptions extends ListOptions {
  /** `"envelope"` opens the envelope and the last segment; `"body"` reads every byte. Defaults to `"body"`. */
  readonly depth?: "envelope" | "body";
}

/** One object, as {@link EncryptedStorage.verify} found it. */
export interface VerifiedObject {
  readonly key: string;
  /**
   * - `ok`: intact, under the primary key
   * - `old-key`: intact, but a rewrap is due; on disk also where one copy of the envelope is damaged, or was left under
   *   an old key by a rewrap that was interrupted
   * - `legacy`, `plaintext`: readable, but not protected
   * - `unprotected`: one of these two, which this storage does not accept
   * - `damaged`: cut, changed or swapped; `code` says which
   * - `unreadable`: the key is unknown or gone, the store failed, it is no object of ours, or its name is no key
   *   (`ERR_STORAGE_KEY`); `code` says which
   */
  readonly state:
    | "ok"
    | "old-key"
    | "legacy"
    | "plaintext"
    | "unprotected"
    | "damaged"
    | "unreadable";
  readonly code: ErrorCode | undefined;
  readonly keyId: string | undefined;
}

export interface GcOptions {
  /**
   * Leftovers that nothing was added to for this long are removed; younger ones may belong to a put that is running.
   * Defaults to 24 hours.
   */
  readonly olderThanMs?: number;
}

export interface GcReport {
  /** Temporary files, or unfinished uploads. */
  readonly removed: number;
  readonly bytes: number;
}

/**
 * Objects by key: encrypted as they are put, decrypted as they are read, in constant memory.
 *
 * A key is a relative path of `/`-separated parts: "frames/2026/0001.jpg". Keys are public, as file or object names in
 * the store; put what is confidential into `fileName` or `metadata`.
 *
 * Every method that names a key throws {@link StorageError} `ERR_STORAGE_KEY` for one that is not allowed,
 * `ERR_STORAGE_NOT_FOUND` where there is no object, `ERR_STORAGE_BACKEND` when disk or service fail, and when reading
 * `ERR_STORAGE_FORMAT`, `ERR_STORAGE_WRONG_KEY`, `ERR_STORAGE_TRUNCATED`, `ERR_STORAGE_TAMPERED` or
 * {@link KeyError} `ERR_KEY_UNKNOWN`.
 */
export interface EncryptedStorage {
  /**
   * Stores an object, whole or not at all; readers see the old one until the new one is complete.
   * @throws {@link StorageError} `ERR_STORAGE_EXISTS`, `ERR_STORAGE_METADATA`, `ERR_STORAGE_SOURCE`
   */
  put(key: string, source: PutSource, options?: PutOptions): Promise<ObjectInfo>;
  /** @throws {@link StorageError} `ERR_STORAGE_RANGE`, `ERR_STORAGE_CHANGED`, `ERR_STORAGE_MISMATCH` */
  get(key: string, options?: GetOptions): Promise<GetResult>;
  /** Opens for random access. The size is authenticated before it is told. */
  open(key: string, options?: OpenOptions): Promise<OpenObject>;
  head(key: string, options?: OpenOptions): Promise<ObjectInfo>;
  /** In the order of the keys' UTF-8 bytes. */
  list(options?: ListOptions): AsyncIterable<ListedObject>;
  /** The copy has the same `objectId` and etag; the body is not decrypted. */
  copy(from: string, to: string, options?: CopyOptions): Promise<void>;
  move(from: string, to: string, options?: CopyOptions): Promise<void>;
  /** False if there was no object. */
  delete(key: string): Promise<boolean>;
  /** The public tags, without those that the storage keeps for itself. */
  getTags(key: string): Promise<Readonly<Record<string, string>>>;
  /** Replaces the public tags. @throws {@link StorageError} `ERR_STORAGE_METADATA` */
  setTags(key: string, tags: Readonly<Record<string, string>>): Promise<void>;
  /** Wraps the data key under the primary key; the body is not touched. */
  rewrap(key: string): Promise<RotationResult>;
  /** Encrypts the body under a new data key; also turns the legacy layout and plaintext into encrypted objects. */
  reencrypt(key: string): Promise<RotationResult>;
  /** Opens what is stored, object by object; what it finds is a result, not an error. */
  verify(options?: VerifyOptions): AsyncIterable<VerifiedObject>;
  /** Removes what interrupted puts left behind. */
  gc(options?: GcOptions): Promise<GcReport>;
}
