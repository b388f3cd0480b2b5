// A column under one keyring: what its keys make, each made once. Another keyring gives another one of these.
import type { ValueCodec } from "./codecs/codec.ts";
import type { EncryptionOptions } from "./column-options.ts";
import type { ColumnContext } from "./context.ts";
import type { SuiteName } from "./envelope.ts";
import { EnvelopeOpener } from "./envelope-opener.ts";
import { EnvelopeSealer } from "./envelope-sealer.ts";
import type { Key } from "./key.ts";
import type { Keyring } from "./keyring.ts";
import { LegacyColumn, legacyKey } from "./legacy-column.ts";
import type { StorageForm } from "./stored-form.ts";

interface Column<T> {
  readonly label: string;
  readonly context: ColumnContext;
  readonly codec: ValueCodec<T>;
  readonly options: EncryptionOptions;
  readonly storage: StorageForm;
  readonly suite: SuiteName | "aes-256-cbc";
}

export class BoundColumn<T> {
  readonly keyring: Keyring;
  readonly opener: EnvelopeOpener<T>;
  readonly #column: Column<T>;
  readonly #sealers = new Map<Key, EnvelopeSealer>();
  #sealer: EnvelopeSealer | undefined;
  #legacy: LegacyColumn<T> | undefined;

  constructor(keyring: Keyring, column: Column<T>) {
    this.keyring = keyring;
    this.opener = new EnvelopeOpener(keyring, column.context, column.codec);
    this.#column = column;
  }

  /** Under the primary key. */
  get sealer(): EnvelopeSealer {
    return (this.#sealer ??= this.sealerFor(this.keyring.primary));
  }

  sealerFor(key: Key): EnvelopeSealer {
    let sealer = this.#sealers.get(key);
    if (sealer === undefined) {
      const { suite, context, codec, options, storage } = this.#column;
      sealer = new EnvelopeSealer({
        suite: suite as SuiteName,
        key,
        context,
        content: codec.content,
        pad: options.pad,
        storage,
      });
      this.#sealers.set(key, sealer);
    }
    return sealer;
  }

  get legacy(): LegacyColumn<T> {
    const { label, codec, options, storage } = this.#column;
    const { legacy = "aes-256-cbc" } = options;
    return (this.#legacy ??= new LegacyColumn(
      legacyKey(this.keyring, legacy, label),
      codec,
      storage,
    ));
  }
}
