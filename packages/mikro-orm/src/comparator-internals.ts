// Casts into the functions that MikroORM compiles per entity to detect changes. Read from @mikro-orm/core 7.2.1 and
// 6.6.16; test/snapshots.test.ts pins on both what is relied on. Where the code that MikroORM generates looks different, it is
// left as it is: then an untouched property costs more, and nothing else changes.
import { ChangeSetComputer, EntityComparator } from "@mikro-orm/core";
import type { Meta, Property, Row } from "./mikro-orm-internals.ts";

/** By name what the compiled code may call. Filled in the order in which it is compiled: only values may change. */
type Callables = Map<string, (...parameters: unknown[]) => unknown>;

interface Comparator {
  getPropertySnapshot(
    meta: unknown,
    prop: Property,
    callables: Callables,
    dataKey: string,
    entityKey: string,
    path: readonly string[],
    ...rest: unknown[]
  ): string;
  getPropertyComparator(prop: Property, callables: Callables): string;
  /** `.name` or `['name']` */
  wrap(key: string): string;
}

const prototype = EntityComparator.prototype as unknown as Comparator;

/** Takes the value of a property, and what the snapshot of the last load or flush holds for it. */
export type Recall = (value: unknown, last: unknown) => unknown;

/**
 * Asks the function that `recallFor` gives, if any, before a property's value is converted for a snapshot. What
 * it answers stands in the snapshot; undefined has the value converted as ever.
 */
export function wrapSnapshots(recallFor: (prop: Property) => Recall | undefined): void {
  const { getPropertySnapshot } = prototype;
  prototype.getPropertySnapshot = function (...parameters) {
    const code = getPropertySnapshot.apply(this, parameters);
    const [, prop, callables, , , path] = parameters;
    const recall = path.length === 1 ? recallFor(prop) : undefined;
    const call = /(convertToDatabaseValue_\w+)\((entity.+)\);\n/.exec(code);
    const [statement = "", name = "", value = ""] = call ?? [];
    const convert = callables.get(name);
    if (recall === undefined || convert === undefined) return code;
    callables.set(name, (given, last) => recall(given, last) ?? convert(given));
    // Once per entity: the first of the properties finds the last snapshot, the others have it.
    const found = "var snapshot = snapshot ?? entity.__helper?.__originalEntityData ?? {};\n";
    const last = `snapshot${this.wrap(prop.name)}`;
    return found + code.replace(statement, () => `${name}(${value}, ${last});\n`);
  };
}

/** Compares values of these properties only where the two snapshots do not hold the same object, which never changes. */
export function wrapComparisons(isImmutable: (prop: Property) => boolean): void {
  const { getPropertyComparator } = prototype;
  prototype.getPropertyComparator = function (prop, callables) {
    const code = getPropertyComparator.call(this, prop, callables);
    if (!isImmutable(prop)) return code;
    const key = this.wrap(prop.name);
    return code.replace("!compareValues_", () => `last${key} !== current${key} && !compareValues_`);
  };
}

interface Stored {
  readonly __helper: { readonly __meta: Meta; readonly __originalEntityData?: unknown };
}

/** What a flush found changed in an entity that is stored already, before it is written. */
export function wrapChanges(see: (meta: Meta, changes: Row) => void): void {
  const computer = ChangeSetComputer.prototype as unknown as {
    computePayload(entity: Stored, ...rest: unknown[]): Row;
  };
  const { computePayload } = computer;
  computer.computePayload = function (entity, ...rest) {
    const changes = computePayload.call(this, entity, ...rest);
    const { __meta: meta, __originalEntityData: last } = entity.__helper;
    if (last !== undefined) see(meta, changes);
    return changes;
  };
}
