// INSERT ... SELECT of query builders (version 7). Nothing encrypts what the database copies, and a value is bound to its
// column: only values of the same context may be copied into an encrypted column.
import {
  bindingOf,
  cipherOf,
  encryptedTypeOf,
  unsupportedQuery,
  type BoundType,
} from "./binding.ts";
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
  type Row,
  type WhereOptions,
} from "./mikro-orm-internals.ts";
import { encryptedBehind } from "./other-names.ts";
import { encryptedInside } from "./raw-sql.ts";

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
    const into = propertyOf(name);
    const field = selected ? selected[i] : name;
    const from = typeof field === "string" ? sourceOf(field, optionsOf(source)) : undefined;
    if (contextsIn(into) !== contextsIn(from) && !isEncrypted(into, field)) {
      throw unsupportedQuery(
        (encryptedIn(into) ?? encryptedIn(from)) as BoundType,
        "cannot be copied from or to a column of another context by INSERT ... SELECT",
      );
    }
    // Without its token a copy is never found.
    const type = encryptedTypeOf(into);
    if (type?.options.blindIndex && !written.has(companionOf(type))) {
      throw unsupportedQuery(
        type,
        `cannot be copied without "${companionOf(type)}", its blind index`,
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

function sourceOf(field: string, options: WhereOptions): Property | undefined {
  const behind = encryptedBehind(field, options);
  return propertyOfKey(field, options) ?? (behind && bindingOf(behind)?.prop);
}

function encryptedIn(prop: Property | undefined): BoundType | undefined {
  return encryptedTypeOf(prop) ?? (prop && encryptedInside(prop));
}

/** What is encrypted in a column, or in the document that it holds: the same text where values mean the same. */
function contextsIn(prop: Property | undefined): string {
  const type = encryptedTypeOf(prop);
  if (type) {
    const { codec, context } = cipherOf(type);
    return JSON.stringify([codec.content, context.table, context.column]);
  }
  const inner = Object.entries<Property>(prop?.embeddedProps ?? {});
  const contexts = inner.map(([name, one]) => [name, contextsIn(one)]).filter(([, one]) => one);
  return contexts.length === 0 ? "" : JSON.stringify([Boolean(prop?.array), contexts]);
}

/** What `em.clone()` gives for values of its own. */
function isEncrypted(into: Property | undefined, field: unknown): boolean {
  const value: unknown = isRawSql(field) ? (field as RawSql).params?.[0] : undefined;
  return value === null || value instanceof Cell || (isRow(value) && holdsCells(into, value));
}

function holdsCells(into: Property | undefined, value: unknown): boolean {
  if (value === null || value === undefined || value instanceof Cell) return true;
  if (Array.isArray(value)) return value.every((item) => holdsCells(into, item));
  if (!isRow(value) || encryptedTypeOf(into)) return encryptedIn(into) === undefined;
  const inner = Object.entries<Property>(into?.embeddedProps ?? {});
  return inner.every(([name, prop]) => holdsCells(prop, value[name]));
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null;
}
