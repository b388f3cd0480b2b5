// What the four types have in common: conversion between values, deferred cells and what the database holds.
import {
  DecryptError,
  type EncryptionOptions,
  type Stored,
  type StoredInput,
  type ValueCodec,
} from "@fieldseal/crypto";
import { Type } from "@mikro-orm/core";
import { withRowOf } from "./bad-rows.ts";
import { bind, bindingOf, cipherOf, unsupportedQuery } from "./binding.ts";
import { companionOf } from "./companion.ts";
import { driverOf } from "./driver-internals.ts";
import { installOnDriver } from "./driver-hooks.ts";
import { isRawSql, type ConversionContext, type Property } from "./mikro-orm-internals.ts";
import { indexTokens } from "./found-rows.ts";
import { DeterministicTerm, IndexTerm } from "./search-term.ts";
import { EmbeddedCell, Cell } from "./cell.ts";

const EQUALITY: ReadonlySet<string> = new Set(["$eq", "$ne", "$in", "$nin"]);

/** Base of the encrypted types. Not for subclassing outside of this package. */
export abstract class EncryptedColumnType<T> extends Type<T, string> {
  /**
   * Options and codec, behind a function: MikroORM copies type instances property by property without running the
   * constructor, which keeps functions and loses private state.
   */
  readonly settings: () => {
    readonly codec: ValueCodec<T>;
    readonly options: EncryptionOptions;
  };

  isEmbedded = false;

  constructor(codec: ValueCodec<T>, options: EncryptionOptions = {}) {
    super();
    this.settings = () => ({ codec, options });
    // The base class declares a field, which would hide the accessor below.
    delete (this as { prop?: unknown }).prop;
  }

  get codec(): ValueCodec<T> {
    return this.settings().codec;
  }

  get options(): EncryptionOptions {
    return this.settings().options;
  }

  /** Whether values are strings, and their own canonical form. */
  get isCanonical(): boolean {
    return false;
  }

  /**
   * A type of the same options that serves no property yet; one that serves none is such a type itself. MikroORM
   * merges properties of several embeddables only where their type is the same object.
   */
  clone(): this {
    if (bindingOf(this) === undefined) return this;
    const copy = Object.create(Object.getPrototypeOf(this) as object) as this;
    (copy as { settings: unknown }).settings = this.settings;
    copy.isEmbedded = false;
    return copy;
  }

  sealCanonical(canonical: string): Stored {
    return cipherOf<T>(this).seal(this.fromCanonical(canonical));
  }

  /** A comparable, reversible form: text and JSON text as they are, bytes one character each. */
  toCanonical(value: T): string {
    const label = bindingOf(this)?.label ?? this.constructor.name;
    const encoded = this.codec.encode(value, label);
    return typeof encoded === "string" ? encoded : latin1(encoded);
  }

  abstract fromCanonical(canonical: string): T;

  /** Also given cells, `null` and `raw(...)`; the parameter's type is what MikroORM infers the property's from. */
  override convertToDatabaseValue(
    value: T,
    _platform?: unknown,
    context: ConversionContext = {},
  ): string {
    // First, and short: at every flush each value of each managed entity comes here.
    if (context.mode === "serialization" && typeof value === "string") {
      return this.cell(this.toCanonical(value)) as never;
    }
    if (value === null || value === undefined || isRawSql(value)) return value as never;
    if (value instanceof DeterministicTerm || value instanceof IndexTerm) return value as never;
    if (context.mode === "query") return searchTerm(this, value, context.key) as never;
    if (value instanceof Cell) return value as never;
    return this.cell(this.toCanonical(value)) as never;
  }

  override convertToJSValue(value: unknown): T {
    if (value === null || value === undefined) return value as never;
    if (value instanceof Cell) return this.fromCanonical(value.canonical);
    try {
      return cipherOf<T>(this).open(storedInput(this, value));
    } catch (error) {
      throw withRowOf(error, this, value);
    }
  }

  /** Both sides may be cells, or what the database returned; anything else is compared by identity. */
  override compareValues(a: unknown, b: unknown): boolean {
    if (a instanceof Cell && b instanceof Cell) {
      return a.canonical === b.canonical || this.areEqual(a.canonical, b.canonical);
    }
    if (a === b) return true;
    const first = canonicalOf(this, a);
    const second = canonicalOf(this, b);
    if (first === undefined || second === undefined) return false;
    return first === second || this.areEqual(first, second);
  }

  /** Beyond equality of the canonical forms; overridden for JSON, where the order of keys does not count. */
  protected areEqual(_first: string, _second: string): boolean {
    return false;
  }

  /** A cell of this column. */
  cell(canonical: string): Cell {
    return this.isEmbedded ? new EmbeddedCell(this, canonical) : new Cell(this, canonical);
  }

  /** MikroORM compares snapshots of what the database returned: with this they hold cells, and compare cheaply. */
  override ensureComparable(): boolean {
    return true;
  }

  /** Not "any": its deep comparison and cloning would take cells apart. */
  override compareAsType(): string {
    return "string";
  }

  override getColumnType(): string {
    return (this.options.storage ?? this.codec.storage) === "binary" ? "bytea" : "text";
  }
}

Object.defineProperty(EncryptedColumnType.prototype, "prop", {
  configurable: true,
  get(this: EncryptedColumnType<unknown>): Property | undefined {
    return bindingOf(this)?.prop;
  },
  set(this: EncryptedColumnType<unknown>, prop: Property | undefined) {
    if (prop === undefined || prop === null) return;
    bind(this, prop);
    if (this.platform) installOnDriver(driverOf(this.platform));
  },
});

/**
 * A function, not a private method: those are missing from MikroORM's copies of a type. Text and bytes come from the
 * database; after an upsert they are also compared as they were given
 * or searched for.
 */
function canonicalOf<T>(type: EncryptedColumnType<T>, given: unknown): string | undefined {
  if (given instanceof Cell) return given.canonical;
  const value = given instanceof DeterministicTerm ? given.stored : given;
  if (typeof value !== "string" && !(value instanceof Uint8Array)) return undefined;
  try {
    return type.toCanonical(cipherOf<T>(type).open(storedInput(type, value)));
  } catch (error) {
    if (error instanceof DecryptError) return type.toCanonical(value as T);
    throw error;
  }
}

function searchTerm<T>(
  type: EncryptedColumnType<T>,
  value: T | Cell,
  key: string | undefined,
): unknown {
  // Version 6 gives the column's name for a bare value in the conditions of joins.
  const operator = key?.startsWith("$") === true ? key : "$eq";
  if (operator === "$exists") return value;
  const cipher = cipherOf<T>(type);
  const isSearchable = cipher.isDeterministic || cipher.blindIndex !== undefined;
  if (!isSearchable || !EQUALITY.has(operator)) {
    throw unsupportedQuery(type, `cannot be compared by ${operator}`);
  }
  const plain = value instanceof Cell ? type.fromCanonical(value.canonical) : value;
  if (cipher.isDeterministic) {
    return new DeterministicTerm(cipher.searchTerms(plain), operator);
  }
  if (cipher.blindIndex?.isExact === false) {
    throw unsupportedQuery(
      type,
      "has a blind index of few bits, whose matches must be compared: use em.find, findOne, count, nativeUpdate or " +
        "nativeDelete and not a query builder; its values cannot be looked for here",
    );
  }
  return new IndexTerm(indexTokens(type, plain), companionOf(type), cipher.label);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Drivers give bytes as a Buffer, or as text `\x…` inside rows that come as JSON. Text may just begin like that. */
function storedInput<T>(type: EncryptedColumnType<T>, value: unknown): StoredInput {
  if (typeof value === "string" && value.startsWith("\\x") && type.getColumnType() === "bytea") {
    return Buffer.from(value.slice(2), "hex");
  }
  return value as StoredInput;
}
