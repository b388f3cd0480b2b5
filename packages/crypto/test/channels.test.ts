import { expect } from "chai";
import { channels, configure, generateRootKey, textCodec } from "../src/index.ts";
import { countOperations } from "../src/testing.ts";
import { columnOf, newKeyring, textColumn } from "./columns.ts";

/** What all channels published while the action ran. */
function eventsOf(action: () => void): [string, unknown][] {
  const events: [string, unknown][] = [];
  const listeners = Object.entries(channels).map(([name, channel]) => {
    const listen = (event: unknown): void => void events.push([name, event]);
    channel.subscribe(listen);
    return () => void channel.unsubscribe(listen);
  });
  try {
    action();
  } finally {
    for (const stop of listeners) stop();
  }
  return events;
}

describe("the diagnostics channels", () => {
  const keyring = newKeyring();
  const keyId = keyring.primary.id;
  const place = { table: "users", column: "email" };

  it("count what is encrypted and decrypted, with column and key", () => {
    const cipher = textColumn(keyring);
    const events = eventsOf(() => {
      cipher.open(cipher.seal("x"));
      cipher.openMany(cipher.sealMany(["a", null, "b"]));
    });
    expect(events).to.deep.equal([
      ["encrypt", { ...place, keyId, count: 1 }],
      ["decrypt", { ...place, keyId, count: 1 }],
      ["encrypt", { ...place, keyId, count: 2 }],
      ["decrypt", { ...place, keyId, count: 2 }],
    ]);
  });

  it("count per key when a column holds values of several", () => {
    const ring = keyring.add(generateRootKey(), "primary");
    const stored = [
      textColumn(keyring).seal("a"),
      textColumn(ring).seal("b"),
      textColumn(keyring).seal("c"),
    ];
    expect(eventsOf(() => void textColumn(ring).openMany(stored))).to.have.deep.members([
      ["decrypt", { ...place, keyId, count: 2 }],
      ["decrypt", { ...place, keyId: ring.primary.id, count: 1 }],
    ]);
  });

  it("tell of failures, by code and key, never by value", () => {
    const foreign = newKeyring();
    const stored = textColumn(foreign).seal("x");
    const failing = [
      () => textColumn(keyring).open(stored),
      () => textColumn(keyring).openMany([stored]),
      () => textColumn(keyring).open("marker"),
    ];
    const events = eventsOf(() => {
      for (const action of failing) expect(action).to.throw();
    });
    const unknown = {
      operation: "decrypt",
      ...place,
      code: "ERR_KEY_UNKNOWN",
      keyId: foreign.primary.id,
    };
    expect(events).to.deep.equal([
      ["failure", unknown],
      ["failure", unknown],
      ["failure", { operation: "decrypt", ...place, code: "ERR_DECRYPT_FAILED", keyId: undefined }],
    ]);
    expect(JSON.stringify(events)).to.not.include("marker");
    const keyless = textColumn(() => {
      throw new Error("no keyring");
    });
    const encrypt = eventsOf(() => expect(() => keyless.seal("x")).to.throw());
    expect(encrypt).to.deep.equal([
      ["failure", { operation: "encrypt", ...place, code: undefined, keyId: undefined }],
    ]);
    const many = eventsOf(() => expect(() => keyless.sealMany(["x"])).to.throw());
    expect(many).to.deep.equal(encrypt);
  });

  it("tell of every read and write that is not protected", () => {
    const legacy = columnOf(textCodec, keyring, { legacy: "aes-256-cbc", suite: "aes-256-cbc" });
    const mixed = textColumn(keyring, { plaintext: "accept" });
    const events = eventsOf(() => {
      legacy.open(legacy.seal("x"));
      mixed.openMany(["plain", "plain too"]);
    });
    const reasons = events.map(([name, event]) => [name, (event as { reason: string }).reason]);
    expect(reasons).to.deep.equal([
      ["insecure", "legacy-stored"],
      ["insecure", "legacy-read"],
      ["insecure", "plaintext-read"],
      ["insecure", "plaintext-read"],
    ]);
  });

  it("tell which keys the process default has", () => {
    const events = eventsOf(() => configure({ keyring }));
    expect(events).to.deep.equal([
      ["key", { action: "configured", keys: [{ id: keyId, status: "primary" }] }],
    ]);
    expect(eventsOf(() => configure({ keyring: () => keyring }))).to.deep.equal([]);
    configure({ keyring: undefined });
  });
});

describe("countOperations", () => {
  it("counts what happens while an action runs, and stops with it", async () => {
    const cipher = textColumn(newKeyring());
    const { result, counts } = await countOperations(async () => {
      const stored = cipher.sealMany(["a", "b", "c"]);
      await Promise.resolve();
      return cipher.open(stored[1] as string);
    });
    cipher.seal("later");
    expect(result).to.equal("b");
    expect(counts).to.deep.equal({ encryptions: 3, decryptions: 1 });
  });

  it("stops counting when the action fails", async () => {
    const failure = await countOperations(() => {
      throw new Error("on purpose");
    }).catch((error: Error) => error.message);
    expect(failure).to.equal("on purpose");
    expect(channels.encrypt.hasSubscribers).to.equal(false);
  });
});
