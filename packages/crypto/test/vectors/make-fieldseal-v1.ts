// Made fieldseal-v1.json, once. The file is frozen: run this only to see that it would come out the same
// (known-answer.test.ts does), or for a new version of the format, into a new file.
import { createHash } from "node:crypto";
import { referenceEnvelope, referenceKeyId, referenceToken } from "../reference-implementation.ts";

export interface KnownAnswer {
  readonly name: string;
  readonly suite: "A256CBC-HS256" | "A256CBC-HS512" | "A256GCM" | "A256SIV";
  readonly content: "bytes" | "text" | "json" | "base64";
  readonly table: string;
  readonly column: string;
  readonly row?: string;
  readonly padTo?: number;
  readonly nonceHex: string;
  readonly plaintextHex: string;
  readonly envelope: string;
}

export interface KnownRefusal {
  readonly reason: string;
  readonly content: "text";
  readonly table: string;
  readonly column: string;
  readonly envelope: string;
}

export interface KnownToken {
  readonly table: string;
  readonly column: string;
  readonly index: string;
  readonly bits: number;
  readonly text: string;
  readonly token: string;
}

export interface KnownAnswers {
  readonly format: "fieldseal/v1";
  readonly rootKeyHex: string;
  readonly keyId: string;
  readonly answers: readonly KnownAnswer[];
  readonly refusals: readonly KnownRefusal[];
  readonly tokens: readonly KnownToken[];
}

const SUITES = ["A256CBC-HS256", "A256CBC-HS512", "A256GCM", "A256SIV"] as const;
const NONCE_BYTES = [16, 16, 12, 0] as const;
const CONTENTS = ["bytes", "text", "json", "base64"] as const;
const CONTEXTS = [
  { table: "users", column: "email" },
  { table: "annotation_examples", column: "bounding_boxes" },
  { table: "Straßen", column: "名前" },
  { table: "frames", column: "thumbnail", row: "42" },
] as const;
const PLAINTEXTS: Readonly<Record<(typeof CONTENTS)[number], readonly Buffer[]>> = {
  bytes: [0, 1, 15, 16, 17, 31, 32, 100].map((length) => stretch("bytes", length)),
  text: ["", "a", "ada@example.org", "sixteen letters!", "naïve 🦭\u0000end"].map((t) => Buffer.from(t)),
  json: ['{"label":"car","box":[1,2.5,3,4]}', "[]", "0", '""', "false"].map((t) => Buffer.from(t)),
  base64: [Buffer.alloc(0), Buffer.from("f55ea1", "hex"), stretch("base64", 48)],
};

export function makeKnownAnswers(): KnownAnswers {
  const rootKey = createHash("sha256").update("fieldseal known answers, version 1").digest();
  const answers = SUITES.flatMap((_, suite) =>
    CONTENTS.flatMap((_content, content) => answersOf(rootKey, suite, content)),
  );
  return {
    format: "fieldseal/v1",
    rootKeyHex: rootKey.toString("hex"),
    keyId: referenceKeyId(rootKey).toString("hex"),
    answers,
    refusals: refusals(rootKey),
    tokens: tokens(rootKey),
  };
}

function answersOf(rootKey: Buffer, suiteIndex: number, contentIndex: number): KnownAnswer[] {
  const suite = SUITES[suiteIndex]!;
  const content = CONTENTS[contentIndex]!;
  return CONTEXTS.flatMap((context) =>
    PLAINTEXTS[content].flatMap((plaintext) =>
      [undefined, 32].map((padTo) => {
        const name = [suite, content, Object.values(context).join("."), plaintext.length, padTo ?? "unpadded"].join(" ");
        const nonce = stretch(`nonce ${name}`, NONCE_BYTES[suiteIndex]!);
        const input = { rootKey, plaintext, nonce, padTo, ...context };
        const envelope = referenceEnvelope({
          ...input,
          suite: (suiteIndex + 1) as 1 | 2 | 3 | 4,
          content: contentIndex as 0 | 1 | 2 | 3,
        });
        return {
          name,
          suite,
          content,
          ...context,
          ...(padTo ? { padTo } : {}),
          nonceHex: nonce.toString("hex"),
          plaintextHex: plaintext.toString("hex"),
          envelope: envelope.toString("base64"),
        };
      }),
    ),
  );
}

function refusals(rootKey: Buffer): KnownRefusal[] {
  const context = { table: "users", column: "email" };
  return ([1, 2, 3, 4] as const).flatMap((suite) => {
    const nonce = stretch("refusal", NONCE_BYTES[suite - 1]!);
    const plaintext = Buffer.from("ada@example.org");
    const good = referenceEnvelope({ rootKey, suite, content: 1, nonce, plaintext, ...context });
    const other = { rootKey, suite, content: 1, nonce, plaintext } as const;
    const cases: [string, Buffer][] = [
      ["another table", referenceEnvelope({ ...other, table: "people", column: "email" })],
      ["another column", referenceEnvelope({ ...other, table: "users", column: "name" })],
      ["bound to a row", referenceEnvelope({ ...other, ...context, row: "1" })],
      ["first byte of the body changed", changed(good, 9, 0x01)],
      ["last byte of the tag or ciphertext changed", changed(good, good.length - 1, 0x80)],
      ["a bit of the magic changed", changed(good, 0, 0x01)],
      ["an unknown suite", changed(good, 3, 0x40)],
      ["the suite of another id", changed(good, 3, suite ^ (suite === 1 ? 2 : 1))],
      ["another content type", changed(good, 8, 0x03)],
      ["the padded flag set", changed(good, 8, 0x10)],
      ["a reserved bit set", changed(good, 8, 0x20)],
      ["an unknown content type", changed(good, 8, 0x05)],
      ["the last byte missing", good.subarray(0, -1)],
      ["the last block missing", good.subarray(0, -16)],
      ["a byte appended", Buffer.concat([good, Buffer.of(0)])],
      ["a block appended", Buffer.concat([good, Buffer.alloc(16)])],
      ["the header alone", good.subarray(0, 9)],
      ["nothing", Buffer.alloc(0)],
    ];
    const binary = cases.map(([reason, bytes]) => [reason, bytes.toString("base64")] as const);
    const text = good.toString("base64");
    const texts = [
      ["base64 in the URL alphabet", text.replaceAll("+", "-").replaceAll("/", "_").replace("9V6h", "9V6h-").slice(0, text.length)],
      ["a line break in the base64", `${text.slice(0, 76)}\n${text.slice(76)}`],
      ["a space behind the base64", `${text} `],
      ["a character missing", text.slice(0, -1)],
    ] as const;
    return [...binary, ...texts].map(([reason, envelope]) => ({
      reason: `${SUITES[suite - 1]}: ${reason}`,
      content: "text" as const,
      ...context,
      envelope,
    }));
  });
}

function tokens(rootKey: Buffer): KnownToken[] {
  return [4, 7, 8, 12, 16, 31, 32, 64, 255, 256].flatMap((bits) =>
    ["", "ada@example.org", "名前"].map((text) => {
      const names = { table: "users", column: "email", index: "email_index" };
      return { ...names, bits, text, token: referenceToken(rootKey, names, bits, Buffer.from(text)) };
    }),
  );
}

function changed(envelope: Buffer, at: number, mask: number): Buffer {
  const copy = Buffer.from(envelope);
  copy[at]! ^= mask;
  return copy;
}

/** Bytes that look random and are always the same. */
function stretch(seed: string, lengthBytes: number): Buffer {
  return createHash("shake256", { outputLength: Math.max(1, lengthBytes) })
    .update(seed)
    .digest()
    .subarray(0, lengthBytes);
}
