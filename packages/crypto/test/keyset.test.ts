import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  generateRootKey,
  KeyError,
  Keyring,
  loadKeyring,
  wrapKeyset,
  wrappedKeysetSource,
  type KeysetJson,
  type KeyWrapper,
} from "../src/index.ts";
import { KEYSET_FORMAT, keyringFromKeyset, parseKeyset } from "../src/keyset.ts";
import { exportKeyset, exportRootKey } from "../src/unsafe.ts";
import { textColumn, thrownBy } from "./columns.ts";

/** A key management service in a few lines: wraps under a key that only it has, bound to the key id. */
function fakeKms(): KeyWrapper & { calls: number } {
  const master = randomBytes(32);
  const kms = {
    calls: 0,
    async wrap(rootKey: Uint8Array, { keyId }: { keyId: string }) {
      kms.calls++;
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", master, nonce).setAAD(Buffer.from(keyId));
      return Buffer.concat([nonce, cipher.update(rootKey), cipher.final(), cipher.getAuthTag()]);
    },
    async unwrap(wrapped: Uint8Array, { keyId }: { keyId: string }) {
      kms.calls++;
      const bytes = Buffer.from(wrapped);
      const decipher = createDecipheriv("aes-256-gcm", master, bytes.subarray(0, 12));
      decipher.setAAD(Buffer.from(keyId)).setAuthTag(bytes.subarray(-16));
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
    },
  };
  return kms;
}

function variedKeyring(): Keyring {
  const ring = Keyring.fromKey(generateRootKey())
    .add(generateRootKey())
    .add(generateRootKey(), "decrypt-only")
    .add(generateRootKey(), "disabled")
    .add(generateRootKey());
  return ring.setStatus(ring.keys[4]!.id, "destroyed");
}

const source = "keys.json";
const open = (keyset: KeysetJson): Keyring =>
  keyringFromKeyset(parseKeyset(JSON.stringify(keyset), source), source);

describe("a keyset", () => {
  it("gives back every key with its status and date", () => {
    const ring = variedKeyring();
    const loaded = open(exportKeyset(ring));
    expect(
      loaded.keys.map(({ id, status, createdAt }) => ({ id, status, createdAt })),
    ).to.deep.equal(ring.keys.map(({ id, status, createdAt }) => ({ id, status, createdAt })));
    expect(textColumn(loaded).open(textColumn(ring).seal("x"))).to.equal("x");
  });

  it("exports bytes only through ./unsafe, and none of a destroyed key", () => {
    const key = generateRootKey();
    const ring = Keyring.fromKey(key);
    expect(exportRootKey(ring, ring.primary.id)?.toString("hex")).to.equal(key);
    expect(exportRootKey(ring, "ffffffff")).to.equal(undefined);
    const varied = variedKeyring();
    expect(exportRootKey(varied, varied.keys[4]!.id)).to.equal(undefined);
    expect(exportKeyset(varied).keys[4]).to.have.all.keys("id", "status", "createdAt");
    expect(exportKeyset(varied).keys[3]).to.have.property("key"); // disabled keys can be enabled again
  });

  const good = exportKeyset(Keyring.fromKey(generateRootKey()));
  const entry = good.keys[0]!;
  const withEntry = (changes: object): string =>
    JSON.stringify({ format: KEYSET_FORMAT, keys: [{ ...entry, ...changes }] });
  const malformed: Record<string, [text: string, problem: string]> = {
    "no JSON": [`{"key": "${entry.key}", oops`, "not JSON"],
    null: ["null", '"format" must be'],
    "another format": [JSON.stringify({ ...good, format: "other/1" }), '"format" must be'],
    "keys that are no array": [
      JSON.stringify({ format: KEYSET_FORMAT, keys: {} }),
      '"keys" must be an array',
    ],
    "an entry that is null": [
      JSON.stringify({ format: KEYSET_FORMAT, keys: [null] }),
      "eight hex digits",
    ],
    "an id in capitals": [withEntry({ id: "ABCDEF01" }), "eight hex digits"],
    "an unknown status": [withEntry({ status: "active" }), '"status" must be one of'],
    "a date that is none": [withEntry({ createdAt: "yesterday" }), "ISO 8601"],
    "a date that is a number": [withEntry({ createdAt: 5 }), "ISO 8601"],
    "both forms of a key": [withEntry({ wrapped: "AAAA" }), 'one of "key" and "wrapped"'],
    "neither form of a key": [withEntry({ key: undefined }), 'one of "key" and "wrapped"'],
    "an empty key": [withEntry({ key: "" }), "as base64"],
    "an empty wrapped key": [withEntry({ key: undefined, wrapped: "" }), "as base64"],
    "a key that is a number": [withEntry({ key: 5 }), "as base64"],
    "a destroyed key with bytes": [withEntry({ status: "destroyed" }), "none when destroyed"],
  };
  for (const [name, [text, problem]] of Object.entries(malformed)) {
    it(`is refused with ${name}, without a word of its content`, () => {
      const error = thrownBy(() => parseKeyset(text, source));
      expect(error).to.be.instanceOf(KeyError).and.include({ code: "ERR_KEY_FORMAT" });
      expect(error.message).to.include(source).and.to.include(problem);
      expect(error.stack).to.not.include(entry.key);
    });
  }

  it("is refused when an id is not its key's", () => {
    const other = exportKeyset(Keyring.fromKey(generateRootKey())).keys[0]!;
    const mixed: KeysetJson = { format: KEYSET_FORMAT, keys: [{ ...entry, key: other.key! }] };
    expect(thrownBy(() => open(mixed))).to.include({ code: "ERR_KEY_FORMAT", keyId: entry.id });
  });

  it("is refused with a weak key, naming which", () => {
    const weak = {
      format: KEYSET_FORMAT,
      keys: [{ ...entry, key: Buffer.alloc(32).toString("base64") }],
    } as const;
    const error = thrownBy(() => open(weak));
    expect(error).to.include({ code: "ERR_KEY_WEAK" });
    expect(error.message).to.include(entry.id);
  });
});

describe("a wrapped keyset", () => {
  it("opens through the service that wrapped it, once per key", async () => {
    const kms = fakeKms();
    const ring = variedKeyring();
    const keyset = await wrapKeyset(ring, kms);
    expect(kms.calls).to.equal(4);
    const json = JSON.stringify(keyset);
    for (const { id } of ring.keys) {
      const bytes = exportRootKey(ring, id);
      if (bytes) expect(json).to.not.include(bytes.toString("base64").slice(0, 20));
    }
    const loaded = await loadKeyring(wrappedKeysetSource({ json, wrapper: kms }));
    expect(kms.calls).to.equal(8);
    expect(loaded.keys.map((key) => key.toJSON())).to.deep.equal(
      ring.keys.map((key) => key.toJSON()),
    );
    expect(textColumn(loaded).open(textColumn(ring).seal("x"))).to.equal("x");
  });

  it("may stand in a file that others can read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fieldseal-keys-"));
    const path = join(folder, "keyset.json");
    const kms = fakeKms();
    const ring = Keyring.fromKey(generateRootKey());
    writeFileSync(path, JSON.stringify(await wrapKeyset(ring, kms)), { mode: 0o644 });
    const loaded = await loadKeyring(wrappedKeysetSource({ path, wrapper: kms }));
    expect(loaded.primary.id).to.equal(ring.primary.id);
    rmSync(folder, { recursive: true });
    const missing = loadKeyring(wrappedKeysetSource({ path, wrapper: kms }));
    expect(await missing.catch((error: unknown) => error)).to.include({
      code: "ERR_CONFIG_KEY_FILE",
    });
  });

  it("gives a retryable error, and no keyring, when the service refuses", async () => {
    const keyset = await wrapKeyset(variedKeyring(), fakeKms());
    const stranger = wrappedKeysetSource({ json: JSON.stringify(keyset), wrapper: fakeKms() });
    const error = await loadKeyring(stranger).catch((thrown: unknown) => thrown);
    expect(error)
      .to.be.instanceOf(KeyError)
      .and.include({ code: "ERR_KEY_SOURCE", retryable: true });
    expect(keyset.keys.map(({ id }) => id)).to.include((error as KeyError).keyId);
    const broken: KeyWrapper = {
      wrap: async () => Promise.reject(new Error("secret")),
      unwrap: async () => Promise.reject(new Error("secret")),
    };
    const wrapping = await wrapKeyset(variedKeyring(), broken).catch((thrown: unknown) => thrown);
    expect(wrapping).to.include({ code: "ERR_KEY_SOURCE" });
    expect((wrapping as Error).message).to.not.include("secret");
  });

  it("loses no key to a wrapper that resolves without one", async () => {
    const kms = fakeKms();
    const ring = Keyring.fromKey(generateRootKey(), { previous: [generateRootKey()] });
    const json = JSON.stringify(await wrapKeyset(ring, kms));
    // What clients of a KMS answer may lack its plaintext; taken for a destroyed key, it would be saved as one.
    for (const nothing of [undefined, null, ""]) {
      const unwrap: KeyWrapper["unwrap"] = async (wrapped, info) =>
        info.keyId === ring.primary.id ? kms.unwrap(wrapped, info) : (nothing as never);
      const loading = loadKeyring(wrappedKeysetSource({ json, wrapper: { ...kms, unwrap } }));
      const error = await loading.catch((thrown: unknown) => thrown);
      expect(error).to.include({ code: "ERR_KEY_SOURCE", keyId: ring.keys[1]?.id });
    }
  });

  it("is told apart from one in the clear, both ways", async () => {
    const kms = fakeKms();
    const ring = variedKeyring();
    const wrapped = await wrapKeyset(ring, kms);
    expect(thrownBy(() => open(wrapped))).to.include({ code: "ERR_CONFIG_KEY_FILE" });
    const json = JSON.stringify(exportKeyset(ring));
    const plain = await loadKeyring(wrappedKeysetSource({ json, wrapper: kms })).catch(
      (e: unknown) => e,
    );
    expect(plain).to.include({ code: "ERR_KEY_FORMAT" });
  });
});
