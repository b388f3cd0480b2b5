// What the application's `logging` function gets beside the SQL: Sequelize's options of the statement. Plaintext of
// encrypted attributes stands in them, and loggers print what they are given.
import type { Sequelize } from "sequelize";
import { encryptedAttributes } from "./installation.ts";
import type { ModelClass } from "./sequelize-internals.ts";

interface Logged {
  readonly logging: unknown;
  readonly model?: ModelClass;
  readonly include?: unknown;
}

/**
 * Entries that hold values as they were asked for. findOrCreate gives its own to the transaction that it starts; instances
 * hold those that they include, and give all of them to JSON.
 */
const OF_ANY_MODEL = ["transaction", "instance", "parentRecord"];
const WITH_VALUES = [
  ...OF_ANY_MODEL,
  "where",
  "having",
  "defaults",
  "conflictWhere",
  "include",
  "includeMap",
  "through",
  "groupedLimit",
];

/** Such entries stay readable for code that knows them, and out of inspection, JSON and copies. */
export function hookLog(sequelize: Sequelize): void {
  const { log } = sequelize as unknown as { log: (...parameters: unknown[]) => void };
  (sequelize as unknown as { log: typeof log }).log = (...parameters) => {
    const last = parameters.at(-1);
    if (isLogged(last)) parameters[parameters.length - 1] = withHiddenValues(last);
    log.apply(sequelize, parameters);
  };
}

function isLogged(options: unknown): options is Logged {
  return typeof options === "object" && options !== null && Boolean((options as Logged).logging);
}

function withHiddenValues(options: Logged): Logged {
  const { model, include } = options;
  const isPlain = model && include === undefined && encryptedAttributes(model).length === 0;
  const copy = { ...options } as Record<string, unknown>;
  for (const name of isPlain ? OF_ANY_MODEL : WITH_VALUES) {
    if (!(name in copy)) continue;
    const value = copy[name];
    Object.defineProperty(copy, name, { value, enumerable: false, writable: true });
  }
  return copy as unknown as Logged;
}
