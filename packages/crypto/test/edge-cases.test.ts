// Faults that only a holder of the keys could make, and sizes where one code path takes over from another.
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { expect } from "chai";
import {
  bytesCodec,
  DecryptError,
  generateRootKey,
  Keyring,
  parseEnvelope,
  SUITE_NAMES,
} from "../src/index.ts";
import { columnKeyBytes } from "../src/column-keys.ts";
import { encodeHeader, parseHeader } from "../src/envelope.ts";
import { CbcHmac, removePkcs7 } from "../src/suites/cbc-hmac.ts";
import { exportRootKey } from "../src/unsafe.ts";
import { columnOf, newKeyring, textColumn } from "./columns.ts";
import { referenceEnvelope } from "./reference-implementation.ts";

const CONTEXT = { table: "users", column: "email" };

/** An authentic body around any whole blocks, as CbcHmac reads it. */
function authenticBody(keyBytes: Buffer, ad: Buffer, paddedPlaintext: Buffer): Buffer {
  const iv = randomBytes(16);
  const cipher = createCipheriv("aes-256-cbc", keyBytes.subarray(32), iv).setAutoPadding(false);
  const sealed = Buffer.concat([iv, cipher.update(paddedPlaintext)]);
  const adBits = Buffer.alloc(8);
  adBits.writeBigUInt64BE(BigInt(ad.length) * 8n);
  const tag = createHmac("sha256", keyBytes.subarray(0, 32))
    .update(ad)
    .update(sealed)
    .update(adBits);
  return Buffer.concat([sealed, tag.digest()]);
}

describe("an authentic value that is malformed inside", () => {
  const keyBytes = randomBytes(64);
  const ad = Buffer.from("associated data");
  const read = (buffer: Buffer, start: number, end: number): string =>
    buffer.toString("hex", start, end);
  const paddings: Record<string, Buffer> = {
    "padding of zero": Buffer.alloc(16),
    "padding of 17": Buffer.alloc(16, 17),
    "padding that is not all equal": Buffer.from([...Buffer.alloc(13), 1, 2, 3]),
  };
  for (const [title, padded] of Object.entries(paddings)) {
    it(`is refused for ${title}, alone and in a batch`, () => {
      const aead = new CbcHmac("sha256", keyBytes);
      const body = authenticBody(keyBytes, ad, padded);
      const good = authenticBody(keyBytes, ad, Buffer.alloc(16, 16));
      const range = { start: 0, lengthBytes: body.length };
      expect(aead.open(body, range, ad, read)).to.equal(undefined);
      const ranges = [0, 1, 2].map((i) => ({ start: i * body.length, lengthBytes: body.length }));
      expect(aead.openMany(Buffer.concat([good, body, good]), ranges, ad, read)).to.deep.equal([
        "",
        undefined,
        "",
      ]);
    });
  }

  it("does not let padding reach in front of its own value", () => {
    expect(removePkcs7(Buffer.from([2, 2]), 1, 2)).to.equal(-1);
    expect(removePkcs7(Buffer.from([2, 2]), 0, 2)).to.equal(0);
    expect(removePkcs7(Buffer.from([9, 1]), 0, 2)).to.equal(1);
    expect(removePkcs7(Buffer.from([2, 1, 1]), 0, 3)).to.equal(2);
  });

  it("is refused when it says that it is padded and is not", () => {
    const keyring = newKeyring();
    const header = encodeHeader({
      suite: "A256CBC-HS256",
      keyId: keyring.primary.idNumber,
      content: "text",
      isPadded: true,
    });
    const column = Buffer.from("\0\u0005users\0\u0005email", "latin1");
    const key = columnKeyBytes("A256CBC-HS256", keyring.primary, CONTEXT);
    const body = authenticBody(
      key,
      Buffer.concat([header, column]),
      Buffer.concat([Buffer.alloc(15), Buffer.of(1)]),
    );
    const envelope = Buffer.concat([header, body]);
    expect(() => textColumn(keyring).open(envelope)).to.throw(DecryptError);
    expect(() => textColumn(keyring).openMany([envelope])).to.throw(DecryptError);
  });

  it("is refused when its text is not UTF-8", () => {
    const keyring = newKeyring();
    const rootKey = exportRootKey(keyring, keyring.primary.id)!;
    const make = (plaintext: Buffer): Buffer =>
      referenceEnvelope({
        rootKey,
        suite: 1,
        content: 1,
        ...CONTEXT,
        nonce: randomBytes(16),
        plaintext,
      });
    expect(textColumn(keyring).open(make(Buffer.from("\ufffd")))).to.equal("\ufffd");
    expect(() => textColumn(keyring).open(make(Buffer.from([0xff])))).to.throw(DecryptError);
  });
});

describe("sizes at which the code takes another way", () => {
  it("give the envelopes of the second implementation", () => {
    const rootKey = randomBytes(32);
    const keyring = Keyring.fromKey(rootKey);
    for (const size of [
      0, 959, 960, 1007, 1008, 1023, 1024, 1025, 5000, 65_400, 65_536, 100_000, 300_000,
    ]) {
      const plaintext = Buffer.alloc(size, "abc");
      for (const [i, suite] of SUITE_NAMES.entries()) {
        const cipher = columnOf(bytesCodec, keyring, { suite, deterministic: suite === "A256SIV" });
        if (suite === "A256SIV" && size > 5000) continue; // slow in the second implementation
        const nonceBytes = [16, 16, 12, 0][i]!;
        for (const stored of [
          cipher.seal(plaintext),
          cipher.sealMany([plaintext, plaintext])[1]!,
        ] as Buffer[]) {
          const nonce = stored.subarray(9, 9 + nonceBytes);
          const expected = referenceEnvelope({
            rootKey,
            suite: (i + 1) as 1,
            content: 0,
            ...CONTEXT,
            nonce,
            plaintext,
          });
          expect(stored.equals(expected), `${suite}, ${size} bytes`).to.equal(true);
        }
      }
    }
  });
});

describe("the magic", () => {
  it("is needed in each of its bytes", () => {
    const bytes = Buffer.concat([
      encodeHeader({ suite: "A256GCM", keyId: 7, content: "text", isPadded: false }),
      Buffer.alloc(28),
    ]);
    for (const at of [0, 1, 2]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(parseHeader(changed, 0, changed.length)).to.equal(undefined);
      expect(parseEnvelope(changed)).to.equal(undefined);
    }
  });

  it("tells plaintext from envelopes, whatever was opened before", () => {
    const cipher = columnOf(bytesCodec, newKeyring(), { plaintext: "accept" });
    const envelope = cipher.seal(Buffer.from("x")) as Buffer;
    expect(cipher.open(envelope).toString()).to.equal("x");
    for (let at = 0; at < 3; at++) {
      const plain = Buffer.alloc(73, at);
      envelope.copy(plain, 0, 0, at);
      expect(cipher.open(plain)).to.deep.equal(plain);
    }
  });
});

describe("errors about keys", () => {
  it("name the fix", () => {
    const ring = Keyring.fromKey(generateRootKey(), { previous: [generateRootKey()] });
    const [primary, old] = ring.keys.map((key) => key.id) as [string, string];
    expect(() => ring.setStatus(primary, "disabled")).to.throw("Promote another key first.");
    const destroyed = ring.setStatus(old, "destroyed");
    expect(() => destroyed.setStatus(old, "enabled")).to.throw("Add the key again from a backup");
    expect(() => Keyring.fromKey("x")).to.throw(/^primary key must be/);
    expect(() => ring.add("x")).to.throw(/^the added key must be/);
    for (const id of [
      `${primary} `,
      primary.toUpperCase().replace(/^\d+$/, "A"),
      `0x${primary.slice(2)}`,
      `${primary}0`,
    ]) {
      if (id !== primary) expect(ring.get(id)).to.equal(undefined);
    }
    const promoted = ring.add(generateRootKey(), "disabled").add(generateRootKey(), "primary");
    expect(promoted.keys.map(({ status }) => status)).to.deep.equal([
      "primary",
      "decrypt-only",
      "decrypt-only",
      "disabled",
    ]);
  });
});
