// Reads envelopes of one column, whatever key and suite their header names.
import { columnAead } from "./column-keys.ts";
import type { ValueCodec } from "./codecs/codec.ts";
import { encodeContext, type ColumnContext } from "./context.ts";
import {
  formatKeyId,
  HEADER_BYTES,
  isPossibleBodyLength,
  parseHeader,
  type EnvelopeHeader,
  type SuiteName,
} from "./envelope.ts";
import { BATCH_BYTES } from "./envelope-sealer.ts";
import { DecryptError, KeyError } from "./errors.ts";
import type { Keyring } from "./keyring.ts";
import { removePadding } from "./padding.ts";
import {
  asBuffer,
  decodeBase64Into,
  decodedBytes,
  decodeInto,
  type StoredInput,
} from "./stored-form.ts";
import type { Aead, BodyRange, PlaintextReader } from "./suites/aead.ts";
import { SMALL_BODY_BYTES, TAG_BYTES } from "./suites/hmac.ts";
import { workspace } from "./workspace.ts";

/** Texts that are opened together; of more, what is made of them leaves the processor's cache. Fewer gain nothing. */
const MAX_TEXTS = 256;
const MIN_TEXTS = 2;
/** Characters of an envelope whose body is short enough for {@link SMALL_BODY_BYTES}. */
const MAX_SHORT_TEXT = Math.floor((HEADER_BYTES + SMALL_BODY_BYTES + TAG_BYTES) / 3) * 4;

/** The value does not parse as an envelope: it is damaged, or something else. */
export const NOT_AN_ENVELOPE: unique symbol = Symbol("not an envelope");
const OTHER_CONTENT: unique symbol = Symbol("other content type");

/** Everything needed to open the envelopes that share one header. */
interface HeaderOpener<T> {
  readonly header: Buffer;
  /** Base64 of the header: every text that begins with it has this opener. */
  readonly headerText: string;
  readonly suite: SuiteName;
  readonly keyId: string;
  readonly aead: Aead;
  readonly associatedData: Buffer;
  readonly read: PlaintextReader<T | typeof OTHER_CONTENT | undefined>;
}

interface Group<T> {
  readonly opener: HeaderOpener<T>;
  readonly bodies: BodyRange[];
  readonly positions: number[];
}

export class EnvelopeOpener<T> {
  readonly #keyring: Keyring;
  readonly #context: ColumnContext;
  readonly #codec: ValueCodec<T>;
  readonly #contextBytes: Buffer;
  /** By the latin1 text of the header. */
  readonly #openers = new Map<string, HeaderOpener<T>>();
  #last: HeaderOpener<T> | undefined;

  constructor(keyring: Keyring, context: ColumnContext, codec: ValueCodec<T>) {
    this.#keyring = keyring;
    this.#context = context;
    this.#codec = codec;
    this.#contextBytes = encodeContext(context);
  }

  /** Id of the key of the value opened last; for events. */
  get lastKeyId(): string | undefined {
    return this.#last?.keyId;
  }

  /**
   * @throws {@link DecryptError} when the value is an envelope that does not open
   * @throws {@link KeyError} `ERR_KEY_UNKNOWN`, `ERR_KEY_DISABLED`, `ERR_KEY_DESTROYED`
   */
  open(stored: StoredInput, row?: string): T | typeof NOT_AN_ENVELOPE {
    let bytes: Buffer;
    let lengthBytes: number;
    if (typeof stored === "string") {
      bytes = workspace(decodedBytes(stored));
      lengthBytes = decodeBase64Into(bytes, 0, stored);
    } else {
      bytes = asBuffer(stored);
      lengthBytes = bytes.length;
    }
    const opener = this.#find(bytes, 0, lengthBytes);
    if (opener === undefined) return NOT_AN_ENVELOPE;
    const ad =
      row === undefined
        ? opener.associatedData
        : Buffer.concat([opener.header, encodeContext({ ...this.#context, row })]);
    const body = { start: HEADER_BYTES, lengthBytes: lengthBytes - HEADER_BYTES };
    return this.#settle(opener.aead.open(bytes, body, ad, opener.read), opener);
  }

  /**
   * {@link EnvelopeOpener.open} for many, with one cipher call per batch, key and suite. `take` receives the
   * result for each value that is not null; errors carry the position. Returns how many each key opened.
   */
  openMany(
    stored: readonly (StoredInput | null | undefined)[],
    take: (position: number, value: T | typeof NOT_AN_ENVELOPE) => void,
  ): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (let from = 0; from < stored.length;) {
      const textsEnd = this.#openTexts(stored, from, take, counts);
      if (textsEnd > from) {
        from = textsEnd;
        continue;
      }
      let bytes = 0;
      let to = from;
      do bytes += decodedBytes(stored[to++]);
      // Alone at first: once its header is known, the texts that follow take the shorter way.
      while (to < stored.length && this.#last && bytes + decodedBytes(stored[to]) <= BATCH_BYTES);
      const buffer = Buffer.allocUnsafeSlow(bytes); // not the workspace: `take` may open values one by one
      for (const group of this.#groupBatch(stored, { from, to }, buffer, take)) {
        this.#openGroup(group, buffer, take);
        const { keyId } = group.opener;
        counts.set(keyId, (counts.get(keyId) ?? 0) + group.positions.length);
      }
      from = to;
    }
    return counts;
  }

  /**
   * Opens the short texts from `from` on that begin with the header seen last; returns where they end, or `from`
   * when there is nothing to gain or one of them needs a closer look.
   */
  #openTexts(
    stored: readonly (StoredInput | null | undefined)[],
    from: number,
    take: (position: number, value: T) => void,
    counts: Map<string, number>,
  ): number {
    const opener = this.#last;
    if (opener?.aead.openTexts === undefined) return from;
    const texts: string[] = [];
    let to = from;
    for (; to < stored.length && texts.length < MAX_TEXTS; to++) {
      const value = stored[to];
      if (value === null || value === undefined) continue;
      const isOurs =
        typeof value === "string" &&
        value.length <= MAX_SHORT_TEXT &&
        value.startsWith(opener.headerText);
      if (!isOurs) break;
      texts.push(value);
    }
    if (texts.length < MIN_TEXTS) return from;
    const values = opener.aead.openTexts(texts, opener.associatedData, opener.read);
    if (values === undefined) return from;
    for (let position = from, i = 0; position < to; position++) {
      if (stored[position] === null || stored[position] === undefined) continue;
      take(position, this.#settle(values[i++], opener, position));
    }
    counts.set(opener.keyId, (counts.get(opener.keyId) ?? 0) + texts.length);
    return to;
  }

  /** Decodes a batch into the buffer and sorts its bodies by header. */
  #groupBatch(
    stored: readonly (StoredInput | null | undefined)[],
    range: { readonly from: number; readonly to: number },
    buffer: Buffer,
    take: (position: number, value: typeof NOT_AN_ENVELOPE) => void,
  ): Iterable<Group<T>> {
    const groups = new Map<HeaderOpener<T>, Group<T>>();
    let at = 0;
    for (let position = range.from; position < range.to; position++) {
      const value = stored[position];
      if (value === null || value === undefined) continue;
      const end = decodeInto(buffer, at, value);
      const opener = this.#find(buffer, at, end - at, position);
      if (opener === undefined) {
        take(position, NOT_AN_ENVELOPE);
        continue;
      }
      let group = groups.get(opener);
      if (group === undefined) groups.set(opener, (group = { opener, bodies: [], positions: [] }));
      group.bodies.push({ start: at + HEADER_BYTES, lengthBytes: end - at - HEADER_BYTES });
      group.positions.push(position);
      at = end;
    }
    return groups.values();
  }

  #openGroup(
    { opener, bodies, positions }: Group<T>,
    buffer: Buffer,
    take: (position: number, value: T) => void,
  ): void {
    const values = opener.aead.openMany(buffer, bodies, opener.associatedData, opener.read);
    for (let i = 0; i < values.length; i++) {
      const position = positions[i] as number;
      take(position, this.#settle(values[i], opener, position));
    }
  }

  #settle(
    value: T | typeof OTHER_CONTENT | undefined,
    opener: HeaderOpener<T>,
    position?: number,
  ): T {
    if (value !== undefined && value !== OTHER_CONTENT) return value;
    const location = { ...this.#context, keyId: opener.keyId, position };
    if (value === undefined) throw new DecryptError(location);
    const { table, column } = this.#context;
    throw new DecryptError(
      location,
      "ERR_DECRYPT_CONTENT",
      `${table}.${column} is declared as ${this.#codec.content}, but holds a value of another type. ` +
        "Declare the type that the values were written with, or migrate them.",
    );
  }

  /** Undefined when the bytes are no envelope. */
  #find(
    bytes: Buffer,
    start: number,
    lengthBytes: number,
    position?: number,
  ): HeaderOpener<T> | undefined {
    const last = this.#last;
    if (last !== undefined && isSameHeader(bytes, start, last.header)) {
      return isPossibleBodyLength(last.suite, lengthBytes - HEADER_BYTES) ? last : undefined;
    }
    const header = parseHeader(bytes, start, lengthBytes);
    if (header === undefined) return undefined;
    const headerBytes = bytes.subarray(start, start + HEADER_BYTES);
    const name = headerBytes.toString("latin1");
    let opener = this.#openers.get(name);
    if (opener === undefined) {
      opener = this.#create(header, Buffer.from(headerBytes), position);
      this.#openers.set(name, opener);
    }
    return (this.#last = opener);
  }

  #create(header: EnvelopeHeader, headerBytes: Buffer, position?: number): HeaderOpener<T> {
    const keyId = formatKeyId(header.keyId);
    const key = this.#keyring.find(header.keyId);
    const { table, column } = this.#context;
    if (key === undefined) {
      throw new KeyError(
        "ERR_KEY_UNKNOWN",
        `${table}.${column} holds values of key ${keyId}, which the keyring does not have. Add that key to ` +
          "ENCRYPTION_PREVIOUS_KEYS or to the keyset.",
        { keyId, table, column, position },
      );
    }
    try {
      return {
        header: headerBytes,
        headerText: headerBytes.toString("base64"),
        suite: header.suite,
        keyId,
        aead: columnAead(header.suite, key, this.#context),
        associatedData: Buffer.concat([headerBytes, this.#contextBytes]),
        read: this.#reader(header),
      };
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      const { code, message } = error;
      throw new KeyError(code, `${table}.${column}: ${message}`, {
        keyId,
        table,
        column,
        position,
      });
    }
  }

  #reader(header: EnvelopeHeader): PlaintextReader<T | typeof OTHER_CONTENT | undefined> {
    if (header.content !== this.#codec.content) return () => OTHER_CONTENT;
    const { read } = this.#codec;
    if (!header.isPadded) return read;
    return (buffer, start, end) => {
      const valueEnd = removePadding(buffer, start, end);
      return valueEnd < 0 ? undefined : read(buffer, start, valueEnd);
    };
  }
}

function isSameHeader(bytes: Buffer, start: number, header: Buffer): boolean {
  for (let i = 0; i < HEADER_BYTES; i++) if (bytes[start + i] !== header[i]) return false;
  return true;
}
