import { readFileSync } from "node:fs";
import { expect } from "chai";
import {
  base64Codec,
  BlindIndex,
  bytesCodec,
  ColumnCipher,
  DecryptError,
  jsonCodec,
  Keyring,
  textCodec,
  textPrefix,
  type ValueCodec,
} from "../src/index.ts";
import { sealWithFixedNonce } from "../src/unsafe.ts";
import {
  makeKnownAnswers,
  type KnownAnswer,
  type KnownAnswers,
} from "./vectors/make-fieldseal-v1.ts";

const file = new URL("vectors/fieldseal-v1.json", import.meta.url);
const known = JSON.parse(readFileSync(file, "utf8")) as KnownAnswers;
const keyring = Keyring.fromKey(known.rootKeyHex);
const codecs: Record<KnownAnswer["content"], ValueCodec<unknown>> = {
  bytes: bytesCodec,
  text: textCodec,
  json: jsonCodec,
  base64: base64Codec,
};

function column(answer: Pick<KnownAnswer, "content" | "table" | "column">): ColumnCipher<unknown> {
  const { content, table, column: name } = answer;
  return new ColumnCipher({
    codec: codecs[content],
    label: "Known.answer",
    defaultContext: { table, column: name },
    defaultKeyring: keyring,
  });
}

/** The value that a plaintext stands for, computed without our codecs. */
function valueOf({ content, plaintextHex }: KnownAnswer): unknown {
  const plaintext = Buffer.from(plaintextHex, "hex");
  if (content === "bytes") return plaintext;
  if (content === "base64") return plaintext.toString("base64");
  return content === "json" ? JSON.parse(plaintext.toString()) : plaintext.toString();
}

describe("known answers of format version 1", () => {
  it("are what the second implementation still computes", () => {
    expect(makeKnownAnswers()).to.deep.equal(known);
    expect(known.answers).to.have.length(672);
  });

  it("name the key as the keyring does", () => {
    expect(keyring.primary.id).to.equal(known.keyId);
  });

  it("come out byte for byte with a fixed nonce", () => {
    for (const answer of known.answers) {
      const { suite, content, table, column: name, row, padTo } = answer;
      const envelope = sealWithFixedNonce(Buffer.from(answer.plaintextHex, "hex"), {
        keyring,
        suite,
        content,
        context: row === undefined ? { table, column: name } : { table, column: name, row },
        nonce: Buffer.from(answer.nonceHex, "hex"),
        ...(padTo ? { pad: padTo } : {}),
      });
      expect(envelope.toString("base64"), answer.name).to.equal(answer.envelope);
    }
  });

  it("cannot be made with a nonce of another length", () => {
    for (const suite of ["A256CBC-HS256", "A256CBC-HS512", "A256GCM"] as const) {
      const options = {
        keyring,
        suite,
        content: "text",
        context: "a.b",
        nonce: Buffer.alloc(8),
      } as const;
      expect(() => sealWithFixedNonce(Buffer.from("x"), options)).to.throw(RangeError, suite);
    }
  });

  it("open to their value, from text and from bytes", () => {
    for (const answer of known.answers) {
      const cipher = column(answer);
      const bytes = Buffer.from(answer.envelope, "base64");
      expect(cipher.open(answer.envelope, answer.row), answer.name).to.deep.equal(valueOf(answer));
      expect(cipher.open(bytes, answer.row), answer.name).to.deep.equal(valueOf(answer));
      expect(bytes.toString("base64"), "is untouched").to.equal(answer.envelope);
    }
  });

  it("open in one batch of mixed suites and paddings", () => {
    const groups = Map.groupBy(
      known.answers.filter((answer) => answer.row === undefined),
      ({ content, table, column: name }) => JSON.stringify([content, table, name]),
    );
    for (const answers of groups.values()) {
      const opened = column(answers[0]!).openMany(answers.map(({ envelope }) => envelope));
      expect(opened).to.deep.equal(answers.map(valueOf));
    }
  });

  it("are what deterministic columns store", () => {
    const answers = known.answers.filter(
      ({ suite, row }) => suite === "A256SIV" && row === undefined,
    );
    for (const answer of answers) {
      const { content, table, column: name, padTo } = answer;
      const cipher = new ColumnCipher({
        codec: codecs[content],
        label: "Known.answer",
        options: { deterministic: true, storage: "text", pad: padTo },
        defaultContext: { table, column: name },
        defaultKeyring: keyring,
      });
      const value = valueOf(answer);
      expect(cipher.seal(value), answer.name).to.equal(answer.envelope);
      expect(cipher.sealMany([value, value])[1]).to.equal(answer.envelope);
      expect(cipher.searchTerms(value)).to.deep.equal([answer.envelope]);
    }
  });

  it("begin with the prefix that SQL matches", () => {
    for (const { suite, content, padTo, envelope } of known.answers) {
      const header = { suite, content, keyId: keyring.primary.idNumber, isPadded: Boolean(padTo) };
      expect(envelope.slice(0, 12)).to.equal(textPrefix(header));
      expect(envelope.startsWith("9V6h")).to.equal(true);
    }
  });

  it("are refused where they say so, with one message", () => {
    expect(known.refusals).to.have.length(88);
    for (const refusal of known.refusals) {
      const cipher = column(refusal);
      for (const open of [
        () => cipher.open(refusal.envelope),
        () => cipher.openMany([refusal.envelope])[0],
        () => cipher.open(Buffer.from(refusal.envelope, "base64")),
      ].slice(0, isTextFault(refusal.reason) ? 2 : 3)) {
        expect(open, refusal.reason)
          .to.throw(DecryptError, /^Decryption failed: the stored value is not intact/)
          .with.property("code", "ERR_DECRYPT_FAILED");
      }
    }
  });

  it("cover blind index tokens of every length", () => {
    for (const { table, column: name, index, bits, text, token } of known.tokens) {
      const blindIndex = new BlindIndex(
        { column: index, bits },
        { table, column: name },
        "Known.token",
      );
      expect(blindIndex.token(text, keyring.primary), `${bits} bits`).to.equal(token);
    }
  });
});

/** Faults of the text form, which are none in the bytes behind it. */
function isTextFault(reason: string): boolean {
  return /base64|character/.test(reason);
}
