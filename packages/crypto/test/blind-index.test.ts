import { expect } from "chai";
import fc from "fast-check";
import {
  BlindIndex,
  bytesCodec,
  ConfigError,
  generateRootKey,
  jsonCodec,
  planBlindIndex,
  type BlindIndexOptions,
  type Normalizer,
} from "../src/index.ts";
import { resolveNormalizer } from "../src/normalize.ts";
import { columnOf, newKeyring, textColumn, thrownBy } from "./columns.ts";

const indexed = (options: Partial<BlindIndexOptions> = {}): { blindIndex: BlindIndexOptions } => ({
  blindIndex: { column: "email_index", ...options },
});

describe("a blind index", () => {
  const keyring = newKeyring();

  it("is exact from 128 bits on, and by default", () => {
    const isExact = (bits?: number): boolean | undefined =>
      textColumn(keyring, indexed(bits === undefined ? {} : { bits })).blindIndex?.isExact;
    expect([4, 127, 128, 256, undefined].map(isExact)).to.deep.equal([
      false,
      false,
      true,
      true,
      true,
    ]);
  });

  it("gives equal values equal tokens, and others other ones", () => {
    const cipher = textColumn(keyring, indexed());
    expect(cipher.indexToken("a"))
      .to.equal(cipher.indexToken("a"))
      .and.to.match(/^[0-9a-f]{64}$/);
    expect(cipher.indexToken("a")).to.not.equal(cipher.indexToken("b"));
    expect(cipher.blindIndex?.column).to.equal("email_index");
  });

  it("gives other tokens per key, table, column and index", () => {
    const context = { table: "t", column: "c" };
    const indexes = [
      new BlindIndex({ column: "i" }, context, "x"),
      new BlindIndex({ column: "j" }, context, "x"),
      new BlindIndex({ column: "i" }, { table: "t", column: "d" }, "x"),
      new BlindIndex({ column: "i" }, { table: "u", column: "c" }, "x"),
    ];
    const keys = [keyring.primary, newKeyring().primary];
    const tokens = indexes.flatMap((index) => keys.map((key) => index.token("a", key)));
    expect(new Set(tokens)).to.have.property("size", 8);
  });

  it("keeps its tokens when the column is renamed and the name is given", () => {
    const before = textColumn(keyring, indexed({ column: "email_bidx" }));
    const after = textColumn(keyring, indexed({ column: "email_index", name: "email_bidx" }));
    expect(after.indexToken("a")).to.equal(before.indexToken("a"));
  });

  it("cuts tokens to the bits that were asked for (property)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 256 }), fc.string(), (bits, text) => {
        const full = Buffer.from(textColumn(keyring, indexed()).indexToken(text), "hex");
        const cut = Buffer.from(textColumn(keyring, indexed({ bits })).indexToken(text), "hex");
        expect(cut).to.have.length(Math.ceil(bits / 8));
        const toBits = (buffer: Buffer): string =>
          [...buffer].map((b) => b.toString(2).padStart(8, "0")).join("");
        expect(toBits(cut).slice(0, bits)).to.equal(toBits(full).slice(0, bits));
        expect(toBits(cut).slice(bits)).to.match(/^0*$/);
      }),
    );
  });

  it("gives a token per live key, the primary's first, while keys rotate", () => {
    const old = newKeyring();
    let ring = old.add(generateRootKey(), "primary");
    const cipher = textColumn(() => ring, indexed());
    const tokens = cipher.indexTokens("a");
    expect(cipher.searchValues("a")).to.deep.equal(tokens);
    expect(tokens).to.have.length(2);
    expect(tokens[0]).to.equal(cipher.indexToken("a"));
    expect(tokens[1]).to.equal(textColumn(old, indexed()).indexToken("a"));
    ring = ring.setStatus(old.primary.id, "disabled");
    expect(cipher.indexTokens("a")).to.deep.equal([tokens[0]]);
  });

  it("indexes bytes and JSON too", () => {
    const bytes = columnOf(bytesCodec, keyring, indexed());
    expect(bytes.indexToken(Buffer.from("a"))).to.match(/^[0-9a-f]{64}$/);
    expect(bytes.indexMatches(Buffer.from("a"), Buffer.from("a"))).to.equal(true);
    const json = columnOf(jsonCodec, keyring, indexed());
    expect(json.indexToken(["a"])).to.equal(json.indexToken(["a"]));
  });

  it("tells true matches from values that only share a short token", () => {
    const cipher = textColumn(keyring, indexed({ bits: 4, normalize: "email" }));
    const wanted = cipher.indexToken("ada@example.org");
    const sharing = Array.from({ length: 500 }, (_, i) => `person${i}@example.org`).filter(
      (email) => cipher.indexToken(email) === wanted,
    );
    expect(sharing.length).to.be.greaterThan(5);
    for (const email of sharing)
      expect(cipher.indexMatches(email, "ada@example.org")).to.equal(false);
    expect(cipher.indexMatches(" ADA@example.org", "ada@example.org ")).to.equal(true);
  });

  it("gives the form that it compares: one for all values that count as the same", () => {
    const text = textColumn(keyring, indexed({ normalize: "email" }));
    expect(text.indexForm(" ADA@example.org")).to.equal("ada@example.org");
    const bytes = columnOf(bytesCodec, keyring, indexed());
    expect(bytes.indexForm(Buffer.from([0, 255]))).to.equal("\0\xff");
  });

  it("refuses options that make no sense", () => {
    const refused: Partial<Record<keyof BlindIndexOptions, unknown>>[] = [
      { bits: 3 },
      { bits: 257 },
      { bits: 8.5 },
      { column: "" },
      { column: 5 },
      { name: "" },
      { normalize: "lowercase" },
      { normalize: ["trim", "nonsense"] },
    ];
    for (const options of refused) {
      const error = thrownBy(() =>
        textColumn(keyring, indexed(options as Partial<BlindIndexOptions>)),
      );
      expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_OPTION" });
      expect(error.message).to.match(/^User\.email: blindIndex\./);
    }
  });

  it("is missed with an error where there is none", () => {
    const cipher = textColumn(keyring);
    for (const use of [
      () => cipher.indexToken("a"),
      () => cipher.indexTokens("a"),
      () => cipher.indexMatches("a", "a"),
    ]) {
      expect(thrownBy(use)).to.include({ code: "ERR_CONFIG_UNSUPPORTED" });
    }
  });

  it("does not take a value that the column would refuse", () => {
    expect(() => textColumn(keyring, indexed()).indexToken(5 as never)).to.throw(TypeError);
  });
});

describe("a normaliser", () => {
  const cases: [Normalizer, string, string][] = [
    ["exact", " A ", " A "],
    ["nfc", "e\u0301", "\u00e9"],
    ["case-insensitive", "STRASSE ﬁ", "strasse fi"],
    ["trim", " a b ", "a b"],
    ["whitespace", " a \t\n b ", "a b"],
    ["email", " Ada@Example.ORG\n", "ada@example.org"],
    ["digits", "(079) 123-４５", "07912345"],
    ["phone", " +41 79 123", "+4179123"],
    ["phone", "079 / 123", "079123"],
    ["phone", " ＋41 ٧٩", "+4179"],
    ["digits", "٠٧٩ १२३ 𝟗", "0791239"],
    ["digits", "n/a", "n/a"],
    ["digits", "", ""],
    ["phone", "+ unknown", "+ unknown"],
    ["email", "ﬁ@x", "ﬁ@x"],
    ["email", "ADE\u0300LE@x", "ad\u00e8le@x"],
    [(text) => text.slice(0, 2), "abc", "ab"],
    [["trim", "case-insensitive", (text) => `${text}!`], " A ", "a!"],
    [[], " A ", " A "],
  ];
  for (const [normalizer, text, expected] of cases) {
    it(`${typeof normalizer === "string" ? normalizer : "of one's own"} makes ${JSON.stringify(expected)} of ${JSON.stringify(text)}`, () => {
      expect(resolveNormalizer(normalizer, "x")(text)).to.equal(expected);
    });
  }

  it("reads the decimal digits of every script as Unicode defines them", () => {
    const digits = resolveNormalizer("digits", "x");
    const zero = /^\p{Nd}$/u;
    let runs = 0;
    for (let at = 0; at < 0x20000; at++) {
      if (!zero.test(String.fromCodePoint(at))) continue;
      const run = Array.from({ length: 10 }, (_, i) => String.fromCodePoint(at + i));
      expect(digits(run.join("")), `U+${at.toString(16)}`).to.equal("0123456789");
      at += 9;
      runs++;
    }
    expect(runs).to.be.greaterThan(60);
  });

  it("of one's own that returns no string is refused without showing what it returned", () => {
    const normalize = (() => 4111111111111111) as never;
    const error = thrownBy(() => textColumn(newKeyring(), indexed({ normalize })).indexToken("a"));
    expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_OPTION" });
    expect(error.message)
      .to.match(/^User\.email: .* type number/)
      .and.not.include("4111");
  });

  it("is not found on Object.prototype", () => {
    expect(() => resolveNormalizer("constructor" as never, "x")).to.throw(ConfigError);
  });
});

describe("planBlindIndex", () => {
  // The table that CipherSweet's rule gives.
  const ranges: [rows: number, min: number, max: number][] = [
    [1e4, 7, 12],
    [1e5, 9, 15],
    [1e6, 10, 18],
    [1e7, 12, 22],
    [1e8, 14, 25],
    [1e9, 15, 28],
  ];
  for (const [rows, minBits, maxBits] of ranges) {
    it(`gives ${minBits} to ${maxBits} bits for ${rows} rows`, () => {
      const plan = planBlindIndex({ rows });
      expect(plan).to.include({ minBits, maxBits, bits: maxBits });
      expect(plan.rowsPerToken).to.be.within(2, 4);
    });
  }

  it("plans for the distinct values of a column that repeats them", () => {
    const plan = planBlindIndex({ rows: 1e6, distinctValues: 1000 });
    expect(plan.maxBits).to.equal(8);
    expect(plan.rowsPerToken).to.equal(1e6 / 2 ** 8);
  });

  it("stays within 4 to 256 bits", () => {
    expect(planBlindIndex({ rows: 1 })).to.include({ minBits: 4, maxBits: 4, rowsPerToken: 1 });
    expect(planBlindIndex({ rows: 10, distinctValues: 1000 }).bits).to.equal(4);
  });

  it("refuses numbers that count nothing", () => {
    for (const population of [{ rows: 0 }, { rows: Number.NaN }, { rows: 5, distinctValues: 0 }]) {
      expect(() => planBlindIndex(population)).to.throw(RangeError);
    }
  });
});
