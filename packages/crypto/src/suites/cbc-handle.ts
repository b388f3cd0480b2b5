// AES-256-CBC without padding, as a stream of whole blocks. One cipher object per key and direction lives as
// long as the key, which removes object creation and final(): 1.6 to 2 us of about 2.6 us per small value.
// CBC chains from call to call, so a handle's state is the last ciphertext block; the two functions below are
// written so that this state never matters.
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";

const BLOCK_BYTES = 16;
const ZERO_IV: Buffer = Buffer.alloc(BLOCK_BYTES);
const SELF_TEST_KEY: KeyObject = createSecretKey(Buffer.alloc(32, "self-test"));

export interface CbcHandle {
  /**
   * Takes one fresh random block and then padded plaintext; returns `IV || ciphertext` of the same length.
   * The first output block E(R xor state) is as uniform and unpredictable as R, so it serves as the IV
   * (NIST SP 800-38A, appendix C).
   */
  encrypt(randomBlockThenPlaintext: Buffer): Buffer;

  /** Takes `IV || ciphertext`; returns 16 meaningless bytes, then the padded plaintext. */
  decrypt(ivThenCiphertext: Buffer): Buffer;
}

/** A cipher object that accepts any number of updates; what `createCipheriv` returns. */
interface BlockStream {
  update(data: Buffer): Buffer;
}

/** One cipher object per direction, kept. One that threw may hold part of a block: it is replaced. */
export function persistentCbc(
  key: KeyObject,
  createEncryptor: (key: KeyObject) => BlockStream = newEncryptor,
  createDecryptor: (key: KeyObject) => BlockStream = newDecryptor,
): CbcHandle {
  return {
    encrypt: keepWhileSound(() => createEncryptor(key)),
    decrypt: keepWhileSound(() => createDecryptor(key)),
  };
}

/** A new cipher object per call: for runtimes whose cipher objects do not chain as OpenSSL's do. */
export function freshCbc(key: KeyObject): CbcHandle {
  return {
    encrypt: (data) => newEncryptor(key).update(data),
    decrypt: (data) => newDecryptor(key).update(data),
  };
}

function newEncryptor(key: KeyObject): BlockStream {
  return createCipheriv("aes-256-cbc", key, ZERO_IV).setAutoPadding(false);
}

function newDecryptor(key: KeyObject): BlockStream {
  return createDecipheriv("aes-256-cbc", key, ZERO_IV).setAutoPadding(false);
}

/** `update` of one stream, replaced as soon as it throws or keeps back part of its input. */
export function keepWhileSound(create: () => BlockStream): (data: Buffer) => Buffer {
  let stream: BlockStream | undefined;
  return (data) => {
    try {
      stream ??= create();
      const output = stream.update(data);
      // A short output means that the object buffers a block, which would shift every later value.
      if (output.length !== data.length) throw new Error("The cipher object kept back a block.");
      return output;
    } catch (error) {
      stream = undefined;
      throw error;
    }
  };
}

/**
 * CBC-MAC: the last ciphertext block of whole blocks under a zero IV. A kept object's state is its last output
 * block, which the next message cancels by xoring it into its first block.
 */
export function chainedCbcMac(
  key: KeyObject,
  isKept: boolean = isPersistentCbcSound(),
): (blocks: Buffer) => Buffer {
  let state = ZERO_IV;
  const update = keepWhileSound(() => {
    state = ZERO_IV;
    return newEncryptor(key);
  });
  return (blocks) => {
    if (!isKept) return lastBlock(newEncryptor(key).update(blocks));
    for (let i = 0; i < BLOCK_BYTES; i++) blocks[i] = (blocks[i] as number) ^ (state[i] as number);
    state = lastBlock(update(blocks));
    return Buffer.from(state);
  };
}

function lastBlock(blocks: Buffer): Buffer {
  return blocks.subarray(blocks.length - BLOCK_BYTES);
}

/**
 * {@link persistentCbc} where it proves itself, else {@link freshCbc}: whether chained updates of one object
 * equal fresh objects is a property of the runtime's OpenSSL binding, checked once per process.
 */
export function cbcHandle(key: KeyObject, isKept: boolean = isPersistentCbcSound()): CbcHandle {
  return isKept ? persistentCbc(key) : freshCbc(key);
}

let isPersistentSound: boolean | undefined;

function isPersistentCbcSound(): boolean {
  return (isPersistentSound ??= agreesWithFreshCipher(persistentCbc));
}

/** Three chained messages through `make` must read as ordinary CBC, both ways, with a dirty state. */
export function agreesWithFreshCipher(
  make: (key: KeyObject) => CbcHandle,
  testKey: KeyObject = SELF_TEST_KEY,
): boolean {
  try {
    const handle = make(testKey);
    return [1, 4, 2].every((blocks) => {
      const plaintext = Buffer.alloc(BLOCK_BYTES * blocks, blocks);
      const sealed = handle.encrypt(Buffer.concat([ZERO_IV, plaintext]));
      const decipher = createDecipheriv("aes-256-cbc", testKey, sealed.subarray(0, BLOCK_BYTES));
      const fresh = decipher.setAutoPadding(false).update(sealed.subarray(BLOCK_BYTES));
      const opened = handle.decrypt(sealed).subarray(BLOCK_BYTES);
      return fresh.equals(plaintext) && opened.equals(plaintext);
    });
  } catch {
    return false;
  }
}
