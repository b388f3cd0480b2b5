import { createCipheriv, createHash, createHmac, createSecretKey, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { KeyError, Keyring } from "@fieldseal/crypto";
import { Cmac, doubleInPlace, xorInto } from "../packages/crypto/src/suites/cmac.ts";
import {
  referenceEnvelope,
  referenceKeyId,
  referenceToken,
  type ReferenceInput,
} from "../packages/crypto/test/reference-implementation.ts";

const page = readFileSync(new URL("../docs/reference/format.md", import.meta.url), "utf8");
const example = page.slice(page.indexOf("## 11. Worked example"), page.indexOf("## 12."));
/** Every table row of the example: what is shown, and its value without the spaces for the eye. */
const rows = new Map(
  [...example.matchAll(/^\| (.+) \| `([^`]+)` \|$/gm)].map((match) => [
    match[1]!,
    match[2]!.replaceAll(" ", ""),
  ]),
);

const rootKey = createHash("sha256").update("fieldseal documentation key").digest();
const iv = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex");
const text = Buffer.from("ada@example.org");
const names = { table: "users", column: "email", index: "email_index" };
const context = Buffer.from("\0\x05users\0\x05email", "latin1");
const noNonce = Buffer.alloc(0);

function envelope(change: Partial<ReferenceInput> = {}): Buffer {
  const usual = { rootKey, suite: 1, content: 1, nonce: iv, plaintext: text } as const;
  return referenceEnvelope({ ...usual, table: "users", column: "email", ...change });
}

function derived(info: Buffer, lengthBytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", rootKey, Buffer.alloc(0), info, lengthBytes));
}

/** Rows that hold hex. */
function steps(): Record<string, Buffer> {
  const info = Buffer.concat([Buffer.from("fieldseal/v1/encrypt\x01"), context]);
  const keys = derived(info, 64);
  const whole = envelope();
  const associatedData = Buffer.concat([whole.subarray(0, 9), context]);
  const bits = Buffer.from((associatedData.length * 8).toString(16).padStart(16, "0"), "hex");
  return {
    "root key": rootKey,
    "PRK (HKDF extract)": createHmac("sha256", Buffer.alloc(32)).update(rootKey).digest(),
    "key id": referenceKeyId(rootKey),
    "column context of users.email": context,
    info,
    "MAC key": keys.subarray(0, 32),
    "AES key": keys.subarray(32),
    "header: suite 1, text": whole.subarray(0, 9),
    "associated data": associatedData,
    "plaintext with PKCS#7": Buffer.concat([text, Buffer.of(1)]),
    IV: whole.subarray(9, 25),
    'ciphertext of "ada@example.org"': whole.subarray(25, 41),
    "bit length of the associated data": bits,
    "MAC input": Buffer.concat([associatedData, whole.subarray(9, 41), bits]),
    tag: whole.subarray(41),
    ...sivSteps(),
    ...tokenSteps(),
  };
}

function sivSteps(): Record<string, Buffer> {
  const keys = derived(Buffer.concat([Buffer.from("fieldseal/v1/encrypt\x04"), context]), 64);
  const cmac = new Cmac(createSecretKey(keys.subarray(0, 32)));
  const whole = envelope({ suite: 4, nonce: noNonce });
  const d = cmac.digest(Buffer.alloc(16));
  doubleInPlace(d);
  xorInto(d, cmac.digest(Buffer.concat([whole.subarray(0, 9), context])));
  const t = Buffer.from(d);
  doubleInPlace(t);
  xorInto(t, Buffer.concat([text, Buffer.of(0x80)]));
  const syntheticIv = cmac.digest(t);
  expect(syntheticIv).to.deep.equal(whole.subarray(9, 25));
  const counter = Buffer.from(syntheticIv);
  counter[8]! &= 0x7f;
  counter[12]! &= 0x7f;
  return {
    "suite 4: CMAC key": keys.subarray(0, 32),
    "suite 4: CTR key": keys.subarray(32),
    "suite 4: D": d,
    "suite 4: T (15 bytes of plaintext, so dbl)": t,
    "suite 4: synthetic IV": syntheticIv,
    "suite 4: first counter": counter,
  };
}

function tokenSteps(): Record<string, Buffer> {
  const index = Buffer.from("\0\x0bemail_index", "latin1");
  const info = Buffer.concat([Buffer.from("fieldseal/v1/blind-index\0"), context, index]);
  const key = derived(info, 32);
  const digest = createHmac("sha256", key).update(text).digest();
  const token = (bits: number): Buffer =>
    Buffer.from(referenceToken(rootKey, names, bits, text), "hex");
  expect(token(256)).to.deep.equal(digest);
  return {
    "index key": key,
    digest,
    "token of 32 bits": token(32),
    "token of 12 bits": token(12),
  };
}

/** Rows that hold what a text column stores. */
function variants(): Record<string, Buffer> {
  const legacy = (plaintext: Buffer): Buffer => {
    const cipher = createCipheriv("aes-256-cbc", rootKey, iv);
    return Buffer.concat([iv, cipher.update(plaintext), cipher.final()]);
  };
  return {
    "row 42": envelope({ row: "42" }),
    "padded to 32": envelope({ padTo: 32 }),
    "no context": envelope({ table: "", column: "" }),
    "suite 2": envelope({ suite: 2 }),
    "suite 3, nonce 00 01 ... 0b": envelope({ suite: 3, nonce: iv.subarray(0, 12) }),
    "suite 4": envelope({ suite: 4, nonce: noNonce }),
    "legacy text, same IV": legacy(text),
    "legacy base64 of the value `AQID`, same IV": legacy(Buffer.from("AQID")),
  };
}

describe("the worked example of docs/reference/format.md", () => {
  it("prints what the second implementation computes, in every row", () => {
    const expected = [
      ...Object.entries(steps()).map(([step, bytes]) => [step, bytes.toString("hex")]),
      ...Object.entries(variants()).map(([step, bytes]) => [step, bytes.toString("base64")]),
    ];
    expect(Object.fromEntries(rows)).to.deep.equal(Object.fromEntries(expected));
  });

  it("prints the envelope as text, which matches the printed prefixes", () => {
    const stored = envelope().toString("base64");
    expect(example).to.include(`\n${stored}\n`);
    for (const [, prefix] of page.matchAll(/LIKE '(9V6h\w*)%'/g)) {
      expect(stored.startsWith(prefix!), prefix).to.equal(true);
    }
    expect(page).to.include(`'\\x${envelope().subarray(0, 8).toString("hex")}'`);
  });

  it("uses a key that the library refuses", () => {
    expect(() => Keyring.fromKey(rootKey)).to.throw(KeyError, "printed in documentation");
  });
});
