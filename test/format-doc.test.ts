import { createHash, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { KeyError, Keyring } from "@fieldseal/crypto";
import {
  referenceEnvelope,
  referenceKeyId,
  referenceToken,
} from "../packages/crypto/test/reference-implementation.ts";

const page = readFileSync(new URL("../docs/reference/format.md", import.meta.url), "utf8");
const rootKey = createHash("sha256").update("fieldseal documentation key").digest();

/** The hex of a row of the worked example, without its spaces. */
function row(step: string): string {
  const found = page.split("\n").find((line) => line.startsWith(`| ${step} |`));
  return /`([^`]+)`/.exec(found ?? "")?.[1]?.replaceAll(" ", "") ?? "";
}

describe("the worked example of docs/reference/format.md", () => {
  const iv = Buffer.from(row("IV"), "hex");
  const value = {
    rootKey,
    content: 1,
    table: "users",
    column: "email",
    plaintext: Buffer.from("ada@example.org"),
  } as const;
  const envelope = referenceEnvelope({ ...value, suite: 1, nonce: iv });

  it("derives the keys that the page prints", () => {
    const context = row("column context of users.email");
    const info = Buffer.from(row("info"), "hex");
    expect(row("root key")).to.equal(rootKey.toString("hex"));
    expect(row("key id")).to.equal(referenceKeyId(rootKey).toString("hex"));
    expect(info.toString("latin1")).to.equal(
      `fieldseal/v1/encrypt\x01${Buffer.from(context, "hex").toString("latin1")}`,
    );
    const keys = Buffer.from(hkdfSync("sha256", rootKey, Buffer.alloc(0), info, 64)).toString(
      "hex",
    );
    expect(row("MAC key") + row("AES key")).to.equal(keys);
  });

  it("gives the envelope that the page prints, part by part", () => {
    const parts = ["header: suite 1, text", "IV", 'ciphertext of "ada@example.org"', "tag"].map(
      row,
    );
    expect(parts.join("")).to.equal(envelope.toString("hex"));
    const deterministic = referenceEnvelope({ ...value, suite: 4, nonce: Buffer.alloc(0) });
    const names = { table: "users", column: "email", index: "email_index" };
    const stored = [envelope, deterministic].map((bytes) => bytes.toString("base64"));
    expect(page).to.include(
      [...stored, referenceToken(rootKey, names, 32, value.plaintext)].join("\n"),
    );
  });

  it("uses a key that the library refuses", () => {
    expect(() => Keyring.fromKey(rootKey)).to.throw(KeyError, "printed in documentation");
  });
});
