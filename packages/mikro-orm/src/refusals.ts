// What MikroORM lets a property ask for and an encrypted one cannot have, refused at discovery.
import { ConfigError } from "@fieldseal/crypto";
import type { BoundType } from "./binding.ts";
import {
  declarationOf,
  isInsideDocument,
  type Meta,
  type Property,
} from "./mikro-orm-internals.ts";

/** @throws {@link ConfigError} `ERR_CONFIG_UNSUPPORTED` */
export function refuseUnsupported(type: BoundType, meta: Meta, prop: Property): void {
  const problem = problemOf(type, meta, prop);
  if (problem === undefined) return;
  const label = `${meta.className}.${prop.name.replaceAll("~", ".")}`;
  throw new ConfigError("ERR_CONFIG_UNSUPPORTED", `${label} asks for ${problem}.`);
}

function problemOf(type: BoundType, meta: Meta, prop: Property): string | undefined {
  const declared = declarationOf(meta, prop);
  if (declared.isPrimary) {
    return "an encrypted primary key; encrypt another property, keys are looked up and joined";
  }
  if (declared.isArray) {
    return "an array of encrypted values; use EncryptedJSONType for the whole array";
  }
  // Before defaults: MikroORM gives version properties one.
  if (declared.isVersion) return "an encrypted version property";
  if (declared.isConcurrencyCheck) {
    return "a concurrency check, which compares stored values in SQL; use a version property";
  }
  if (declared.hasDefault) return "a default in SQL, which would store plaintext; use onCreate";
  if (declared.isGenerated) {
    return "a generated column, whose value PostgreSQL computes and could not encrypt; use onCreate and onUpdate";
  }
  return problemOfColumn(type, meta, prop);
}

const COLUMN_TYPES = {
  text: /^(text|varchar|character varying)\b/i,
  binary: /^bytea$/i,
};

function problemOfColumn(type: BoundType, meta: Meta, prop: Property): string | undefined {
  const { options, codec } = type;
  const declared = declarationOf(meta, prop);
  if (declared.isFormula && options.context === undefined) {
    return "a formula without a context: set context to the table and column that the formula reads";
  }
  if (declared.isUnique && options.deterministic !== true) {
    return (
      "a unique constraint, but equal values are stored different: declare it deterministic, or make the companion " +
      "property of a 256-bit blindIndex unique"
    );
  }
  const storage = options.storage ?? codec.storage;
  const { columnType } = declared;
  if (columnType !== undefined && !COLUMN_TYPES[storage].test(columnType)) {
    const [needed, other] = storage === "text" ? ["text", "binary"] : ["bytea", "text"];
    return `a column of type ${columnType}, but is stored as ${needed}; leave columnType out, or set storage: "${other}"`;
  }
  if (options.blindIndex !== undefined && isInsideDocument(meta, prop)) {
    return "a blind index inside an embeddable stored as JSON; embed it inline";
  }
  return undefined;
}
