import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  channels,
  ConfigError,
  generateRootKey,
  KeyError,
  Keyring,
  keyringFromEnvironment,
  keyringFromKeysetFile,
  loadKeyring,
  type Environment,
  type KeyEvent,
} from "../src/index.ts";
import { exportKeyset } from "../src/unsafe.ts";
import { thrownBy } from "./columns.ts";

describe("keys from the environment", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "fieldseal-keys-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const file = (text: string, mode = 0o600): string => {
    const path = join(folder, "key");
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const refusal = (environment: Environment): Error & Record<string, unknown> =>
    thrownBy(() => keyringFromEnvironment(environment));

  it("are ENCRYPTION_KEY and, decrypt-only, ENCRYPTION_PREVIOUS_KEYS", () => {
    const [key, old, older] = [generateRootKey(), generateRootKey(), generateRootKey()];
    const ring = keyringFromEnvironment({
      ENCRYPTION_KEY: key,
      ENCRYPTION_PREVIOUS_KEYS: ` ${old} , ${older}`,
    });
    expect(ring.keys.map(({ status }) => status)).to.deep.equal([
      "primary",
      "decrypt-only",
      "decrypt-only",
    ]);
    expect(ring.primary.id).to.equal(Keyring.fromKey(key).primary.id);
  });

  it("say what to set when there are none, an empty variable being none", () => {
    for (const environment of [
      {},
      { ENCRYPTION_KEY: " " },
      { ENCRYPTION_PREVIOUS_KEYS: generateRootKey() },
    ]) {
      const error = refusal(environment);
      expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_NO_KEY" });
      expect(error.message).to.include("Set ENCRYPTION_KEY").and.to.include("keygen");
    }
  });

  it("name the variable, and the entry, that is wrong", () => {
    expect(refusal({ ENCRYPTION_KEY: "short" }).message).to.match(/^ENCRYPTION_KEY must/);
    const previous = refusal({
      ENCRYPTION_KEY: generateRootKey(),
      ENCRYPTION_PREVIOUS_KEYS: `${generateRootKey()},short`,
    });
    expect(previous).to.be.instanceOf(KeyError);
    expect(previous.message).to.match(/^ENCRYPTION_PREVIOUS_KEYS, entry 2, must/);
    expect(
      refusal({
        ENCRYPTION_KEY: generateRootKey(),
        ENCRYPTION_PREVIOUS_KEYS: `${generateRootKey()},`,
      }).message,
    ).to.include("entry 2");
  });

  it("come from a private file", () => {
    const key = generateRootKey();
    const ring = keyringFromEnvironment({
      ENCRYPTION_KEY_FILE: file(`${key}\n`),
      ENCRYPTION_PREVIOUS_KEYS: generateRootKey(),
    });
    expect(ring.primary.id).to.equal(Keyring.fromKey(key).primary.id);
    expect(ring.keys).to.have.length(2);
    expect(keyringFromEnvironment({ ENCRYPTION_KEY_FILE: file(key, 0o400) }).keys).to.have.length(
      1,
    );
  });

  it("come from a keyset file", () => {
    const ring = Keyring.fromKey(generateRootKey(), { previous: [generateRootKey()] });
    const path = file(JSON.stringify(exportKeyset(ring)));
    const loaded = keyringFromEnvironment({ ENCRYPTION_KEYSET_FILE: path });
    expect(loaded.keys.map((key) => key.toJSON())).to.deep.equal(
      ring.keys.map((key) => key.toJSON()),
    );
  });

  for (const mode of [0o644, 0o640, 0o660, 0o604, 0o601, 0o777]) {
    it(`are refused from a file of mode ${mode.toString(8)}`, () => {
      const path = file(generateRootKey(), mode);
      for (const environment of [{ ENCRYPTION_KEY_FILE: path }, { ENCRYPTION_KEYSET_FILE: path }]) {
        const error = refusal(environment);
        expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_KEY_FILE" });
        expect(error.message)
          .to.include(`0${mode.toString(8)}`)
          .and.to.include(`chmod 600 ${path}`);
      }
    });
  }

  it("are refused from a file that is missing, a folder, or no key", () => {
    const missing = refusal({ ENCRYPTION_KEY_FILE: join(folder, "none") });
    expect(missing).to.include({ code: "ERR_CONFIG_KEY_FILE" });
    expect(missing.message).to.include("ENOENT");
    chmodSync(folder, 0o700);
    expect(refusal({ ENCRYPTION_KEY_FILE: folder }).message).to.include("EISDIR");
    const path = file("nonsense-marker");
    const nonsense = refusal({ ENCRYPTION_KEY_FILE: path });
    expect(nonsense.message).to.include(path).and.to.not.include("nonsense-marker");
    expect(thrownBy(() => keyringFromKeysetFile(path))).to.include({ code: "ERR_KEY_FORMAT" });
  });

  const key = generateRootKey();
  const conflicts: Environment[] = [
    { ENCRYPTION_KEY: key, ENCRYPTION_KEY_FILE: "f" },
    { ENCRYPTION_KEY: key, ENCRYPTION_KEYSET_FILE: "f" },
    { ENCRYPTION_KEY_FILE: "f", ENCRYPTION_KEYSET_FILE: "f" },
    { ENCRYPTION_PREVIOUS_KEYS: key, ENCRYPTION_KEYSET_FILE: "f" },
  ];
  for (const environment of conflicts) {
    const names = Object.keys(environment);
    it(`are refused when both ${names.join(" and ")} are set`, () => {
      const error = refusal(environment);
      expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_KEY_CONFLICT" });
      for (const name of names) expect(error.message).to.include(name);
    });
  }
});

describe("a key source", () => {
  it("gives its keyring, and tells subscribers ids and statuses", async () => {
    const keyring = Keyring.fromKey(generateRootKey());
    const events: unknown[] = [];
    const listen = (event: unknown): void => void events.push(event);
    channels.key.subscribe(listen);
    expect(await loadKeyring({ name: "vault", load: async () => keyring })).to.equal(keyring);
    channels.key.unsubscribe(listen);
    const expected: KeyEvent = {
      action: "loaded",
      keys: [{ id: keyring.primary.id, status: "primary" }],
    };
    expect(events).to.deep.equal([expected]);
  });

  it("that is down gives a retryable error without its message", async () => {
    const failures = [new TypeError("secret request"), "secret text"];
    for (const failure of failures) {
      const load = async (): Promise<Keyring> => {
        throw failure;
      };
      const error = await loadKeyring({ name: "AWS KMS", load }).catch((thrown: unknown) => thrown);
      expect(error)
        .to.be.instanceOf(KeyError)
        .and.include({ code: "ERR_KEY_SOURCE", retryable: true });
      expect((error as Error).message)
        .to.include("AWS KMS")
        .and.to.not.include("secret");
      expect((error as Error).cause).to.equal(undefined);
    }
  });

  it("that gives nothing is refused: configure() would go back to the key of the environment", async () => {
    const load = async (): Promise<Keyring> => undefined as never;
    const error = await loadKeyring({ name: "vault", load }).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: "ERR_KEY_SOURCE" });
  });

  it("passes on its own coded errors", async () => {
    const coded = new ConfigError("ERR_CONFIG_NO_KEY", "none");
    const load = async (): Promise<Keyring> => {
      throw coded;
    };
    expect(await loadKeyring({ name: "x", load }).catch((thrown: unknown) => thrown)).to.equal(
      coded,
    );
  });
});
