// INSERT ... SELECT of query builders (version 7). Nothing encrypts what the database copies, and a value is bound to its
// column: only values of the same context may be copied into an encrypted column.
import { cipherOf, encryptedTypeOf, unsupportedQuery, type BoundType } from "./binding.ts";
import { Cell } from "./cell.ts";
import { companionOf } from "./companion.ts";
import { metaOfBuilder, type QueryBuilder } from "./driver-internals.ts";
import {
  columnOf,
  isRawSql,
  propertiesOf,
  propertyOfKey,
  type Property,
  type RawSql,
  type WhereOptions,
} from "./mikro-orm-internals.ts";
import { encryptedBehind } from "./other-names.ts";

export interface Copy {
  readonly target: QueryBuilder;
  readonly source: QueryBuilder;
  /** Of the target, by property or column; undefined for those that the source selects, or all. */
  readonly columns: readonly unknown[] | undefined;
  readonly optionsOf: (builder: QueryBuilder) => WhereOptions;
}

/** @throws {@link UnsupportedQueryError} for values that would be stored in the clear, or could not be read afterwards */
export function refuseCopies({ target, source, columns, optionsOf }: Copy): void {
  const properties = Object.values(propertiesOf(metaOfBuilder(target)));
  const propertyOf = (name: unknown): Property | undefined =>
    properties.find((prop) => prop.name === name || columnOf(prop) === name);
  const all = properties.filter(isColumn).map((prop) => columnOf(prop));
  const selected = source.state?.fields;
  const targets = columns ?? selected?.map((field) => targetOfField(field)) ?? all;
  const written = new Set(targets.map((name) => propertyOf(name)?.name));
  targets.forEach((name, i) => {
    const into = encryptedTypeOf(propertyOf(name));
    const field = selected ? selected[i] : name;
    const from = typeof field === "string" ? sourceType(field, optionsOf(source)) : undefined;
    if (!isSameColumn(into, from) && !isEncrypted(field)) {
      throw unsupportedQuery(
        (into ?? from) as BoundType,
        "cannot be copied from or to a column of another context by INSERT ... SELECT",
      );
    }
    // Without its token a copy is never found.
    if (into?.options.blindIndex && !written.has(companionOf(into))) {
      throw unsupportedQuery(
        into,
        `cannot be copied without "${companionOf(into)}", its blind index`,
      );
    }
  });
}

function isColumn(prop: Property): boolean {
  return prop.persist !== false && prop.primary !== true && (prop.fieldNames ?? []).length > 0;
}

/** As MikroORM names the column of what is selected: without alias, or by the alias of raw SQL. */
function targetOfField(field: unknown): unknown {
  if (typeof field === "string") return field.replace(/^\w+\./, "");
  return isRawSql(field) ? (field as RawSql).params?.at(-1) : undefined;
}

function sourceType(field: string, options: WhereOptions): BoundType | undefined {
  const prop = propertyOfKey(field, options);
  return prop ? encryptedTypeOf(prop) : encryptedBehind(field, options);
}

function isSameColumn(into: BoundType | undefined, from: BoundType | undefined): boolean {
  if (into === undefined || from === undefined) return into === from;
  const [a, b] = [cipherOf(into), cipherOf(from)];
  return (
    a.codec.content === b.codec.content &&
    a.context.table === b.context.table &&
    a.context.column === b.context.column
  );
}

/** What `em.clone()` gives for values of its own. */
function isEncrypted(field: unknown): boolean {
  const value: unknown = isRawSql(field) ? (field as RawSql).params?.[0] : undefined;
  return value === null || value instanceof Cell;
}
