import { inspect } from "node:util";
import { expect } from "chai";
import fc from "fast-check";
import {
  base64Codec,
  bytesCodec,
  jsonCodec,
  SUITE_NAMES,
  ValueTypeError,
  type EncryptionOptions,
} from "../src/index.ts";
import { MAX_JSON_DEPTH } from "../src/codecs/json.ts";
import { columnOf, newKeyring, textColumn, thrownBy } from "./columns.ts";

const keyring = newKeyring();
const MARKER = "do-not-print-me-7f3a";

const variants: EncryptionOptions[] = SUITE_NAMES.flatMap((suite) =>
  [undefined, 32, "padme" as const].flatMap((pad) =>
    (["text", "binary"] as const).map((storage) => ({
      suite,
      deterministic: suite === "A256SIV",
      pad,
      storage,
    })),
  ),
);

/** The error, after a check that neither it nor its stack shows the marker. */
function refusal(action: () => unknown): Error & Record<string, unknown> {
  const error = thrownBy(action);
  expect(error).to.be.instanceOf(ValueTypeError).and.to.be.instanceOf(TypeError);
  for (const shown of [
    error.message,
    error.stack,
    inspect(error, { showHidden: true }),
    JSON.stringify(error),
  ]) {
    expect(shown).to.not.include(MARKER);
  }
  return error;
}

describe("text values", () => {
  it("come back equal: any Unicode, in every suite, padding and storage (property)", () => {
    for (const options of variants) {
      const cipher = textColumn(keyring, options);
      fc.assert(
        fc.property(fc.array(fc.string({ unit: "binary" })), (values) => {
          expect(values.map((value) => cipher.open(cipher.seal(value)))).to.deep.equal(values);
          expect(cipher.openMany(cipher.sealMany(values))).to.deep.equal(values);
        }),
        { numRuns: 30 },
      );
    }
  });

  it("keep what databases and decoders lose", () => {
    const cipher = textColumn(keyring);
    const values = [
      "",
      "\u0000",
      "a\u0000b",
      "\ufeffBOM",
      "\ufffd",
      "e\u0301",
      "🦭🏳️‍🌈",
      "\r\n",
      "9V6h",
      " ",
    ];
    for (const value of values) expect(cipher.open(cipher.seal(value))).to.equal(value);
  });

  it("are encrypted again when they look like an envelope", () => {
    const cipher = textColumn(keyring);
    const inner = cipher.seal("x") as string;
    const outer = cipher.seal(inner) as string;
    expect(outer).to.not.equal(inner);
    expect(cipher.open(outer)).to.equal(inner);
  });

  it("refuse lone surrogates and other types, without printing them", () => {
    const cipher = textColumn(keyring);
    const surrogate = refusal(() => cipher.seal(`${MARKER}\ud800`));
    expect(surrogate).to.include({ code: "ERR_VALUE_ENCODING" });
    expect(surrogate.message).to.include("User.email");
    const others: [unknown, string][] = [
      [5, "a number. Convert it, or use EncryptedJSONType"],
      [true, "a boolean. Convert it, or use EncryptedJSONType"],
      [new Date(), "a Date"],
      [[MARKER], "an array"],
      [{ MARKER }, "an object"],
      [null, "null"],
      [undefined, "undefined"],
      [Symbol(MARKER), "a symbol"],
    ];
    for (const [value, kind] of others) {
      const error = refusal(() => cipher.seal(value as string));
      expect(error.code).to.equal("ERR_VALUE_TYPE");
      expect(error.message).to.equal(`User.email takes a string, not ${kind}.`);
    }
  });
});

describe("binary values", () => {
  it("come back equal, as Buffers with memory of their own (property)", () => {
    for (const options of variants) {
      const cipher = columnOf(bytesCodec, keyring, options);
      fc.assert(
        fc.property(fc.array(fc.uint8Array()), (arrays) => {
          const values = arrays.map((array) => Buffer.from(array));
          const opened = [
            ...values.map((v) => cipher.open(cipher.seal(v))),
            ...cipher.openMany(cipher.sealMany(values)),
          ];
          expect(opened).to.deep.equal([...values, ...values]);
          for (const buffer of opened) expect(buffer?.buffer.byteLength).to.equal(buffer?.length);
        }),
        { numRuns: 30 },
      );
    }
  });

  it("take any Uint8Array, and leave it as it was", () => {
    const cipher = columnOf(bytesCodec, keyring);
    const value = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    expect([...cipher.open(cipher.seal(value as Buffer))]).to.deep.equal([2, 3]);
    expect([...value]).to.deep.equal([2, 3]);
  });

  it("are stored as bytes by default, and opened without a change to what is stored", () => {
    const cipher = columnOf(bytesCodec, keyring);
    const stored = cipher.seal(Buffer.from("x")) as Buffer;
    const copy = Buffer.from(stored);
    cipher.open(new Uint8Array(stored));
    expect(stored).to.be.instanceOf(Buffer).and.deep.equal(copy);
  });

  it("refuse strings and arrays", () => {
    const error = refusal(() => columnOf(bytesCodec, keyring).seal(MARKER as never));
    expect(error.message).to.equal("User.email takes a Buffer or Uint8Array, not a string.");
  });

  it("are equal by content", () => {
    expect(bytesCodec.isEqual(Buffer.from("a"), Buffer.from("a"))).to.equal(true);
    expect(bytesCodec.isEqual(Buffer.from("a"), Buffer.from("b"))).to.equal(false);
  });
});

describe("base64 values", () => {
  it("come back equal, encrypted as the bytes they stand for (property)", () => {
    const cipher = columnOf(base64Codec, keyring);
    fc.assert(
      fc.property(fc.uint8Array(), (array) => {
        const value = Buffer.from(array).toString("base64");
        expect(cipher.open(cipher.seal(value))).to.equal(value);
        expect(cipher.openMany(cipher.sealMany([value]))).to.deep.equal([value]);
      }),
    );
    const photo = Buffer.alloc(30_000).toString("base64");
    expect((cipher.seal(photo) as string).length).to.be.lessThan(photo.length * 1.01);
  });

  it("refuse what is not canonical", () => {
    for (const value of ["YQ", "YQ=", "YR==", "Y Q==", "YQ==\n", "_-8=", "*"]) {
      const error = refusal(() => columnOf(base64Codec, keyring).seal(value));
      expect(error.code).to.equal("ERR_VALUE_ENCODING");
    }
    expect(refusal(() => columnOf(base64Codec, keyring).seal(5 as never)).code).to.equal(
      "ERR_VALUE_TYPE",
    );
  });
});

describe("JSON values", () => {
  const cipher = columnOf(jsonCodec, keyring);

  it("come back equal (property)", () => {
    // JSON has one zero: -0 comes back as 0, as from every JSON column.
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const expected: unknown = JSON.parse(JSON.stringify(value));
        expect(cipher.open(cipher.seal(value))).to.deep.equal(expected);
        if (value !== null)
          expect(cipher.openMany(cipher.sealMany([value]))).to.deep.equal([expected]);
      }),
    );
  });

  it("keep every scalar, empty containers and strings that UTF-8 could not hold", () => {
    for (const value of [0, "", false, true, [], {}, "\ud800", { "": 0 }, [[[]]], 1e300, null]) {
      expect(cipher.open(cipher.seal(value))).to.deep.equal(value);
    }
  });

  it("leave out undefined properties, as JSON does", () => {
    expect(cipher.open(cipher.seal({ a: undefined, b: 1 }))).to.deep.equal({ b: 1 });
  });

  it("take plain objects of another realm and without a prototype", async () => {
    const { runInNewContext } = await import("node:vm");
    expect(cipher.open(cipher.seal(runInNewContext("({ a: [1] })")))).to.deep.equal({ a: [1] });
    expect(cipher.open(cipher.seal(Object.assign(Object.create(null), { a: 1 })))).to.deep.equal({
      a: 1,
    });
  });

  const cycle: Record<string, unknown> = { [MARKER.slice(0, 3)]: 1 };
  cycle.self = cycle;
  const refused: [string, unknown, string][] = [
    ["NaN", { box: [1, Number.NaN] }, "$.box[1] is NaN or infinite"],
    ["Infinity", Number.POSITIVE_INFINITY, "$ is NaN or infinite"],
    ["BigInt", { n: 1n }, "$.n is a value of type bigint"],
    ["undefined", undefined, "$ is a value of type undefined"],
    ["undefined in an array", [MARKER, undefined], "$[1] is a value of type undefined"],
    ["a hole in an array", Object.assign([], { 1: MARKER }), "$[0] is a value of type undefined"],
    ["a function", { f: () => MARKER }, "$.f is a value of type function"],
    ["a symbol", { s: Symbol(MARKER) }, "$.s is a value of type symbol"],
    ["a Date", { "taken at": new Date() }, '$["taken at"] has a toJSON method'],
    [
      "an array with a toJSON method",
      { a: Object.assign([], { toJSON: () => MARKER }) },
      "$.a has a toJSON method",
    ],
    ["a toJSON method", { a: { toJSON: () => MARKER } }, "$.a has a toJSON method"],
    ["a Map", { m: new Map([[MARKER, 1]]) }, "$.m is no plain object"],
    [
      "a class instance",
      [
        new (class Box {
          x = MARKER;
        })(),
      ],
      "$[0] is no plain object",
    ],
    ["a cycle", cycle, "or is a cycle"],
  ];
  for (const [name, value, problem] of refused) {
    it(`refuse ${name}, naming the path and never the value`, () => {
      const error = refusal(() => cipher.seal(value));
      expect(error).to.include({ code: "ERR_VALUE_ENCODING" });
      expect(error.message).to.include("User.email").and.to.include(problem);
    });
  }

  it("refuse nesting that parsers could not follow", () => {
    let deep: unknown = [];
    for (let i = 1; i < MAX_JSON_DEPTH; i++) deep = [deep];
    expect(cipher.open(cipher.seal(deep))).to.deep.equal(deep);
    const error = refusal(() => cipher.seal([deep]));
    expect(error.message).to.include("more than 1000 levels").and.to.have.length.lessThan(500);
  });

  it("are equal by content, whatever the order of keys", () => {
    expect(jsonCodec.isEqual({ a: 1, b: [2] }, { b: [2], a: 1 })).to.equal(true);
    expect(jsonCodec.isEqual({ a: 1 }, { a: 2 })).to.equal(false);
    expect(jsonCodec.isEqual({ a: undefined, b: -0 }, { b: 0 })).to.equal(true);
  });
});
