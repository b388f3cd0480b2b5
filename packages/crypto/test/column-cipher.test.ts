import { expect } from "chai";
import {
  bytesCodec,
  ConfigError,
  DecryptError,
  generateRootKey,
  jsonCodec,
  KeyError,
  Keyring,
  SUITE_NAMES,
  ValueRangeError,
  type InsecureEvent,
} from "../src/index.ts";
import { channels } from "../src/channels.ts";
import { MAX_PLAINTEXT_BYTES } from "../src/envelope-sealer.ts";
import { columnOf, newKeyring, textColumn, thrownBy } from "./columns.ts";

describe("sealing and opening a whole column", () => {
  it("keeps order, nulls and every length, past the size of a batch", () => {
    const cipher = textColumn(newKeyring());
    const values = Array.from({ length: 5000 }, (_, i) =>
      i % 5 === 0 ? (i % 2 === 0 ? null : undefined) : "x".repeat((i * 7919) % 700),
    );
    values[17] = "y".repeat(300_000);
    const expected = values.map((value) => value ?? null);
    expect(cipher.openMany(cipher.sealMany(values))).to.deep.equal(expected);
    expect(cipher.sealMany(values).map((v) => (v === null ? null : cipher.open(v)))).to.deep.equal(
      expected,
    );
  });

  it("gives another envelope to equal values", () => {
    const stored = textColumn(newKeyring()).sealMany(["x", "x", "x"]);
    expect(new Set(stored)).to.have.property("size", 3);
  });

  it("opens values of different keys, suites, paddings and forms in one call", () => {
    const old = newKeyring();
    const ring = old.add(generateRootKey(), "primary");
    const columns = [old, ring].flatMap((keyring) =>
      SUITE_NAMES.flatMap((suite) =>
        [undefined, 32].map((pad) =>
          textColumn(keyring, { suite, deterministic: suite === "A256SIV", pad }),
        ),
      ),
    );
    const texts = columns.map((cipher, i) => cipher.seal(`value ${i}`) as string);
    const stored = texts.flatMap((text) => [text, Buffer.from(text, "base64"), null]);
    const expected = columns.flatMap((_, i) => [`value ${i}`, `value ${i}`, null]);
    expect(textColumn(ring).openMany(stored)).to.deep.equal(expected);
  });

  it("does nothing for no values, even without a key", () => {
    const cipher = textColumn(() => {
      throw new ConfigError("ERR_CONFIG_NO_KEY", "none");
    });
    expect(cipher.sealMany([])).to.deep.equal([]);
    expect(cipher.sealMany([null, undefined])).to.deep.equal([null, null]);
    expect(cipher.openMany([null, undefined])).to.deep.equal([null, null]);
    expect(() => cipher.seal("x")).to.throw(ConfigError);
    expect(() => cipher.sealMany(["x"])).to.throw(ConfigError);
    expect(() => cipher.open("x")).to.throw(ConfigError);
    expect(() => cipher.openMany(["x"])).to.throw(ConfigError);
  });

  it("names the position of a value that does not open, in any batch", () => {
    const cipher = textColumn(newKeyring());
    for (const position of [0, 1, 999, 3999]) {
      const stored = cipher.sealMany(Array.from({ length: 4000 }, () => "x".repeat(200)));
      stored[position] = textColumn(newKeyring(), {}).seal("x");
      expect(thrownBy(() => cipher.openMany(stored)))
        .to.be.instanceOf(KeyError)
        .and.include({ position });
      stored[position] = "neither";
      expect(thrownBy(() => cipher.openMany(stored)))
        .to.be.instanceOf(DecryptError)
        .and.include({ position });
    }
  });
});

describe("a value that is too large", () => {
  it("is refused before anything is encrypted", () => {
    const cipher = columnOf(bytesCodec, newKeyring());
    const huge = Object.create(Uint8Array.prototype, {
      length: { value: MAX_PLAINTEXT_BYTES + 1 },
    }) as Buffer;
    const error = thrownBy(() => cipher.seal(huge));
    expect(error).to.be.instanceOf(ValueRangeError).and.be.instanceOf(RangeError);
    expect(error).to.include({ code: "ERR_VALUE_TOO_LARGE" });
    expect(error.message).to.include("users.email").and.to.include("@fieldseal/storage");
  });
});

describe("a value of another type than declared", () => {
  it("is refused with a word of what is wrong, once it is authentic", () => {
    const keyring = newKeyring();
    const stored = columnOf(jsonCodec, keyring).seal({ a: 1 });
    const error = thrownBy(() => textColumn(keyring).open(stored));
    expect(error).to.be.instanceOf(DecryptError).and.include({ code: "ERR_DECRYPT_CONTENT" });
    expect(error.message).to.include("users.email is declared as text");
    const damaged = Buffer.from(stored as string, "base64");
    damaged[40]! ^= 1;
    expect(thrownBy(() => textColumn(keyring).open(damaged))).to.include({
      code: "ERR_DECRYPT_FAILED",
    });
  });
});

describe('plaintext: "accept"', () => {
  const keyring = newKeyring();
  const cipher = textColumn(keyring, { plaintext: "accept" });

  it("reads what is no envelope as it is, and encrypts every write", () => {
    for (const value of ["ada@example.org", "", "9V6h", "9V6hAQ==", "naïve 🦭"]) {
      expect(cipher.open(value)).to.equal(value);
      expect(cipher.open(Buffer.from(value))).to.equal(value);
      expect(cipher.seal(value)).to.match(/^9V6h.{20}/);
    }
    expect(cipher.openMany(["plain", cipher.seal("sealed"), null])).to.deep.equal([
      "plain",
      "sealed",
      null,
    ]);
  });

  it("never passes an envelope through: a missing key or damage stays an error", () => {
    const foreign = textColumn(newKeyring()).seal("x");
    expect(thrownBy(() => cipher.open(foreign))).to.include({ code: "ERR_KEY_UNKNOWN" });
    const damaged = Buffer.from(cipher.seal("x") as string, "base64");
    damaged[20]! ^= 1;
    expect(thrownBy(() => cipher.open(damaged.toString("base64")))).to.include({
      code: "ERR_DECRYPT_FAILED",
    });
    expect(() => cipher.openMany([damaged])).to.throw(DecryptError);
  });

  it("reads JSON, bytes and refuses plaintext of another type", () => {
    const json = columnOf(jsonCodec, keyring, { plaintext: "accept" });
    expect(json.open('{"a":[1]}')).to.deep.equal({ a: [1] });
    expect(() => json.open("{oops")).to.throw(DecryptError);
    const bytes = columnOf(bytesCodec, keyring, { plaintext: "accept" });
    expect(bytes.open(Buffer.from([0xff, 0])).toString("hex")).to.equal("ff00");
    expect(() => cipher.open(Buffer.from([0xff, 0]))).to.throw(DecryptError);
  });

  it("is needed: without it plaintext is an error", () => {
    expect(() => textColumn(keyring).open("ada@example.org")).to.throw(DecryptError);
  });
});

describe('onEncryptFailure: "insecure-store-plaintext"', () => {
  const keyless = (): never => {
    throw new ConfigError("ERR_CONFIG_NO_KEY", "none");
  };
  const options = { plaintext: "accept", onEncryptFailure: "insecure-store-plaintext" } as const;

  function insecureEvents(action: () => void): InsecureEvent[] {
    const events: InsecureEvent[] = [];
    const listen = (event: unknown): void => void events.push(event as InsecureEvent);
    channels.insecure.subscribe(listen);
    action();
    channels.insecure.unsubscribe(listen);
    return events;
  }

  it("stores plaintext without a key, says so each time, and reads it back", () => {
    const cipher = textColumn(keyless, options);
    let stored: unknown[] = [];
    const events = insecureEvents(() => {
      stored = [cipher.seal("ada"), ...cipher.sealMany(["bob", null])];
    });
    expect(stored).to.deep.equal(["ada", "bob", null]);
    const event = { table: "users", column: "email", reason: "plaintext-stored", count: 1 };
    expect(events).to.deep.equal([event, event]);
    expect(textColumn(newKeyring(), options).open("ada")).to.equal("ada");
  });

  it("stores bytes and JSON as the plain column would", () => {
    expect(columnOf(jsonCodec, keyless, options).seal({ a: 1 })).to.equal('{"a":1}');
    expect(columnOf(bytesCodec, keyless, options).seal(Buffer.from("x"))).to.deep.equal(
      Buffer.from("x"),
    );
    expect(textColumn(keyless, { ...options, storage: "binary" }).seal("x")).to.deep.equal(
      Buffer.from("x"),
    );
  });

  it("encrypts while there is a key, in whole columns too", () => {
    const cipher = textColumn(newKeyring(), options);
    expect(insecureEvents(() => void cipher.seal("ada"))).to.deep.equal([]);
    expect(cipher.openMany(cipher.sealMany(["a", "b"]))).to.deep.equal(["a", "b"]);
  });

  it("does not store what would be read back as an envelope, nor a wrong type", () => {
    const envelope = textColumn(newKeyring()).seal("x") as string;
    expect(thrownBy(() => textColumn(keyless, options).seal(envelope))).to.include({
      code: "ERR_VALUE_ENCODING",
    });
    expect(() => textColumn(keyless, options).seal(5 as never)).to.throw(TypeError);
  });

  it("is off by default", () => {
    expect(() => textColumn(keyless).seal("x")).to.throw(ConfigError);
    expect(() => textColumn(keyless, { plaintext: "accept" }).seal("x")).to.throw(ConfigError);
  });
});

describe("a deterministic column", () => {
  const options = { deterministic: true } as const;

  it("stores equal values equal, and finds them under every live key", () => {
    const old = newKeyring();
    const ring = old.add(generateRootKey(), "primary");
    const [before, after] = [textColumn(old, options), textColumn(ring, options)];
    expect(before.seal("ada")).to.equal(before.seal("ada")).and.not.equal(before.seal("bob"));
    expect(after.searchTerms("ada")).to.deep.equal([after.seal("ada"), before.seal("ada")]);
    expect(after.searchValues("ada")).to.deep.equal(after.searchTerms("ada"));
    expect(
      textColumn(ring.setStatus(old.primary.id, "disabled"), options).searchTerms("ada"),
    ).to.have.length(1);
  });

  it("stores other bytes in another column, table and under another key", () => {
    const ring = newKeyring();
    const stored = ["users.email", "users.name", "people.email"].map((context) =>
      textColumn(ring, { ...options, context }).seal("ada"),
    );
    expect(new Set([...stored, textColumn(newKeyring(), options).seal("ada")])).to.have.property(
      "size",
      4,
    );
  });

  it("can be joined with those that store the same bytes for a value, whatever the keyring is given as", () => {
    const ring = newKeyring();
    const cipher = textColumn(ring, options);
    const current = (): Keyring => ring;
    expect(cipher.isJoinableWith(textColumn(ring.add(generateRootKey()), options))).to.equal(true);
    expect(textColumn(current, options).isJoinableWith(textColumn(current, options))).to.equal(
      true,
    );
    const others = [
      textColumn(ring),
      textColumn(newKeyring(), options),
      textColumn(current, options),
      textColumn(ring, { ...options, pad: 64 }),
      textColumn(ring, { ...options, storage: "binary" }),
      textColumn(ring, { ...options, context: "people.email" }),
      columnOf(jsonCodec, ring, options),
    ];
    for (const other of others) expect(cipher.isJoinableWith(other as never)).to.equal(false);
  });

  it("alone can be looked up", () => {
    const error = thrownBy(() => textColumn(newKeyring()).searchTerms("ada"));
    expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_UNSUPPORTED" });
    expect(error.message).to.include("User.email");
  });
});

describe("a column without a keyring of its own", () => {
  it("uses the one that options name before the adapter's", () => {
    const [own, adapters] = [newKeyring(), newKeyring()];
    const cipher = textColumn(adapters, { keyring: own });
    expect(textColumn(own).open(cipher.seal("x"))).to.equal("x");
    expect(Keyring.fromKey(generateRootKey()).keys).to.have.length(1);
  });
});

describe("reading a stored plaintext for a migration", () => {
  it("gives the value, whatever the column accepts otherwise", () => {
    expect(textColumn(newKeyring()).readPlaintext("ada")).to.equal("ada");
    expect(columnOf(jsonCodec, newKeyring()).readPlaintext('{"a":1}')).to.deep.equal({ a: 1 });
  });

  it("refuses what is no value of the column's type, and does not show it", () => {
    const error = thrownBy(() => columnOf(jsonCodec, newKeyring()).readPlaintext("{secret"));
    expect(error).to.be.instanceOf(DecryptError).and.include({ code: "ERR_DECRYPT_CONTENT" });
    expect(error.message).to.include("User.email").and.to.not.include("secret");
  });
});
