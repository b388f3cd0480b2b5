// Sorting, grouping and computing on ciphertext gives answers that look right and are not: refused.
import { Utils } from "sequelize";
import {
  attributeAtPath,
  attributeInCondition,
  attributeInExpression,
  namedAttribute,
} from "./column-paths.ts";
import { cipherOf, type EncryptedAttribute } from "./installation.ts";
import { refuse } from "./search.ts";
import type { SelectNode } from "./query-internals.ts";
import type { ModelClass } from "./sequelize-internals.ts";

/** @throws {@link UnsupportedQueryError} naming the attribute */
export function guardSelect(options: SelectNode, model: ModelClass | undefined): void {
  if (!model) return;
  guardAttributes(options.attributes, model);
  guardOrder(options, model);
  guardGroup(options, model);
  guardHaving(options.having, model);
  for (const include of options.include ?? []) guardSelect(include, include.model);
}

function guardAttributes(attributes: readonly unknown[] | undefined, model: ModelClass): void {
  if (!Array.isArray(attributes)) return;
  for (const entry of attributes as unknown[]) {
    const expression: unknown = Array.isArray(entry) ? entry[0] : entry;
    const isComputed =
      expression instanceof Utils.SequelizeMethod && !(expression instanceof Utils.Col);
    const attribute = isComputed ? attributeInExpression(expression, model) : undefined;
    if (attribute && !isCount(expression, attribute))
      refuse(attribute, "cannot be computed with in SQL");
  }
}

/** COUNT needs no plaintext; COUNT(DISTINCT …) needs equal values to be equal. */
export function isCount(expression: unknown, attribute: EncryptedAttribute): boolean {
  if (!(expression instanceof Utils.Fn)) return false;
  const { fn, args } = expression as { readonly fn?: unknown; readonly args?: readonly unknown[] };
  if (typeof fn !== "string" || fn.toUpperCase() !== "COUNT") return false;
  const [counted] = args ?? [];
  const isDistinct =
    counted instanceof Utils.Fn &&
    (counted as unknown as { fn: string }).fn.toUpperCase() === "DISTINCT";
  return counted instanceof Utils.Col || (isDistinct && cipherOf(attribute).isDeterministic);
}

function guardOrder({ order, attributes }: SelectNode, model: ModelClass): void {
  if (order === undefined || order === null) return;
  for (const entry of Array.isArray(order) ? order : [order]) {
    const path: unknown[] = Array.isArray(entry) ? entry : [entry];
    const attribute = orderedAttribute(path, model) ?? aliasedAttribute(path[0], attributes, model);
    if (attribute) refuse(attribute, "cannot be sorted by in SQL");
  }
}

/** `["email", "DESC"]`, `[Post, "title"]`, `[{ model: Post, as: "posts" }, "title"]`, `[col("email"), "ASC"]` */
function orderedAttribute(
  path: readonly unknown[],
  root: ModelClass,
): EncryptedAttribute | undefined {
  let model: ModelClass | undefined = root;
  for (const step of path) {
    if (typeof step === "string") {
      const found: EncryptedAttribute | undefined = attributeAtPath(step, model);
      if (found) return found;
      model = model?.associations[step]?.target ?? model;
    } else {
      const found = isModel(step) ? undefined : attributeInExpression(step, model);
      if (found) return found;
      model = modelOfStep(step) ?? model;
    }
  }
  return undefined;
}

/** An entry of the SELECT list that names the column another way: `["email", "contact"]`, `[col("email"), "contact"]`. */
function aliasedAttribute(
  name: unknown,
  attributes: readonly unknown[] | undefined,
  model: ModelClass,
): EncryptedAttribute | undefined {
  if (typeof name !== "string" || !Array.isArray(attributes)) return undefined;
  for (const entry of attributes as unknown[]) {
    if (!Array.isArray(entry) || entry[1] !== name) continue;
    const [source] = entry as unknown[];
    return typeof source === "string"
      ? namedAttribute(model, source)
      : source instanceof Utils.Col
        ? attributeInExpression(source, model)
        : undefined;
  }
  return undefined;
}

function isModel(step: unknown): boolean {
  return typeof step === "function" && "rawAttributes" in step;
}

/** A model, an association, or `{ model, as }`. */
function modelOfStep(step: unknown): ModelClass | undefined {
  if (isModel(step)) return step as ModelClass;
  if (typeof step !== "object" || step === null) return undefined;
  const { target, model } = step as { readonly target?: ModelClass; readonly model?: ModelClass };
  return target ?? model;
}

function guardGroup({ group, attributes }: SelectNode, model: ModelClass): void {
  if (group === undefined || group === null) return;
  for (const entry of Array.isArray(group) ? (group as unknown[]).flat() : [group]) {
    const attribute =
      typeof entry === "string"
        ? (attributeAtPath(entry, model) ?? aliasedAttribute(entry, attributes, model))
        : attributeInExpression(entry, model);
    if (attribute) refuse(attribute, "cannot be grouped by in SQL");
  }
}

/** What stands in HAVING is grouped by, or computed; counts are neither. */
function guardHaving(having: unknown, model: ModelClass): void {
  if (having === undefined || having === null || having instanceof Utils.Where) return;
  const attribute = attributeInCondition(having, model);
  if (attribute) refuse(attribute, "cannot be compared in HAVING");
}
