// Errors of Sequelize that carry values: they keep their meaning and lose the plaintext of encrypted attributes.
import { inspect } from "node:util";
import {
  AggregateError,
  OptimisticLockError,
  UniqueConstraintError,
  ValidationError,
} from "sequelize";
import { cipherOf, encryptedAttributes, isEncrypted } from "./installation.ts";
import type { ModelClass } from "./sequelize-internals.ts";

export const REDACTED = "[encrypted]";

/** Redacts in place; errors of other kinds are left alone. */
export function redactError(error: unknown, model: ModelClass | undefined): void {
  if (!model || encryptedAttributes(model).length === 0) return;
  if (error instanceof ValidationError) redactValidation(error, model);
  if (error instanceof UniqueConstraintError) redactUnique(error, model);
  if (error instanceof OptimisticLockError) redactOptimisticLock(error, model);
  if (error instanceof Error) redactMismatch(error, model);
  if (error instanceof AggregateError) for (const one of error.errors) redactBulkRecord(one, model);
}

function redactValidation(error: ValidationError, model: ModelClass): void {
  for (const item of error.errors) {
    const path = item.path ?? "";
    if (isEncrypted(model.rawAttributes[path] ?? model.fieldRawAttributesMap[path])) {
      (item as { value: unknown }).value = REDACTED;
    }
    // JSON.stringify(error) would print the whole instance; reading it still works.
    hide(item, "instance");
  }
}

/** `fields` holds what the database's message quotes: ciphertext. findOrCreate compares it with the value asked for. */
function redactUnique(error: UniqueConstraintError, model: ModelClass): void {
  const fields = error.fields as Record<string, unknown> | undefined;
  for (const [name, stored] of Object.entries(fields ?? {})) {
    const attribute = model.fieldRawAttributesMap[name];
    if (fields && isEncrypted(attribute) && typeof stored === "string") {
      fields[name] = new LazyValue(() => String(cipherOf(attribute).open(stored)));
    }
  }
}

/** A value that is decrypted when it is compared as text, and prints as nothing. */
class LazyValue {
  readonly #open: () => string;

  constructor(open: () => string) {
    this.#open = open;
  }

  toString(): string {
    return this.#open();
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

/** findOrCreate quotes both values where the row that it ran into holds another one (lib/model.js). */
function redactMismatch(error: Error, model: ModelClass): void {
  const prefix = `${model.name}#findOrCreate: value used for `;
  if (!error.message.startsWith(prefix)) return;
  const name = error.message.slice(prefix.length).split(" ")[0] as string;
  if (!isEncrypted(model.rawAttributes[name])) return;
  const quoted = error.message;
  error.message = `${prefix}${name} was not equal for both the find and the create calls`;
  if (error.stack) error.stack = error.stack.replace(quoted, () => error.message);
}

function redactOptimisticLock(error: OptimisticLockError, model: ModelClass): void {
  const withValues = error as unknown as Record<
    "values" | "where",
    Record<string, unknown> | undefined
  >;
  withValues.values = redactValues(withValues.values, model);
  withValues.where = redactValues(withValues.where, model);
}

function redactBulkRecord(error: unknown, model: ModelClass): void {
  if (typeof error !== "object" || error === null || !("record" in error)) return;
  redactError((error as { errors?: unknown }).errors, model);
  hide(error, "record");
}

function redactValues(
  values: Record<string, unknown> | undefined,
  model: ModelClass,
): Record<string, unknown> | undefined {
  if (!values) return values;
  const entries = Object.entries(values).map(([name, value]) => {
    const attribute = model.rawAttributes[name] ?? model.fieldRawAttributesMap[name];
    return [name, isEncrypted(attribute) && value !== null ? REDACTED : value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** Keeps a property readable, out of JSON and out of ordinary inspection. */
function hide(owner: object, name: string): void {
  const value = (owner as Record<string, unknown>)[name];
  if (value !== undefined)
    Object.defineProperty(owner, name, {
      value,
      enumerable: false,
      configurable: true,
      writable: true,
    });
}

/** save() and bulkCreate() make errors of their own, which pass no hook; with `hooks: false` validation passes none either. */
export function redactedErrorsOf(model: ModelClass): void {
  wrapAsync(model.prototype as unknown as Record<string, AsyncMethod>, "save", model);
  wrapAsync(model.prototype as unknown as Record<string, AsyncMethod>, "validate", model);
  wrapAsync(model as unknown as Record<string, AsyncMethod>, "bulkCreate", model);
  wrapAsync(model as unknown as Record<string, AsyncMethod>, "findOrCreate", model);
}

type AsyncMethod = (this: unknown, ...parameters: unknown[]) => Promise<unknown>;

function wrapAsync(owner: Record<string, AsyncMethod>, name: string, model: ModelClass): void {
  const original = owner[name] as AsyncMethod;
  const redacted: AsyncMethod = async function redacted(...parameters) {
    try {
      return await original.apply(this, parameters);
    } catch (error) {
      redactError(error, model);
      throw error;
    }
  };
  Object.defineProperty(owner, name, { value: redacted, configurable: true, writable: true });
}
