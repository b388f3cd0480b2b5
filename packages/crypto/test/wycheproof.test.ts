import { createHmac, createSecretKey, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { Aead, BodyRange } from "../src/suites/aead.ts";
import { freshCbc, persistentCbc } from "../src/suites/cbc-handle.ts";
import { addPkcs7, CbcHmac, removePkcs7 } from "../src/suites/cbc-hmac.ts";
import { Gcm } from "../src/suites/gcm.ts";
import { BodyHmac, SHA256, SHA512 } from "../src/suites/hmac.ts";
import { LegacyCbc } from "../src/suites/legacy-cbc.ts";
import { Siv } from "../src/suites/siv.ts";

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly result: "valid" | "invalid" | "acceptable";
  readonly [field: string]: string | number;
}
interface Group {
  readonly tests: readonly Vector[];
  readonly [field: string]: unknown;
}

/** The vectors of the groups that match, with how many there must be, so that none is skipped unseen. */
function load(file: string, sizes: Record<string, number>, count: number): readonly Vector[] {
  const url = new URL(`vectors/wycheproof/${file}_test.json`, import.meta.url);
  const { testGroups } = JSON.parse(readFileSync(url, "utf8")) as { testGroups: Group[] };
  const matching = testGroups.filter((group) =>
    Object.entries(sizes).every(([name, size]) => group[name] === size),
  );
  const vectors = matching.flatMap((group) => group.tests);
  expect(vectors, file).to.have.length(count);
  return vectors;
}

const bytes = (vector: Vector, field: string): Buffer => Buffer.from(String(vector[field]), "hex");
const read = (buffer: Buffer, start: number, end: number): string =>
  buffer.toString("hex", start, end);

/** What the engine makes of a body, alone and as the middle one of three in a batch. */
function openBothWays(aead: Aead, body: Buffer, ad: Buffer): (string | undefined)[] {
  const range: BodyRange = { start: 0, lengthBytes: body.length };
  const three = Buffer.concat([body, body, body]);
  const ranges = [0, 1, 2].map((i) => ({ start: i * body.length, lengthBytes: body.length }));
  return [aead.open(body, range, ad, read), aead.openMany(three, ranges, ad, read)[1]];
}

function checkAead(aead: Aead, vector: Vector, body: Buffer, ad: Buffer): void {
  const expected = vector.result === "valid" ? String(vector.msg) : undefined;
  const name = `test ${vector.tcId}: ${vector.comment}`;
  expect(openBothWays(aead, body, ad), name).to.deep.equal([expected, expected]);
}

describe("published vectors", () => {
  it("A256CBC-HS512 agrees with RFC 7518 appendix B.3 and Wycheproof", () => {
    for (const vector of load("a256cbc_hs512", { keySize: 512, ivSize: 128 }, 94)) {
      const aead = new CbcHmac("sha512", bytes(vector, "key"));
      const [iv, ct, tag] = ["iv", "ct", "tag"].map((field) => bytes(vector, field));
      checkAead(aead, vector, Buffer.concat([iv!, ct!, tag!]), bytes(vector, "aad"));
    }
  });

  it("A256GCM agrees with Wycheproof", () => {
    for (const vector of load("aes_gcm", { keySize: 256, ivSize: 96, tagSize: 128 }, 66)) {
      const fixed = (target: Buffer, at: number): void => void target.set(bytes(vector, "iv"), at);
      const aead = new Gcm(bytes(vector, "key"), fixed);
      const body = Buffer.concat([bytes(vector, "iv"), bytes(vector, "ct"), bytes(vector, "tag")]);
      checkAead(aead, vector, body, bytes(vector, "aad"));
      if (vector.result === "valid") checkSeal(aead, vector, body, bytes(vector, "aad"));
    }
  });

  it("A256SIV agrees with Wycheproof's AES-SIV", () => {
    for (const vector of load("aes_siv_cmac", { keySize: 512 }, 147)) {
      const aead = new Siv(bytes(vector, "key"));
      checkAead(aead, vector, bytes(vector, "ct"), bytes(vector, "aad"));
      if (vector.result === "valid") {
        checkSeal(aead, vector, bytes(vector, "ct"), bytes(vector, "aad"));
      }
    }
  });

  it("A256SIV agrees with Wycheproof's AEAD-AES-SIV, whose nonce is a second component", () => {
    for (const vector of load("aead_aes_siv_cmac", { keySize: 512 }, 300)) {
      const aead = new Siv(bytes(vector, "key"));
      const body = Buffer.concat([bytes(vector, "tag"), bytes(vector, "ct")]);
      const components = [bytes(vector, "aad"), bytes(vector, "iv")];
      const range = { start: 0, lengthBytes: body.length };
      const expected = vector.result === "valid" ? String(vector.msg) : undefined;
      expect(aead.open(body, range, components, read), `test ${vector.tcId}`).to.equal(expected);
    }
  });

  it("AES-CBC with PKCS#7 agrees with Wycheproof, on kept and on new cipher objects", () => {
    const handles = [persistentCbc, freshCbc];
    for (const vector of load("aes_cbc_pkcs5", { keySize: 256 }, 72)) {
      const key = createSecretKey(bytes(vector, "key"));
      const [iv, ct] = [bytes(vector, "iv"), bytes(vector, "ct")];
      const expected = vector.result === "valid" ? String(vector.msg) : undefined;
      const stored = Buffer.concat([iv, ct]);
      expect(new LegacyCbc(key).open(stored, read), `test ${vector.tcId}`).to.equal(expected);
      if (ct.length % 16 !== 0 || ct.length === 0) continue;
      for (const make of handles) {
        const padded = make(key).decrypt(stored);
        const end = removePkcs7(padded, 16, padded.length);
        expect(end < 0 ? undefined : read(padded, 16, end)).to.equal(expected);
      }
    }
  });

  it("PKCS#7 padding is what node:crypto's own is, at every length to 64", () => {
    for (let lengthBytes = 0; lengthBytes <= 64; lengthBytes++) {
      const buffer = Buffer.alloc(lengthBytes + 16, 0xaa);
      const end = addPkcs7(buffer, 0, lengthBytes);
      const padBytes = 16 - (lengthBytes % 16);
      expect(end).to.equal(lengthBytes + padBytes);
      expect(buffer.subarray(lengthBytes, end).every((byte) => byte === padBytes)).to.equal(true);
      expect(removePkcs7(buffer, 0, end)).to.equal(lengthBytes);
    }
  });

  it("HKDF-SHA-256 agrees with Wycheproof", () => {
    for (const vector of load("hkdf_sha256", {}, 86)) {
      const derive = (): string => {
        const [ikm, salt, info] = ["ikm", "salt", "info"].map((field) => bytes(vector, field));
        return Buffer.from(
          hkdfSync("sha256", createSecretKey(ikm!), salt!, info!, Number(vector.size)),
        ).toString("hex");
      };
      if (vector.result === "valid") expect(derive(), `test ${vector.tcId}`).to.equal(vector.okm);
      else expect(derive).to.throw();
    }
  });

  for (const [name, hash] of [
    ["hmac_sha256", SHA256],
    ["hmac_sha512", SHA512],
  ] as const) {
    it(`the pads of ${name} give Wycheproof's tags`, () => {
      for (const vector of load(name, {}, 174)) {
        const [key, message, tag] = ["key", "msg", "tag"].map((field) => bytes(vector, field));
        if (key!.length > hash.blockBytes) continue; // our keys are 32 bytes; longer ones would be hashed first
        // BodyHmac appends a length; an HMAC over the same bytes must agree, and that HMAC with the vector.
        const lengthBlock = Buffer.alloc(8);
        lengthBlock.writeBigUInt64BE(BigInt(message!.length) * 8n);
        const direct = createHmac(hash.name, key!).update(message!).digest();
        const isMatch = direct.subarray(0, tag!.length).equals(tag!);
        expect(isMatch, `test ${vector.tcId}`).to.equal(vector.result === "valid");
        const framed = createHmac(hash.name, key!).update(message!).update(lengthBlock).digest();
        const own = new BodyHmac(hash, key!).digest(message!, Buffer.alloc(0));
        expect(Buffer.from(own, "latin1").equals(framed)).to.equal(true);
      }
    });
  }
});

/** Sealing the vector's message gives the vector's body, alone and in a batch. */
function checkSeal(aead: Aead, vector: Vector, body: Buffer, ad: Buffer): void {
  const message = bytes(vector, "msg");
  const slot = Buffer.alloc(message.length + aead.overheadBytes);
  slot.set(message, aead.plaintextAt);
  const many = Buffer.concat([slot, slot]);
  const lengthBytes = aead.seal(slot, 0, message.length, ad);
  expect(slot.toString("hex", 0, lengthBytes)).to.equal(body.toString("hex"));
  const ranges = [0, slot.length].map((start) => ({ start, lengthBytes: message.length }));
  const lengths = aead.sealMany(many, ranges, ad);
  expect(lengths).to.deep.equal([lengthBytes, lengthBytes]);
  expect(many.toString("hex", slot.length, slot.length + lengthBytes)).to.equal(
    body.toString("hex"),
  );
}
