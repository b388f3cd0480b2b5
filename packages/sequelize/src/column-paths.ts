// From the names and expressions of a query to the encrypted attribute that they mean, through associations too.
import { UnsupportedQueryError } from "@fieldseal/crypto";
import { Utils } from "sequelize";
import { encryptedAttributes, isEncrypted, type EncryptedAttribute } from "./installation.ts";
import type { ModelClass } from "./sequelize-internals.ts";

/** By the attribute's or the column's name. */
export function namedAttribute(
  model: ModelClass | undefined,
  name: string,
): EncryptedAttribute | undefined {
  const attribute = model?.rawAttributes[name] ?? model?.fieldRawAttributesMap[name];
  return isEncrypted(attribute) ? attribute : undefined;
}

/** `email`, `User.email`, `posts.headline`, `posts->tags.label`, `posts.tags.PostTag.note`, `posts.box.label`. */
export function attributeAtPath(
  path: string,
  root: ModelClass | undefined,
): EncryptedAttribute | undefined {
  const steps = path.split(/->|\./);
  const name = steps.pop() as string;
  let model = root;
  let through: ModelClass | undefined;
  for (const step of steps) {
    const inside = namedAttribute(model, step);
    if (inside) return inside; // the rest is a path in a JSON value
    const association = model?.associations[step];
    if (!association && model?.rawAttributes[step]) return undefined; // a path in a plain JSON column
    const next = association?.target ?? modelCalled(step, root);
    // Under its own name or the alias that the query gives it.
    if (through && (through.name === step || !next)) [model, through] = [through, undefined];
    else [model, through] = [next, association?.through?.model];
    if (!model) return attributeNearby(name, root);
  }
  return namedAttribute(model, name);
}

/**
 * Of a model that the root is associated with, at any distance. A path that nobody knows is a mistake, or a name given in the
 * query: taken for the column that it may mean, it is refused before a value gets into SQL.
 */
function attributeNearby(
  name: string,
  root: ModelClass | undefined,
): EncryptedAttribute | undefined {
  const models = new Set(root ? [root] : []);
  const found = new Set<EncryptedAttribute>(); // a scoped model shares the attributes of its own
  for (const model of models) {
    const own = namedAttribute(model, name);
    if (own) found.add(own);
    for (const { target, through } of Object.values(model.associations)) {
      models.add(target);
      if (through) models.add(through.model);
    }
  }
  const [first] = found;
  if (first === undefined || first === namedAttribute(root, name) || found.size === 1) return first;
  const owners = [...found].map(({ Model: { name: model } }) => model).join(" and ");
  throw new UnsupportedQueryError(
    `"${name}" is the name of encrypted columns of ${owners}, and the path before it leads to none of them. ` +
      "Name it by an association.",
    { model: first.Model.name, field: first.fieldName },
  );
}

/** By its own name or its table's: `User.email` names the root by it. */
function modelCalled(name: string, root: ModelClass | undefined): ModelClass | undefined {
  if (!root || root.name === name || root.tableName === name) return root;
  const models = Object.values(root.sequelize.models) as unknown as ModelClass[];
  return models.find((model) => model.name === name || model.tableName === name);
}

/** The encrypted attribute that an expression reads, however deep in it. */
export function attributeInExpression(
  expression: unknown,
  model: ModelClass | undefined,
): EncryptedAttribute | undefined {
  if (typeof expression !== "object" || expression === null) return undefined;
  const parts = expression as Record<"val" | "attribute" | "logic" | "args", unknown>;
  if (expression instanceof Utils.Col) return attributeAtPath(columnPath(expression), model);
  if (expression instanceof Utils.Cast) return attributeInPart(parts.val, model);
  if (expression instanceof Utils.Fn) return attributeInAny(parts.args as unknown[], model);
  if (expression instanceof Utils.Json) return attributeInJson(expression, model);
  if (expression instanceof Utils.Where)
    return attributeInAny([parts.attribute, parts.logic], model);
  if (Array.isArray(expression)) return attributeInAny(expression, model);
  if ("_modelAttribute" in expression)
    return isEncrypted(expression as never) ? (expression as never) : undefined;
  return isPlainObject(expression) ? attributeInCondition(expression, model) : undefined;
}

function attributeInAny(
  parts: readonly unknown[],
  model: ModelClass | undefined,
): EncryptedAttribute | undefined {
  for (const part of parts) {
    const found = attributeInPart(part, model);
    if (found) return found;
  }
  return undefined;
}

/** SQL that stands alone is its author's affair; inside an expression it is looked through for our columns' names. */
export function attributeInPart(
  part: unknown,
  model: ModelClass | undefined,
): EncryptedAttribute | undefined {
  if (!(part instanceof Utils.Literal)) return attributeInExpression(part, model);
  const sql = String((part as unknown as { readonly val: unknown }).val);
  const words = new Set(sql.toLowerCase().split(/[^\p{L}\p{N}_$]+/u));
  return encryptedAttributes(model).find(({ field }) => words.has(field.toLowerCase()));
}

/** `json("box.label")`, `json({ box: { label: … } })` */
function attributeInJson(
  expression: object,
  model: ModelClass | undefined,
): EncryptedAttribute | undefined {
  const { conditions, path } = expression as {
    readonly conditions?: object;
    readonly path?: string;
  };
  const names = conditions
    ? Object.keys(conditions)
    : [(path ?? "").split(/[.[\s:-]/)[0] as string];
  for (const name of names) {
    const found = namedAttribute(model, name);
    if (found) return found;
  }
  return undefined;
}

/** The first encrypted attribute that a where object names or compares with; conditions on NULL name none. */
export function attributeInCondition(
  condition: unknown,
  model: ModelClass | undefined,
): EncryptedAttribute | undefined {
  if (!isPlainObject(condition) && !Array.isArray(condition))
    return attributeInExpression(condition, model);
  for (const key of Reflect.ownKeys(condition)) {
    const value = (condition as Record<PropertyKey, unknown>)[key];
    const named = typeof key === "string" ? attributeOfName(key, model) : undefined;
    if (named && !isNullComparison(value)) return named;
    const inside = attributeInCondition(value, model);
    if (inside) return inside;
  }
  return undefined;
}

function isNullComparison(value: unknown): boolean {
  if (value === null) return true;
  return isPlainObject(value) && Reflect.ownKeys(value).every((key) => value[key] === null);
}

/** What a key of a where object means: `email`, its column, `$author.email$`, `author.email`, `box.label`, `email::text`. */
export function attributeOfName(
  key: string,
  model: ModelClass | undefined,
): EncryptedAttribute | undefined {
  if (key.length > 2 && key.startsWith("$") && key.endsWith("$"))
    return attributeAtPath(key.slice(1, -1), model);
  return namedAttribute(model, key) ?? attributeAtPath(key.split("::")[0] as string, model);
}

export function columnPath(column: object): string {
  return String((column as { readonly col: unknown }).col);
}

export function isPlainObject(value: unknown): value is Record<PropertyKey, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
