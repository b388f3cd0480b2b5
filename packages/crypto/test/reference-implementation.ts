// The format of docs/reference/format.md written a second time, as plainly as possible, on node:crypto alone:
// known answers are accepted only when both implementations give them. Imports nothing of ../src.
import { createCipheriv, createHmac, hkdfSync } from "node:crypto";

export interface ReferenceInput {
  readonly rootKey: Buffer;
  readonly suite: 1 | 2 | 3 | 4;
  readonly content: 0 | 1 | 2 | 3;
  readonly table: string;
  readonly column: string;
  readonly row?: string | undefined;
  readonly padTo?: number | undefined;
  readonly nonce: Buffer;
  readonly plaintext: Buffer;
}

export function referenceEnvelope(input: ReferenceInput): Buffer {
  const { rootKey, suite, nonce } = input;
  const plaintext = input.padTo ? pad(input.plaintext, input.padTo) : input.plaintext;
  const header = Buffer.concat([
    Buffer.from([0xf5, 0x5e, 0xa1, suite]),
    referenceKeyId(rootKey),
    Buffer.from([input.content | (input.padTo ? 0x10 : 0)]),
  ]);
  const column = Buffer.concat([prefixed(input.table), prefixed(input.column)]);
  const row = input.row === undefined ? Buffer.alloc(0) : prefixed(input.row);
  const ad = Buffer.concat([header, column, row]);
  const info = Buffer.concat([Buffer.from("fieldseal/v1/encrypt"), Buffer.from([suite]), column]);
  const key = hkdf(rootKey, info, suite === 3 ? 32 : 64);
  if (suite === 3) return Buffer.concat([header, nonce, gcm(key, nonce, ad, plaintext)]);
  if (suite === 4) return Buffer.concat([header, siv(key, ad, plaintext)]);
  return Buffer.concat([
    header,
    cbcHmac(suite === 1 ? "sha256" : "sha512", key, nonce, ad, plaintext),
  ]);
}

export function referenceKeyId(rootKey: Buffer): Buffer {
  return hkdf(rootKey, Buffer.from("fieldseal/v1/key-id"), 4);
}

export function referenceToken(
  rootKey: Buffer,
  names: { readonly table: string; readonly column: string; readonly index: string },
  bits: number,
  value: Buffer,
): string {
  const parts = [prefixed(names.table), prefixed(names.column), prefixed(names.index)];
  const info = Buffer.concat([Buffer.from("fieldseal/v1/blind-index"), Buffer.from([0]), ...parts]);
  const digest = createHmac("sha256", hkdf(rootKey, info, 32))
    .update(value)
    .digest();
  const token = digest.subarray(0, Math.ceil(bits / 8));
  if (bits % 8 !== 0) token[token.length - 1]! &= 0xff << (8 - (bits % 8));
  return token.toString("hex");
}

function hkdf(key: Buffer, info: Buffer, lengthBytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", key, Buffer.alloc(0), info, lengthBytes));
}

function prefixed(id: string): Buffer {
  const utf8 = Buffer.from(id);
  return Buffer.concat([Buffer.from([utf8.length >> 8, utf8.length & 0xff]), utf8]);
}

function pad(plaintext: Buffer, step: number): Buffer {
  const padded = Buffer.alloc(Math.ceil((plaintext.length + 1) / step) * step);
  plaintext.copy(padded);
  padded[plaintext.length] = 0x80;
  return padded;
}

function cbcHmac(hash: string, key: Buffer, iv: Buffer, ad: Buffer, plaintext: Buffer): Buffer {
  const cipher = createCipheriv("aes-256-cbc", key.subarray(32), iv);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const adBits = Buffer.alloc(8);
  adBits.writeBigUInt64BE(BigInt(ad.length * 8));
  const mac = createHmac(hash, key.subarray(0, 32)).update(ad).update(iv).update(ciphertext);
  return Buffer.concat([iv, ciphertext, mac.update(adBits).digest().subarray(0, 32)]);
}

function gcm(key: Buffer, nonce: Buffer, ad: Buffer, plaintext: Buffer): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(ad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** RFC 5297 with one component of associated data, on big integers. */
function siv(key: Buffer, ad: Buffer, plaintext: Buffer): Buffer {
  const mac = (message: Buffer): bigint => cmac(key.subarray(0, 32), message);
  const d = double(mac(Buffer.alloc(16))) ^ mac(ad);
  let last: Buffer;
  if (plaintext.length >= 16) {
    const end = toBigInt(plaintext.subarray(-16)) ^ d;
    last = Buffer.concat([plaintext.subarray(0, -16), toBlock(end)]);
  } else {
    const padded = Buffer.concat([plaintext, Buffer.from([0x80]), Buffer.alloc(16)]);
    last = toBlock(double(d) ^ toBigInt(padded.subarray(0, 16)));
  }
  const v = toBlock(mac(last));
  const counter = Buffer.from(v);
  counter[8]! &= 0x7f;
  counter[12]! &= 0x7f;
  return Buffer.concat([
    v,
    createCipheriv("aes-256-ctr", key.subarray(32), counter).update(plaintext),
  ]);
}

function cmac(key: Buffer, message: Buffer): bigint {
  const encrypt = (block: bigint): bigint =>
    toBigInt(createCipheriv("aes-256-ecb", key, null).setAutoPadding(false).update(toBlock(block)));
  const k1 = double(encrypt(0n));
  const isWhole = message.length > 0 && message.length % 16 === 0;
  const padded = isWhole
    ? message
    : Buffer.concat([message, Buffer.from([0x80]), Buffer.alloc(15)]);
  const count = isWhole ? message.length / 16 : Math.floor(message.length / 16) + 1;
  let state = 0n;
  for (let i = 0; i < count; i++) {
    let block = toBigInt(padded.subarray(i * 16, i * 16 + 16));
    if (i === count - 1) block ^= isWhole ? k1 : double(k1);
    state = encrypt(state ^ block);
  }
  return state;
}

function double(block: bigint): bigint {
  const shifted = (block << 1n) & ((1n << 128n) - 1n);
  return block >> 127n ? shifted ^ 0x87n : shifted;
}

function toBigInt(block: Buffer): bigint {
  return BigInt(`0x${block.toString("hex")}`);
}

function toBlock(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(32, "0"), "hex");
}
