// What the behaviours in storage-behaviour.ts need to know of a store, apart from the contract.
import type { EncryptedStorage, StorageOptions } from "@fieldseal/storage";

export interface StorageHarness {
  /** Another storage over the same, initially empty store. */
  open(options: StorageOptions): EncryptedStorage;
  /** Everything that the store keeps: contents, metadata, tags, leftovers. */
  everything(): Promise<Buffer>;
  /** The body of an object, without its envelope. */
  readBody(key: string): Promise<Buffer>;
  /** Replaces the body behind the storage's back; the envelope stays. */
  writeBody(key: string, body: Buffer): Promise<void>;
  /** Puts the envelope of one object on another one, whose body stays. */
  moveEnvelope(from: string, to: string): Promise<void>;
  /** Writes an object as an older system did; `pairs` are its metadata. */
  writeForeign(key: string, bytes: Buffer, pairs: Readonly<Record<string, unknown>>): Promise<void>;
  /** Temporary files, or unfinished uploads. */
  leftovers(): Promise<number>;
  remove(): Promise<void>;
}
