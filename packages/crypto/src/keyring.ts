// The set of root keys that a process encrypts and decrypts with. Immutable: a change gives a new keyring.
import { KeyError } from "./errors.ts";
import { keyFromBytes, type Key, type KeyStatus } from "./key.ts";
import { parseRootKey, type RootKeyInput } from "./root-key.ts";

const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** A keyring, or a function that gives the one in force: called at each use, so that it can be replaced live. */
export type KeyringInput = Keyring | (() => Keyring);

/**
 * The keys that a process has: one that encrypts, and those that it can still decrypt with. Printed and serialised it
 * shows ids and statuses only.
 */
export class Keyring {
  readonly primary: Key;
  /** All keys, destroyed ones too, primary first. */
  readonly keys: readonly Key[];
  readonly #byNumber: ReadonlyMap<number, Key>;

  /**
   * @throws {@link KeyError} `ERR_KEY_STATUS` unless exactly one key is primary; `ERR_KEY_DUPLICATE` when two
   * keys have one id (the same key twice, or a collision of the four bytes: one chance in 2^32 a pair).
   */
  constructor(keys: readonly Key[]) {
    const primaries = keys.filter((key) => key.status === "primary");
    if (primaries.length !== 1) {
      throw new KeyError(
        "ERR_KEY_STATUS",
        `A keyring needs exactly one primary key; this one has ${primaries.length}. Promote one key.`,
      );
    }
    const byNumber = new Map<number, Key>();
    for (const key of keys) {
      if (byNumber.has(key.idNumber)) {
        throw new KeyError(
          "ERR_KEY_DUPLICATE",
          `Two keys of the keyring have the id ${key.id}. Remove the copy; if they differ, make a new key.`,
          { keyId: key.id },
        );
      }
      byNumber.set(key.idNumber, key);
    }
    this.primary = primaries[0] as Key;
    this.keys = Object.freeze([this.primary, ...keys.filter((key) => key !== this.primary)]);
    this.#byNumber = byNumber;
  }

  /**
   * A keyring of one primary key and decrypt-only previous ones.
   *
   * @example
   * ```ts
   * const keyring = Keyring.fromKey(newKey, { previous: [oldKey] });
   * ```
   * @throws {@link KeyError} `ERR_KEY_FORMAT`, `ERR_KEY_WEAK`, `ERR_KEY_DUPLICATE`
   */
  static fromKey(
    primary: RootKeyInput,
    options: { readonly previous?: readonly RootKeyInput[] } = {},
  ): Keyring {
    const previous = (options.previous ?? []).map((input, i) =>
      keyFromBytes(parseRootKey(input, `previous[${i}]`), "decrypt-only"),
    );
    return new Keyring([
      keyFromBytes(parseRootKey(primary, "primary key"), "primary"),
      ...previous,
    ]);
  }

  /** The key with this id (eight hex digits), in any status. */
  get(id: string): Key | undefined {
    return /^[0-9a-f]{8}$/.test(id) ? this.#byNumber.get(Number.parseInt(id, 16)) : undefined;
  }

  /** The key that an envelope names, in any status. */
  find(idNumber: number): Key | undefined {
    return this.#byNumber.get(idNumber);
  }

  /** The keys that can decrypt, primary first: those under which stored values may be looked for. */
  get live(): readonly Key[] {
    return this.keys.filter((key) => key.status !== "disabled" && key.status !== "destroyed");
  }

  /** A new keyring with one key more. Defaults to `enabled`, so that every process knows it before it is used. */
  add(key: RootKeyInput, status: Exclude<KeyStatus, "destroyed"> = "enabled"): Keyring {
    const added = keyFromBytes(parseRootKey(key, "the added key"), status, new Date());
    if (status !== "primary") return new Keyring([...this.keys, added]);
    return new Keyring([...this.keys.map(demote), added]);
  }

  /**
   * A new keyring that encrypts with this key; the primary so far becomes decrypt-only.
   * @throws {@link KeyError} `ERR_KEY_UNKNOWN`; `ERR_KEY_STATUS` unless the key is `enabled`
   */
  promote(id: string): Keyring {
    const key = this.#require(id);
    if (key.status !== "enabled" && key.status !== "primary") {
      throw new KeyError(
        "ERR_KEY_STATUS",
        `Key ${id} is ${key.status}; only an enabled key can become primary. Enable it first.`,
        { keyId: id },
      );
    }
    return this.#replace(demote, id, "primary");
  }

  /**
   * A new keyring in which this key has another status. `destroyed` drops its bytes for good.
   * @throws {@link KeyError} `ERR_KEY_UNKNOWN`; `ERR_KEY_STATUS` for the primary and for a destroyed key
   */
  setStatus(id: string, status: Exclude<KeyStatus, "primary">): Keyring {
    const key = this.#require(id);
    if (key.status === "primary" || key.status === "destroyed") {
      const fix =
        key.status === "primary"
          ? "Promote another key first."
          : "Add the key again from a backup if there is one.";
      throw new KeyError("ERR_KEY_STATUS", `Key ${id} is ${key.status}. ${fix}`, { keyId: id });
    }
    return this.#replace((other) => other, id, status);
  }

  /**
   * A new keyring without this key: its id is forgotten too. Prefer `setStatus(id, "destroyed")`.
   * @throws {@link KeyError} `ERR_KEY_UNKNOWN`; `ERR_KEY_STATUS` for the primary
   */
  remove(id: string): Keyring {
    const key = this.#require(id);
    return new Keyring(this.keys.filter((other) => other !== key));
  }

  toJSON(): { readonly keys: readonly Key[] } {
    return { keys: this.keys };
  }

  [inspect](): string {
    return `[Keyring ${this.keys.map((key) => `${key.id} ${key.status}`).join(", ")}]`;
  }

  #require(id: string): Key {
    const key = this.get(id);
    if (key === undefined) {
      const there = this.keys.map((one) => `${one.id} (${one.status})`).join(", ");
      const message = `The keyring has no key ${id}. It has ${there}.`;
      throw new KeyError("ERR_KEY_UNKNOWN", message, { keyId: id });
    }
    return key;
  }

  #replace(others: (key: Key) => Key, id: string, status: KeyStatus): Keyring {
    return new Keyring(
      this.keys.map((key) => (key.id === id ? key.withStatus(status) : others(key))),
    );
  }
}

function demote(key: Key): Key {
  return key.status === "primary" ? key.withStatus("decrypt-only") : key;
}
