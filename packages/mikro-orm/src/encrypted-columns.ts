// The entities as the re-encryption engine and the command see them, and the constraint that keeps plaintext out.
import { envelopeCondition, envelopeConstraintName, type EncryptedColumn } from "@fieldseal/crypto";
import { cipherOf, encryptedTypeOf } from "./binding.ts";
import {
  allMetadata,
  columnOf,
  isInsideDocument,
  tableOf,
  type Meta,
  type Property,
} from "./mikro-orm-internals.ts";

/** A MikroORM instance of either version, whatever its driver and entities are. */
export interface AnyMikroORM {
  readonly config: { get(option: "schema"): unknown };
  getMetadata(): { getAll(): unknown };
}

/**
 * Every encrypted column of every entity of this instance. Values inside embeddables that are stored as JSON have
 * no column of their own and are not among them.
 */
export function encryptedColumns(orm: AnyMikroORM): EncryptedColumn[] {
  const columns = allMetadata(orm.getMetadata())
    .filter((meta) => !meta.embeddable && !meta.virtual && !meta.abstract)
    .flatMap((meta) => columnsOf(orm, meta));
  // Entities of single-table inheritance share columns.
  const byColumn = new Map(columns.map((column) => [locationOf(column), column]));
  return [...byColumn.values()];
}

function columnsOf(orm: AnyMikroORM, meta: Meta): EncryptedColumn[] {
  return Object.values<Property>(meta.properties as never).flatMap((prop) => {
    const type = encryptedTypeOf(prop);
    const isColumn = prop.persist !== false && !isInsideDocument(meta, prop);
    if (!type || !isColumn) return [];
    return [
      {
        model: meta.className,
        field: prop.name,
        schema: schemaOf(orm, meta),
        table: tableOf(meta, prop),
        column: columnOf(prop),
        primaryKey: meta.primaryKeys.flatMap(
          (name) => (meta.properties[name] as unknown as Property).fieldNames,
        ),
        isNullable: prop.nullable === true,
        cipher: cipherOf(type),
      },
    ];
  });
}

function schemaOf(orm: AnyMikroORM, meta: Meta): string | undefined {
  if (meta.schema && meta.schema !== "*") return meta.schema;
  return (orm.config.get("schema") as string | undefined) ?? undefined;
}

function locationOf({ schema, table, column }: EncryptedColumn): string {
  return JSON.stringify([schema, table, column]);
}

export interface EnvelopeCheck {
  readonly name: string;
  readonly expression: string;
}

/**
 * A CHECK constraint for the entity's `checks`: raw SQL, other programs and mistakes can then store NULL and envelopes
 * in this column, nothing else. Not for columns that still hold plaintext or legacy values.
 *
 * @param column name of the column
 * @example
 * ```ts
 * const User = defineEntity({
 *   name: "User",
 *   properties: { id: p.integer().primary(), email: p.type(EncryptedType) },
 *   checks: [envelopeCheck("email")],
 * });
 * ```
 */
export function envelopeCheck(column: string, storage: "text" | "binary" = "text"): EnvelopeCheck {
  const quoted = `"${column.replaceAll('"', '""')}"`;
  const name = envelopeConstraintName(undefined, column);
  return { name, expression: envelopeCondition(quoted, storage) };
}
