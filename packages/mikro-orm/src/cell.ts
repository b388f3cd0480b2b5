// The deferred cell: what MikroORM compares, keeps in snapshots and hands to the driver in place of a value. It is
// compared by its canonical plaintext and encrypted only when it becomes SQL, once.
//
// Why not ciphertext: MikroORM converts every managed entity at every flush, compares the result with the snapshot
// and writes the same result. With a random IV every row would differ at every flush, and be encrypted for it.
import type { Stored } from "@fieldseal/crypto";

const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** What a cell needs of its column. */
export interface CellType {
  /** Encrypts a canonical form. */
  sealCanonical(canonical: string): Stored;
  fromCanonical(canonical: string): unknown;
  readonly codec: { readonly content: string };
}

export class Cell {
  readonly #type: CellType;
  readonly #canonical: string;
  #stored: Stored | undefined;

  constructor(type: CellType, canonical: string) {
    this.#type = type;
    this.#canonical = canonical;
  }

  get type(): CellType {
    return this.#type;
  }

  /** The plaintext in a form that can be compared with `===`. */
  get canonical(): string {
    return this.#canonical;
  }

  /**
   * Whether it may stand for this value of this column once more, so that no new cell is made for it. Not when it is
   * encrypted: what is written is encrypted anew.
   */
  isFor(type: object, canonical: unknown): boolean {
    return this.#canonical === canonical && this.#type === type && this.#stored === undefined;
  }

  get isEncrypted(): boolean {
    return this.#stored !== undefined;
  }

  /** Keeps what a batch encrypted. */
  keep(stored: Stored): void {
    this.#stored = stored;
  }

  /** Encrypted at first use, so that a cell that was only compared costs nothing. */
  get stored(): Stored {
    return (this.#stored ??= this.#type.sealCanonical(this.#canonical));
  }

  /** MikroORM's deep copy rebuilds objects without their constructor, which would lose the private state. */
  clone(): this {
    return this;
  }

  /** Inside embeddables that are stored as JSON; also what a log that serialises a change set shows. */
  toJSON(): string {
    return storedText(this.stored);
  }

  toString(): string {
    return this.toJSON();
  }

  /** MikroORM 7 writes parameters into the SQL text by string concatenation: `hint` is then "default". */
  [Symbol.toPrimitive](hint: string): string {
    return hint === "string" ? this.toJSON() : sqlLiteral(this.stored);
  }

  /** The same for MikroORM 6, whose escaping asks for this method. */
  toSqlString(): string {
    return sqlLiteral(this.stored);
  }

  /** Where a query goes to `pg` with bound parameters (Kysely). */
  toPostgres(): Stored {
    return this.stored;
  }

  [inspect](): string {
    return "[encrypted]";
  }
}

/**
 * A cell inside an embeddable. MikroORM compares embeddables stored as JSON by their own enumerable properties, so
 * the value must be one, or changes would be missed.
 */
export class EmbeddedCell extends Cell {
  declare readonly plain: unknown;

  constructor(type: CellType, canonical: string) {
    super(type, canonical);
    if (type.codec.content !== "json") {
      this.plain = canonical;
      return;
    }
    // The order of keys does not count. Parsed when it is compared, as it is not in an inline embeddable.
    const get = (): unknown => type.fromCanonical(canonical);
    Object.defineProperty(this, "plain", { enumerable: true, get });
  }
}

function storedText(stored: Stored): string {
  return typeof stored === "string" ? stored : stored.toString("base64");
}

/** Base64 and hex need no escaping, so the literal is made here and by nobody else. */
export function sqlLiteral(stored: Stored): string {
  return typeof stored === "string" ? `'${stored}'` : `'\\x${stored.toString("hex")}'`;
}
