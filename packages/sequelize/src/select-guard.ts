// Sorting, grouping and computing on ciphertext gives answers that look right and are not: refused.
import { Utils } from "sequelize";
import { cipherOf, type EncryptedAttribute } from "./installation.ts";
import { attributeInExpression, namedAttribute, refuse } from "./search.ts";
import type { ModelClass, SelectNode } from "./sequelize-internals.ts";

/** @throws {@link UnsupportedQueryError} naming the attribute */
export function guardSelect(options: SelectNode, model: ModelClass | undefined): void {
  if (!model) return;
  guardAttributes(options.attributes, model);
  guardOrder(options.order, model);
  guardGroup(options.group, model);
  for (const include of options.include ?? [])
    guardSelect({ ...include, where: undefined }, include.model);
}

function guardAttributes(attributes: readonly unknown[] | undefined, model: ModelClass): void {
  if (!Array.isArray(attributes)) return;
  for (const entry of attributes as unknown[]) {
    const expression: unknown = Array.isArray(entry) ? entry[0] : entry;
    const isComputed = expression instanceof Utils.Fn || expression instanceof Utils.Cast;
    const attribute = isComputed ? attributeInExpression(expression, model) : undefined;
    if (attribute && !isCount(expression, attribute))
      refuse(attribute, "cannot be computed with in SQL");
  }
}

/** COUNT needs no plaintext; COUNT(DISTINCT …) needs equal values to be equal. */
function isCount(expression: unknown, attribute: EncryptedAttribute): boolean {
  const { fn, args } = expression as { readonly fn?: unknown; readonly args?: readonly unknown[] };
  if (typeof fn !== "string" || fn.toUpperCase() !== "COUNT") return false;
  const [counted] = args ?? [];
  const isDistinct =
    counted instanceof Utils.Fn &&
    (counted as unknown as { fn: string }).fn.toUpperCase() === "DISTINCT";
  return counted instanceof Utils.Col || (isDistinct && cipherOf(attribute).isDeterministic);
}

function guardOrder(order: unknown, model: ModelClass): void {
  if (order === undefined || order === null) return;
  for (const entry of Array.isArray(order) ? order : [order]) {
    const attribute = orderedAttribute(Array.isArray(entry) ? entry : [entry], model);
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
      const found =
        model &&
        (namedAttribute(model, step) ?? namedAttribute(model, step.split(".")[0] as string));
      if (found) return found;
      model = model?.associations[step]?.target ?? model;
    } else {
      const found = attributeInExpression(step, model);
      if (found) return found;
      model = modelOfStep(step) ?? model;
    }
  }
  return undefined;
}

function modelOfStep(step: unknown): ModelClass | undefined {
  if (typeof step === "function" && "rawAttributes" in step) return step as unknown as ModelClass;
  if (typeof step !== "object" || step === null) return undefined;
  const { target, model } = step as { readonly target?: ModelClass; readonly model?: ModelClass };
  return target ?? model;
}

function guardGroup(group: unknown, model: ModelClass): void {
  if (group === undefined || group === null) return;
  for (const entry of Array.isArray(group) ? group : [group]) {
    const name = typeof entry === "string" ? (entry.split(".").pop() as string) : undefined;
    const attribute =
      name === undefined ? attributeInExpression(entry, model) : namedAttribute(model, name);
    if (attribute) refuse(attribute, "cannot be grouped by in SQL");
  }
}
