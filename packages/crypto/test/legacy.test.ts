import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { expect } from "chai";
import {
  base64Codec,
  bytesCodec,
  ConfigError,
  DecryptError,
  jsonCodec,
  KeyError,
  Keyring,
  textCodec,
  type EncryptionOptions,
} from "../src/index.ts";
import { columnOf, newKeyring, textColumn, thrownBy } from "./columns.ts";

const rootKey = randomBytes(32);
const keyring = Keyring.fromKey(rootKey.toString("hex"));
const READ: EncryptionOptions = { legacy: "aes-256-cbc" };
const WRITE: EncryptionOptions = { legacy: "aes-256-cbc", suite: "aes-256-cbc" };

/** IV || ciphertext, by the openssl command. */
function opensslEncrypt(plaintext: Buffer): Buffer {
  const iv = randomBytes(16);
  return Buffer.concat([iv, openssl(["-e"], iv, plaintext)]);
}

function opensslDecrypt(ivThenCiphertext: Buffer): Buffer {
  return openssl(["-d"], ivThenCiphertext.subarray(0, 16), ivThenCiphertext.subarray(16));
}

function openssl(mode: readonly string[], iv: Buffer, input: Buffer): Buffer {
  const parameters = [
    "enc",
    "-aes-256-cbc",
    ...mode,
    "-K",
    rootKey.toString("hex"),
    "-iv",
    iv.toString("hex"),
  ];
  return execFileSync("openssl", parameters, { input, stdio: ["pipe", "pipe", "ignore"] });
}

describe("the legacy layout", () => {
  const text = "ada@example.org, naïve 🦭";
  const json = { label: "car", box: [1, 2.5, 3, 4] };
  const photo = randomBytes(1000);
  const base64 = photo.toString("base64");

  it("opens text, JSON, bytes and base64 written by openssl", () => {
    const toText = (plaintext: string): string =>
      opensslEncrypt(Buffer.from(plaintext)).toString("base64");
    expect(columnOf(textCodec, keyring, READ).open(toText(text))).to.equal(text);
    expect(columnOf(textCodec, keyring, READ).open(toText(""))).to.equal("");
    expect(columnOf(jsonCodec, keyring, READ).open(toText(JSON.stringify(json)))).to.deep.equal(
      json,
    );
    expect(columnOf(bytesCodec, keyring, READ).open(opensslEncrypt(photo))).to.deep.equal(photo);
    // The base64 text itself was encrypted.
    expect(columnOf(base64Codec, keyring, READ).open(toText(base64))).to.equal(base64);
  });

  it("is written so that openssl opens it, when a column asks for it", () => {
    const decrypt = (stored: unknown): string =>
      opensslDecrypt(Buffer.from(stored as string, "base64")).toString();
    expect(decrypt(columnOf(textCodec, keyring, WRITE).seal(text))).to.equal(text);
    expect(decrypt(columnOf(jsonCodec, keyring, WRITE).seal(json))).to.equal(JSON.stringify(json));
    expect(decrypt(columnOf(base64Codec, keyring, WRITE).seal(base64))).to.equal(base64);
    const bytes = columnOf(bytesCodec, keyring, WRITE).seal(photo) as Buffer;
    expect(opensslDecrypt(bytes)).to.deep.equal(photo);
    expect(bytes).to.have.length(16 + 1008);
  });

  it("is written and read for whole columns, nulls kept", () => {
    const cipher = textColumn(keyring, WRITE);
    const stored = cipher.sealMany([text, null, ""]);
    expect(stored[1]).to.equal(null);
    expect(cipher.openMany(stored)).to.deep.equal([text, null, ""]);
  });

  it("stands beside envelopes in one column while it migrates", () => {
    const migrating = textColumn(keyring, READ);
    const stored = [textColumn(keyring, WRITE).seal("old"), migrating.seal("new")];
    expect(migrating.openMany(stored)).to.deep.equal(["old", "new"]);
    expect(stored[1]).to.match(/^9V6h/);
  });

  it("is not read by a column that does not say so", () => {
    const stored = textColumn(keyring, WRITE).seal(text);
    expect(() => textColumn(keyring).open(stored)).to.throw(DecryptError);
    expect(() => textColumn(keyring, { plaintext: "reject" }).open(stored)).to.throw(DecryptError);
  });

  it("does not let a damaged envelope pass as a legacy value", () => {
    const migrating = textColumn(keyring, READ);
    const bytes = Buffer.from(migrating.seal(text) as string, "base64");
    for (let at = 9; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1;
      expect(() => migrating.open(damaged.toString("base64"))).to.throw(DecryptError);
    }
  });

  it("refuses impossible lengths, paddings and encodings", () => {
    const cipher = textColumn(keyring, READ);
    const whole = opensslEncrypt(Buffer.from([0xff, 0xfe])); // no UTF-8
    const refused = [
      whole.toString("base64"),
      whole.subarray(0, 16).toString("base64"),
      whole.subarray(0, 31).toString("base64"),
      "",
      "no base64 at all",
      opensslEncrypt(Buffer.from("x")).toString("base64url"),
    ];
    for (const stored of refused) expect(() => cipher.open(stored)).to.throw(DecryptError);
    const notJson = opensslEncrypt(Buffer.from("{not json")).toString("base64");
    expect(() => columnOf(jsonCodec, keyring, READ).open(notJson)).to.throw(DecryptError);
    const notBase64 = opensslEncrypt(Buffer.from("a=b")).toString("base64");
    expect(() => columnOf(base64Codec, keyring, READ).open(notBase64)).to.throw(DecryptError);
  });

  it("opens under the key that the column names, after a rotation", () => {
    const stored = opensslEncrypt(Buffer.from(text)).toString("base64");
    const rotated = Keyring.fromKey(randomBytes(32).toString("hex"), {
      previous: [rootKey.toString("hex")],
    });
    const legacy = { suite: "aes-256-cbc", keyId: keyring.primary.id } as const;
    expect(textColumn(rotated, { legacy }).open(stored)).to.equal(text);
    expect(textColumn(keyring, { legacy: { suite: "aes-256-cbc" } }).open(stored)).to.equal(text);
    const error = thrownBy(() => textColumn(newKeyring(), { legacy }).open(stored));
    expect(error).to.be.instanceOf(KeyError);
    expect(error).to.include({ code: "ERR_KEY_UNKNOWN", keyId: keyring.primary.id });
  });

  it("asks for the key's id where several could be meant: garbage may have a possible padding", () => {
    const stored = opensslEncrypt(Buffer.from(text)).toString("base64");
    let rotated = keyring.add(randomBytes(32).toString("hex"), "primary");
    const cipher = textColumn(() => rotated, READ);
    const error = thrownBy(() => cipher.open(stored));
    expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_OPTION" });
    expect(error.message).to.match(/^User\.email: .* has 2\. Name it: legacy: \{/);
    rotated = rotated.setStatus(keyring.primary.id, "disabled");
    expect(() => cipher.open(stored), "a disabled key could be enabled again").to.throw(
      ConfigError,
    );
    rotated = rotated.setStatus(keyring.primary.id, "destroyed");
    expect(() => cipher.open(stored)).to.throw(DecryptError);
  });

  it("is not written under a key that only decrypts", () => {
    const legacy = { suite: "aes-256-cbc", keyId: keyring.primary.id } as const;
    const rotated = keyring.add(randomBytes(32).toString("hex"), "primary");
    const cipher = textColumn(rotated, { legacy, suite: "aes-256-cbc" });
    const error = thrownBy(() => cipher.seal(text));
    expect(error).to.include({ code: "ERR_KEY_STATUS", keyId: keyring.primary.id });
    const enabled = rotated.setStatus(keyring.primary.id, "enabled");
    const stored = textColumn(enabled, { legacy, suite: "aes-256-cbc" }).seal(text);
    expect(opensslDecrypt(Buffer.from(stored as string, "base64")).toString()).to.equal(text);
  });

  it("is written only where it is also read", () => {
    expect(() => textColumn(keyring, { suite: "aes-256-cbc" })).to.throw(
      ConfigError,
      /needs legacy/,
    );
  });

  it("checks values as the other layouts do", () => {
    expect(() => columnOf(base64Codec, keyring, WRITE).seal("not base64")).to.throw(TypeError);
  });

  it("is stored as bytes where the column is binary", () => {
    const cipher = textColumn(keyring, { ...WRITE, storage: "binary" });
    const stored = cipher.seal(text);
    expect(opensslDecrypt(stored as Buffer).toString()).to.equal(text);
    expect(cipher.open(stored)).to.equal(text);
  });
});
