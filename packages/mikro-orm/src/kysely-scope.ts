// Which encrypted column of which table a name in a Kysely query means.
import { bindingOf, encryptedTypeOf, type BoundType } from "./binding.ts";
import {
  allMetadata,
  columnOf,
  isInsideDocument,
  propertiesOf,
  tableOf,
} from "./mikro-orm-internals.ts";
import { encryptedInside } from "./raw-sql.ts";

export type Node = Readonly<Record<string, unknown>> & { readonly kind: string };

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).kind === "string";
}

/** By table and column, schemas left out; undefined for columns that are not encrypted. */
export type Tables = ReadonlyMap<string, ReadonlyMap<string, BoundType | undefined>>;

const known = new WeakMap<object, Tables>();

/** The tables of all entities, or undefined where no column is encrypted. */
export function tablesOf(metadata: { getAll(): unknown }): Tables | undefined {
  let tables = known.get(metadata);
  if (tables === undefined) known.set(metadata, (tables = collectTables(metadata)));
  const isEncrypted = [...tables.values()].some((columns) => [...columns.values()].some(Boolean));
  return isEncrypted ? tables : undefined;
}

/** When entities came in. */
export function forgetTables(metadata: object): void {
  known.delete(metadata);
}

function collectTables(metadata: { getAll(): unknown }): Tables {
  const tables = new Map<string, Map<string, BoundType | undefined>>();
  for (const meta of allMetadata(metadata)) {
    if (meta.embeddable || meta.virtual) continue;
    for (const prop of Object.values(propertiesOf(meta))) {
      if (prop.persist === false || isInsideDocument(meta, prop)) continue;
      const table = tableOf(meta, prop);
      const columns = tables.get(table) ?? new Map<string, BoundType | undefined>();
      tables.set(table, columns);
      const name = columnOf(prop);
      // Of a document, the first of what is encrypted in it.
      const isDocument = Boolean(prop.object) || Boolean(prop.array);
      const type = encryptedTypeOf(prop) ?? (isDocument ? encryptedInside(prop) : undefined);
      columns.set(name, type ?? columns.get(name));
    }
  }
  return tables;
}

/** Whether it stands for a whole document, in which its values are. */
export function isInDocument(type: BoundType): boolean {
  const { meta, prop } = bindingOf(type) ?? {};
  return meta !== undefined && prop !== undefined && isInsideDocument(meta, prop);
}

/** The name in a column, a table, an alias or a reference. */
export function nameIn(value: unknown): string {
  if (!isNode(value)) return "";
  if (typeof value.name === "string") return value.name;
  return nameIn(value.column ?? value.identifier ?? value.table);
}

type Columns = ReadonlyMap<string, BoundType | undefined>;

/** The tables that names may stand for at one place of a query; inner queries see those of outer ones. */
export class KyselyScope {
  readonly #tables: Tables;
  /** Of tables anywhere in the statement: for names of subqueries and WITH, which hold columns of any. */
  readonly #mentioned: readonly Columns[];
  readonly #outer: KyselyScope | undefined;
  /** Names that selections anywhere in the statement give to columns; one name may stand for several. */
  readonly #renamed: readonly (readonly [alias: string, column: string])[];
  /** By alias; undefined for what is no table of an entity. */
  readonly #aliases = new Map<string, Columns | undefined>();
  #target: Columns | undefined;

  constructor(tables: Tables, query: unknown, outer?: KyselyScope) {
    this.#tables = tables;
    this.#outer = outer;
    this.#mentioned = outer ? outer.#mentioned : [...mentionedIn(query, tables)];
    this.#target = outer ? outer.#target : undefined;
    this.#renamed = outer ? outer.#renamed : [...renamedIn(query)];
  }

  /** The scope of a query in this one. */
  inside(query: Node): KyselyScope {
    const inner = new KyselyScope(this.#tables, query, this);
    const { into, table, from, using, joins } = query as Node & {
      readonly from?: Node;
      readonly using?: Node;
      readonly joins?: readonly Node[];
    };
    const target = into ?? table;
    if (target !== undefined) inner.#target = inner.#add(target);
    for (const source of [from?.froms, using, joins].flat()) {
      if (isNode(source)) inner.#add(source.kind === "JoinNode" ? source.table : source);
    }
    return inner;
  }

  /** The type of a column that is written to, or of what is encrypted in its document. */
  written(column: string): BoundType | undefined {
    return this.#target?.get(column);
  }

  /** The type of a column that a ReferenceNode or a ColumnNode names. */
  read(reference: Node): BoundType | undefined {
    const type = this.copied(reference);
    return type && isInDocument(type) ? undefined : type;
  }

  /** The same, of documents too, and of the row that a conflict excluded. */
  copied(reference: Node): BoundType | undefined {
    const column = nameIn(reference.kind === "ReferenceNode" ? reference.column : reference);
    if (reference.table === undefined) return this.#unqualified(column);
    const alias = nameIn(reference.table);
    return alias === "excluded" ? this.written(column) : this.#qualified(alias, column);
  }

  #add(source: unknown): Columns | undefined {
    if (!isNode(source)) return undefined;
    const isAlias = source.kind === "AliasNode";
    const table = isAlias ? (source.node as Node) : source;
    const columns = table.kind === "TableNode" ? this.#tables.get(nameIn(table)) : undefined;
    this.#aliases.set(nameIn(isAlias ? source.alias : source), columns);
    return columns;
  }

  #qualified(alias: string, column: string): BoundType | undefined {
    if (!this.#aliases.has(alias)) {
      return this.#outer ? this.#outer.#qualified(alias, column) : this.#anywhere(column);
    }
    const columns = this.#aliases.get(alias);
    return columns ? columns.get(column) : this.#anywhere(column);
  }

  #unqualified(column: string): BoundType | undefined {
    const sources = [...this.#aliases.values()];
    const owner = sources.find((columns) => columns?.has(column));
    if (owner) return owner.get(column);
    return sources.includes(undefined) || this.#outer === undefined
      ? this.#anywhere(column)
      : this.#outer.#unqualified(column);
  }

  #anywhere(column: string): BoundType | undefined {
    const renamed = this.#renamed.filter(([alias]) => alias === column);
    const names = [column, ...renamed.map(([, original]) => original)];
    for (const columns of this.#mentioned) {
      for (const name of names) {
        const type = columns.get(name);
        if (type) return type;
      }
    }
    return undefined;
  }
}

/** `select email as address` */
function* renamedIn(value: unknown): Generator<[alias: string, column: string]> {
  if (Array.isArray(value)) for (const item of value) yield* renamedIn(item);
  if (!isNode(value)) return;
  const { node, alias } = value as Node & { readonly node?: Node };
  if (value.kind === "AliasNode" && node?.kind === "ReferenceNode")
    yield [nameIn(alias), nameIn(node)];
  for (const child of Object.values(value)) yield* renamedIn(child);
}

function* mentionedIn(value: unknown, tables: Tables): Generator<Columns> {
  if (Array.isArray(value)) for (const item of value) yield* mentionedIn(item, tables);
  if (!isNode(value)) return;
  const columns = value.kind === "TableNode" ? tables.get(nameIn(value)) : undefined;
  if (columns) yield columns;
  for (const child of Object.values(value)) yield* mentionedIn(child, tables);
}
