// What a condition on a searchable column compares with, once the value is known: stored forms under every live key.
import { UnsupportedQueryError, type Stored } from "@fieldseal/crypto";
import { sqlLiteral } from "./cell.ts";

const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/**
 * A value looked for in a deterministic column. It stands where MikroORM puts one parameter, but there may be several
 * stored forms while keys rotate; both versions write parameters into the SQL text, so it can write an expression.
 */
export class DeterministicTerm {
  readonly #stored: readonly Stored[];
  readonly #operator: string;

  constructor(stored: readonly Stored[], operator: string) {
    this.#stored = stored;
    this.#operator = operator;
  }

  /** The form under the primary key. */
  get stored(): Stored {
    return this.#stored[0] as Stored;
  }

  /** The same inside of a list, which MikroORM makes of a bare array after its values were converted. */
  inList(): DeterministicTerm {
    return new DeterministicTerm(this.#stored, "$in");
  }

  clone(): this {
    return this;
  }

  /** Part of the key of a cached result. */
  toJSON(): string[] {
    return this.#stored.map((one) => (typeof one === "string" ? one : one.toString("base64")));
  }

  [Symbol.toPrimitive](): string {
    return this.toSqlString();
  }

  toSqlString(): string {
    const literals = this.#stored.map(sqlLiteral).join(", ");
    if (this.#stored.length === 1 || this.#operator === "$in" || this.#operator === "$nin") {
      return literals;
    }
    const isBinary = typeof this.#stored[0] !== "string";
    const array = `array[${literals}]${isBinary ? "::bytea[]" : ""}`;
    return this.#operator === "$ne" ? `all (${array})` : `any (${array})`;
  }

  [inspect](): string {
    return "[encrypted]";
  }
}

/**
 * A token in a condition, with what it was made of: who writes to the database can give a row a token of a value that
 * it does not hold, so rows that come back are compared.
 */
export class IndexToken {
  readonly #token: string;
  readonly #form: string;
  readonly #property: string;

  constructor(token: string, form: string, property: string) {
    this.#token = token;
    this.#form = form;
    this.#property = property;
  }

  /** What the index makes of the value before it is hashed. */
  get form(): string {
    return this.#form;
  }

  /** Name of the property that is indexed, in its entity or embeddable. */
  get property(): string {
    return this.#property;
  }

  clone(): this {
    return this;
  }

  toJSON(): string {
    return this.#token;
  }

  toString(): string {
    return this.#token;
  }

  [Symbol.toPrimitive](hint: string): string {
    return hint === "string" ? this.#token : this.toSqlString();
  }

  /** Hex needs no escaping. */
  toSqlString(): string {
    return `'${this.#token}'`;
  }

  toPostgres(): string {
    return this.#token;
  }

  [inspect](): string {
    return this.#token;
  }
}

/**
 * A value looked for through a blind index. `search.ts` turns the condition around it into one on the companion
 * property; where it is still there when SQL is made, the query came by a way that does not, and is refused.
 */
export class IndexTerm {
  readonly #tokens: readonly IndexToken[];
  readonly #companion: string;
  readonly #label: string;

  constructor(tokens: readonly IndexToken[], companion: string, label: string) {
    this.#tokens = tokens;
    this.#companion = companion;
    this.#label = label;
  }

  get tokens(): readonly IndexToken[] {
    return this.#tokens;
  }

  /** Name of the property that holds the tokens. */
  get companion(): string {
    return this.#companion;
  }

  clone(): this {
    return this;
  }

  toJSON(): readonly IndexToken[] {
    return this.#tokens;
  }

  [Symbol.toPrimitive](): never {
    return this.toSqlString();
  }

  toSqlString(): never {
    throw new UnsupportedQueryError(
      `${this.#label} is encrypted, and this kind of query is not turned into one on its blind index. Use ` +
        `searchValues() and compare "${this.#companion}" with its result.`,
    );
  }

  toPostgres(): never {
    return this.toSqlString();
  }

  [inspect](): string {
    return "[encrypted]";
  }
}
