import { execFile } from "node:child_process";
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { expect } from "chai";
import fc from "fast-check";
import {
  agreesWithFreshCipher,
  cbcHandle,
  chainedCbcMac,
  freshCbc,
  persistentCbc,
  type CbcHandle,
} from "../src/suites/cbc-handle.ts";
import { newKeyring, textColumn } from "./columns.ts";

const newKey = (): KeyObject => createSecretKey(randomBytes(32));

/** Decrypts `IV || ciphertext` with a cipher object of its own. */
function decryptFresh(key: KeyObject, sealed: Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-cbc", key, sealed.subarray(0, 16)).setAutoPadding(
    false,
  );
  return decipher.update(sealed.subarray(16));
}

function encryptFresh(key: KeyObject, plaintext: Buffer): Buffer {
  const iv = randomBytes(16);
  const cipher = createCipheriv("aes-256-cbc", key, iv).setAutoPadding(false);
  return Buffer.concat([iv, cipher.update(plaintext)]);
}

const blocks = fc
  .array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { minLength: 1, maxLength: 40 })
  .map((parts) => Buffer.concat(parts));

describe("a CBC handle", () => {
  for (const [name, make] of Object.entries({ persistentCbc, freshCbc, cbcHandle })) {
    it(`of ${name} agrees with a fresh cipher, with any state before it (property)`, () => {
      const keys = [newKey(), newKey(), newKey()];
      const handles = keys.map((key) => make(key));
      const step = fc.tuple(fc.nat({ max: 2 }), blocks);
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 10 }), (steps) => {
          for (const [which, plaintext] of steps) {
            const sealed = handles[which]!.encrypt(Buffer.concat([randomBytes(16), plaintext]));
            expect(decryptFresh(keys[which]!, sealed)).to.deep.equal(plaintext);
            const opened = handles[which]!.decrypt(encryptFresh(keys[which]!, plaintext));
            expect(opened.subarray(16)).to.deep.equal(plaintext);
          }
        }),
      );
    });
  }

  it("gives another IV each time", () => {
    const handle = persistentCbc(newKey());
    const ivs = Array.from({ length: 1000 }, () =>
      handle.encrypt(Buffer.concat([randomBytes(16), Buffer.alloc(16)])).toString("hex", 0, 16),
    );
    expect(new Set(ivs)).to.have.property("size", 1000);
  });

  for (const [fault, breakStream] of [
    [
      "throws",
      () => {
        throw new Error("on purpose");
      },
    ],
    ["keeps back a block", (data: Buffer) => data.subarray(16)],
  ] as [string, (data: Buffer) => Buffer][]) {
    it(`drops a cipher object that ${fault}, and goes on with a new one`, () => {
      const key = newKey();
      let made = 0;
      let isBroken = false;
      const handle = persistentCbc(key, (own) => {
        made++;
        const cipher = createCipheriv("aes-256-cbc", own, Buffer.alloc(16)).setAutoPadding(false);
        return { update: (data) => (isBroken ? breakStream(data) : cipher.update(data)) };
      });
      const input = Buffer.concat([randomBytes(16), Buffer.from("sixteen letters!")]);
      handle.encrypt(input);
      isBroken = true;
      expect(() => handle.encrypt(input)).to.throw();
      isBroken = false;
      expect(decryptFresh(key, handle.encrypt(input)).toString()).to.equal("sixteen letters!");
      expect(made).to.equal(2);
    });
  }

  it("is not shifted by input that is no whole block", () => {
    const key = newKey();
    const handle = persistentCbc(key);
    expect(() => handle.encrypt(randomBytes(17))).to.throw("kept back");
    const input = Buffer.concat([randomBytes(16), Buffer.from("sixteen letters!")]);
    expect(decryptFresh(key, handle.encrypt(input)).toString()).to.equal("sixteen letters!");
  });

  it("falls back to fresh objects where chained ones do not agree", () => {
    const forgetful = (key: KeyObject): CbcHandle => ({
      encrypt: (data) => freshCbc(key).encrypt(data),
      decrypt: (data) => freshCbc(key).decrypt(data.subarray(16)), // as if each update began anew
    });
    const throwing = (): CbcHandle => {
      throw new Error("no such cipher");
    };
    expect(agreesWithFreshCipher(persistentCbc)).to.equal(true);
    expect(agreesWithFreshCipher(freshCbc)).to.equal(true);
    expect(agreesWithFreshCipher(forgetful)).to.equal(false);
    expect(agreesWithFreshCipher(throwing)).to.equal(false);
    expect(cbcHandle(newKey(), false).decrypt(Buffer.alloc(32))).to.have.length(32);
  });

  it("gives the same CBC-MAC kept and fresh (property)", () => {
    const key = newKey();
    const kept = chainedCbcMac(key, true);
    const fresh = chainedCbcMac(key, false);
    fc.assert(
      fc.property(blocks, (message) => {
        const cipher = createCipheriv("aes-256-cbc", key, Buffer.alloc(16)).setAutoPadding(false);
        const expected = cipher.update(message).subarray(-16);
        expect(fresh(Buffer.from(message))).to.deep.equal(expected);
        expect(kept(Buffer.from(message))).to.deep.equal(expected);
      }),
    );
  });
});

describe("kept cipher objects under load", () => {
  it("carry values of 0 bytes to 1 MiB, keys interleaved", () => {
    const columns = Array.from({ length: 8 }, () => textColumn(newKeyring()));
    const lengths = [0, 1, 15, 16, 17, 1000, 1024, 1025, 21_800, 65_535, 65_536, 2 ** 20];
    const stored = lengths.map((length, i) => columns[i % 8]!.seal("x".repeat(length)));
    lengths.forEach((length, i) => {
      const cipher = columns[i % 8]!;
      expect(() => columns[(i + 1) % 8]!.open(stored[i]!)).to.throw();
      expect(cipher.open(stored[i]!)).to.have.length(length);
    });
    const one = columns[0]!;
    const many = one.sealMany(lengths.map((length) => "y".repeat(length)));
    expect(one.openMany(many).map((text) => text?.length)).to.deep.equal(lengths);
  });

  it("work in several threads at once, each with its own", async function () {
    this.timeout(60_000);
    const script = new URL("cbc-handle-worker.ts", import.meta.url);
    const results = await Promise.all(
      [1, 2, 3].map(
        (seed) =>
          new Promise((resolve, reject) => {
            const worker = new Worker(script, { workerData: seed });
            worker.on("message", resolve);
            worker.on("error", reject);
          }),
      ),
    );
    expect(results).to.deep.equal([20_000, 20_000, 20_000]);
  });

  it("take a million values without growth of the heap", async function () {
    this.timeout(120_000);
    const script = fileURLToPath(new URL("cbc-handle-heap.ts", import.meta.url));
    const { NODE_V8_COVERAGE: _, ...env } = process.env; // its counters would be measured too
    const flags = ["--expose-gc", "--conditions=@fieldseal/source"];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, script], { env });
    // A single Buffer kept per value would be a hundred times this.
    expect(Number(stdout)).to.be.lessThan(4 * 2 ** 20);
  });
});
