import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { generateRootKey, KeyError, Keyring } from "../src/index.ts";
import { columnKeyBytes } from "../src/column-keys.ts";
import { Key } from "../src/key.ts";
import { newKeyring, textColumn, thrownBy } from "./columns.ts";

describe("a keyring", () => {
  it("takes hex, base64, base64url and bytes of one key as the same key", () => {
    const bytes = Buffer.from(`fb${randomBytes(31).toString("hex")}`, "hex");
    const forms = [
      bytes,
      new Uint8Array(bytes),
      bytes.toString("hex"),
      bytes.toString("hex").toUpperCase(),
      bytes.toString("base64"),
      bytes.toString("base64url"),
      ` ${bytes.toString("base64")}\n`,
    ];
    const ids = forms.map((form) => Keyring.fromKey(form).primary.id);
    expect(new Set(ids)).to.have.property("size", 1);
    expect(ids[0]).to.match(/^[0-9a-f]{8}$/);
  });

  it("leaves the caller's bytes alone", () => {
    const bytes = randomBytes(32);
    const copy = Buffer.from(bytes);
    Keyring.fromKey(bytes);
    expect(bytes).to.deep.equal(copy);
  });

  it("puts the primary first, and previous keys behind it as decrypt-only", () => {
    const ring = Keyring.fromKey(generateRootKey(), {
      previous: [generateRootKey(), generateRootKey()],
    });
    expect(ring.keys.map((key) => key.status)).to.deep.equal([
      "primary",
      "decrypt-only",
      "decrypt-only",
    ]);
    expect(ring.primary).to.equal(ring.keys[0]);
    expect(ring.get(ring.primary.id)).to.equal(ring.primary);
    expect(ring.find(ring.primary.idNumber)).to.equal(ring.primary);
    expect(ring.get("no id")).to.equal(undefined);
    expect(ring.get("00000000")).to.equal(undefined);
  });

  it("refuses one key twice, and any number of primaries but one", () => {
    const key = generateRootKey();
    const twice = thrownBy(() => Keyring.fromKey(key, { previous: [key] }));
    expect(twice)
      .to.be.instanceOf(KeyError)
      .and.include({ code: "ERR_KEY_DUPLICATE", keyId: Keyring.fromKey(key).primary.id });
    const [one, two] = [newKeyring().primary, newKeyring().primary];
    for (const keys of [[], [one, two], [one.withStatus("enabled")]]) {
      expect(thrownBy(() => new Keyring(keys))).to.include({ code: "ERR_KEY_STATUS" });
    }
  });

  it("is not changed by a change, which gives a new one", () => {
    const first = newKeyring();
    const second = first.add(generateRootKey());
    const added = second.keys[1]!;
    expect(first.keys).to.have.length(1);
    expect(added).to.include({ status: "enabled" });
    expect(added.createdAt).to.be.instanceOf(Date);
    const third = second.promote(added.id);
    expect(second.primary.id).to.equal(first.primary.id);
    expect(third.primary.id).to.equal(added.id);
    expect(third.get(first.primary.id)).to.include({ status: "decrypt-only" });
    expect(Object.isFrozen(third.keys)).to.equal(true);
  });

  it("promotes the primary to itself, and adds a key as primary at once", () => {
    const first = newKeyring();
    expect(first.promote(first.primary.id).primary.id).to.equal(first.primary.id);
    const second = first.add(generateRootKey(), "primary");
    expect(second.keys.map((key) => key.status)).to.deep.equal(["primary", "decrypt-only"]);
    expect(second.keys[1]?.id).to.equal(first.primary.id);
  });

  it("refuses changes that make no sense, naming the key", () => {
    const ring = Keyring.fromKey(generateRootKey(), { previous: [generateRootKey()] });
    const [primary, old] = ring.keys.map((key) => key.id) as [string, string];
    const destroyed = ring.setStatus(old, "destroyed");
    const cases: [() => unknown, string][] = [
      [() => ring.promote(old), "ERR_KEY_STATUS"],
      [() => ring.promote("ffffffff"), "ERR_KEY_UNKNOWN"],
      [() => ring.setStatus(primary, "disabled"), "ERR_KEY_STATUS"],
      [() => ring.setStatus("ffffffff", "disabled"), "ERR_KEY_UNKNOWN"],
      [() => destroyed.setStatus(old, "enabled"), "ERR_KEY_STATUS"],
      [() => ring.remove(primary), "ERR_KEY_STATUS"],
      [() => ring.remove("ffffffff"), "ERR_KEY_UNKNOWN"],
    ];
    for (const [change, code] of cases) {
      const error = thrownBy(change);
      expect(error).to.be.instanceOf(KeyError).and.include({ code, retryable: false });
    }
    expect(ring.remove(old).keys).to.have.length(1);
    expect(destroyed.get(old)).to.include({ status: "destroyed" });
  });

  it("counts as live the keys that decrypt", () => {
    let ring = newKeyring()
      .add(generateRootKey())
      .add(generateRootKey())
      .add(generateRootKey(), "decrypt-only");
    ring = ring.setStatus(ring.keys[1]!.id, "disabled").setStatus(ring.keys[2]!.id, "destroyed");
    expect(ring.live.map((key) => key.status)).to.deep.equal(["primary", "decrypt-only"]);
  });

  it("lets a disabled key open again once it is enabled, and a destroyed one never", () => {
    const old = newKeyring();
    const stored = textColumn(old).seal("x");
    const ring = old.add(generateRootKey(), "primary");
    const off = ring.setStatus(old.primary.id, "disabled");
    expect(() => textColumn(off).open(stored)).to.throw(KeyError, "disabled");
    expect(textColumn(off.setStatus(old.primary.id, "decrypt-only")).open(stored)).to.equal("x");
    const gone = ring.setStatus(old.primary.id, "destroyed");
    expect(() => textColumn(gone).open(stored)).to.throw(KeyError, "destroyed");
  });

  it("derives unrelated keys for every suite, table, column and root key", () => {
    const rings = [newKeyring(), newKeyring()];
    const contexts = [
      { table: "a", column: "b" },
      { table: "a", column: "c" },
      { table: "b", column: "b" },
      { table: "", column: "" },
    ];
    const derived = rings.flatMap((ring) =>
      contexts.flatMap((context) =>
        (["A256CBC-HS256", "A256CBC-HS512", "A256GCM", "A256SIV"] as const).map((suite) =>
          columnKeyBytes(suite, ring.primary, context).toString("hex", 0, 32),
        ),
      ),
    );
    expect(new Set(derived)).to.have.property("size", derived.length);
  });

  it("keeps no bytes in a key made as destroyed", () => {
    const key = new Key(1, "destroyed", undefined, undefined);
    expect(key.id).to.equal("00000001");
    expect(key.withStatus("primary").status).to.equal("primary");
    expect(thrownBy(() => columnKeyBytes("A256GCM", key, { table: "a", column: "b" }))).to.include({
      code: "ERR_KEY_DESTROYED",
    });
  });
});

describe("two keyrings in one process", () => {
  it("do not mix", () => {
    const [one, two] = [newKeyring(), newKeyring()];
    const [first, second] = [textColumn(one), textColumn(two)];
    const stored = [first.seal("one"), second.seal("two")] as const;
    expect([first.open(stored[0]), second.open(stored[1])]).to.deep.equal(["one", "two"]);
    expect(() => first.open(stored[1])).to.throw(KeyError);
    expect(() => second.open(stored[0])).to.throw(KeyError);
  });

  it("take over from one another live, through a function", () => {
    let current = newKeyring();
    const cipher = textColumn(() => current);
    const old = cipher.seal("x") as string;
    current = current.add(generateRootKey(), "primary");
    expect(cipher.open(old)).to.equal("x");
    expect((cipher.seal("x") as string).slice(0, 12)).to.not.equal(old.slice(0, 12));
  });
});
