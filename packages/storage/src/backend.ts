// The port that local disk and S3 implement. A backend moves bytes it cannot read: everything about keys, envelopes,
// segments and metadata stands above it, once (backend-storage.ts).
import type { CopyOptions, GcOptions, GcReport, ListedObject, ListOptions } from "./contract.ts";

/** What a backend knows of a stored object. */
export interface StoredObject {
  /** The bytes given to {@link ObjectBackend.write}; undefined if the object was not written by this package. */
  readonly envelope: Buffer | undefined;
  /** Bytes of the body, without the envelope. The store's word: not authenticated. */
  readonly bodyBytes: number;
  /** One copy of the envelope is damaged, or older and maybe under an old key: a rewrap is due. */
  readonly isUneven?: boolean;
  /** Changes with every change of body, envelope or tags. Opaque; for {@link ReplaceRequest.ifVersion}. */
  readonly version: string;
  readonly modifiedAt: Date;
  /**
   * Metadata that another program left with an object without envelope, names in lower case: S3 user metadata, or the
   * JSON file beside a file on disk. Has `content-type` where that is known.
   */
  readonly foreign: Readonly<Record<string, string>> | undefined;
}

/** One version of one body. */
export interface OpenBody {
  readonly object: StoredObject;
  /**
   * Exactly `length` bytes from `offset`, or fewer where the body ends. Rejects with `ERR_STORAGE_CHANGED` rather than
   * give bytes of another version. The caller owns the Buffer. Several reads may run at once.
   * @param memory of the caller, at least as long, where they may be put instead of into new memory
   */
  read(offset: number, length: number, memory?: Buffer): Promise<Buffer>;
  /**
   * The bytes from `start` up to, not including, `end`, in pieces of any length; read ahead, but boundedly. A piece is
   * valid until the next is asked for: a backend may fill its memory anew. Returning early from the iteration frees
   * what it holds (socket, buffers).
   */
  stream(start: number, end: number): AsyncIterable<Buffer>;
  /** Whether the pieces of a stream are memory that is filled anew, and none of it waits for the garbage collector. */
  readonly refillsMemory: boolean;
  /** Ends what is running: a read or stream that waits for the store rejects. */
  close(): Promise<void>;
}

export interface WriteRequest {
  /** At most {@link ObjectBackend.maxEnvelopeBytes}. */
  readonly envelope: Buffer;
  /** All tags to store, those of the caller and `enc`, `enc-kid`. Checked already. */
  readonly tags: Readonly<Record<string, string>>;
  /**
   * A piece is valid until the one after the next is asked for, so that one can be written while the next is encrypted;
   * a backend that keeps it longer must copy it.
   */
  readonly body: AsyncIterable<Buffer>;
  /** Undefined when the source has no known length. */
  readonly bodyBytes: number | undefined;
  /** Rejects with `ERR_STORAGE_EXISTS`; decided atomically by the store, not by looking first. */
  readonly ifAbsent: boolean;
  /** Rejects with `ERR_STORAGE_CHANGED` when another version stands under the key by now. */
  readonly ifVersion?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ReplaceRequest {
  readonly envelope: Buffer;
  readonly tags: Readonly<Record<string, string>>;
  /** Rejects with `ERR_STORAGE_CHANGED` when the object has another version by now. */
  readonly ifVersion: string;
}

/**
 * Keys are checked before they come here (object-key.ts). An absent object is `ERR_STORAGE_NOT_FOUND`; whatever else the
 * store reports is `ERR_STORAGE_BACKEND`, made by `backendError(...)`, which keeps codes and drops messages that could
 * quote credentials.
 *
 * The mistake to avoid: to let a reader see part of an object, at any time, also after a crash.
 */
export interface ObjectBackend {
  /** Bytes of envelope that the store can keep with an object. */
  readonly maxEnvelopeBytes: number;
  /** Bytes of all tags, as JSON; those of the storage itself among them. */
  readonly maxTagBytes: number;
  /** Writes envelope, tags and body as one object, whole or not at all, also when `body` throws. */
  write(key: string, request: WriteRequest): Promise<StoredObject>;
  /** May read ahead: what comes next is nearly always a read at offset 0. */
  open(key: string, signal?: AbortSignal): Promise<OpenBody>;
  /** Replaces envelope and tags; the body's bytes stay as they are. Survives a crash at any point. */
  replaceEnvelope(key: string, request: ReplaceRequest): Promise<void>;
  /** All tags, in no order; none if the object was not written by this package. */
  readTags(key: string): Promise<Readonly<Record<string, string>>>;
  writeTags(key: string, tags: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Ordered by the UTF-8 bytes of the keys; leaves out temporary files, unfinished uploads, and JSON files beside older
   * objects. Names that are no keys are among them.
   */
  list(options: ListOptions): AsyncIterable<ListedObject>;
  /** With envelope, tags and body as they are. */
  copy(from: string, to: string, request: CopyOptions): Promise<void>;
  /** As {@link ObjectBackend.copy} and then delete; at once where the store can. */
  move(from: string, to: string, request: CopyOptions): Promise<void>;
  delete(key: string): Promise<boolean>;
  gc(options: Required<GcOptions>): Promise<GcReport>;
}
