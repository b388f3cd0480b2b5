import { readFileSync } from "node:fs";
import { expect } from "chai";
import { fromBase64, parseEnvelope, toHex } from "../src/data/envelope.ts";

interface KnownAnswer {
  readonly name: string;
  readonly suite: string;
  readonly nonceHex?: string;
  readonly envelope: string;
}

// The format's frozen known answers, so that the panel names the parts as the library writes them.
const known = JSON.parse(
  readFileSync(
    new URL("../../../../packages/crypto/test/vectors/fieldseal-v1.json", import.meta.url),
    "utf8",
  ),
) as { readonly keyId: string; readonly answers: readonly KnownAnswer[] };

function parse(text: string): ReturnType<typeof parseEnvelope> {
  const bytes = fromBase64(text);
  return bytes && parseEnvelope(bytes);
}

describe("parts of an envelope", () => {
  it("takes every frozen known answer apart, without a byte left over", () => {
    expect(new Set(known.answers.map(({ suite }) => suite)).size).to.equal(4);
    for (const answer of known.answers) {
      const envelope = parse(answer.envelope);
      expect(envelope?.suite, answer.name).to.equal(answer.suite);
      expect(envelope?.keyId).to.equal(known.keyId);
      const hex = envelope?.parts.map(({ bytes }) => toHex(bytes)).join("");
      expect(hex).to.equal(Buffer.from(answer.envelope, "base64").toString("hex"));
      const iv = envelope?.parts.find(({ name }) => name === "iv");
      if (answer.nonceHex !== undefined && iv) expect(toHex(iv.bytes)).to.equal(answer.nonceHex);
    }
  });

  it("says at which byte each part begins", () => {
    const envelope = parse(known.answers[0]?.envelope ?? "");
    let next = 0;
    for (const part of envelope?.parts ?? []) {
      expect(part.offset).to.equal(next);
      next += part.bytes.length;
    }
    expect(next).to.equal(envelope?.lengthBytes);
  });

  it("recognises what is no envelope", () => {
    expect(parse("person")).to.equal(null);
    expect(parse("")).to.equal(null);
    expect(parse("not base64!")).to.equal(null);
    expect(parse(Buffer.alloc(80, 0xf5).toString("base64"))).to.equal(null);
    const truncated = Buffer.from(known.answers[0]?.envelope ?? "", "base64").subarray(0, 40);
    expect(parseEnvelope(truncated)).to.equal(null);
    const unknownSuite = Buffer.from(known.answers[0]?.envelope ?? "", "base64");
    unknownSuite[3] = 99;
    expect(parseEnvelope(unknownSuite)).to.equal(null);
  });
});
