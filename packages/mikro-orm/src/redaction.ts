// What MikroORM puts into messages: the condition of a search without a result, and entities. Both keep their shape
// and lose the plaintext of encrypted properties.
import { inspect } from "node:util";
import { encryptedTypeOf } from "./binding.ts";
import { encryptionOf } from "./rows.ts";
import { metaOf, wrapEntityErrors, wrapFindOneOrFail } from "./entity-manager-internals.ts";
import {
  allMetadata,
  propertiesOf,
  propertyAt,
  targetOf,
  type Meta,
  type Properties,
  type Property,
  type Row,
} from "./mikro-orm-internals.ts";
import { isPlainObject } from "./plain-object.ts";

const ENCRYPTED = { [inspect.custom]: () => "[encrypted]", toJSON: () => "[encrypted]" };

/** Prototypes of entities and embeddables that are. */
const redacted = new WeakMap<object, Meta>();

let isInstalled = false;

/** Once per process and version of MikroORM. */
export function installRedaction(): void {
  if (isInstalled) return;
  isInstalled = true;
  wrapFindOneOrFail((em, entityName, where) => {
    const meta = metaOf(em, entityName);
    return meta ? redactCondition(propertiesOf(meta), where) : where;
  });
  const hideValue = (entity: unknown, property: string): unknown => {
    const meta = redacted.get(Object.getPrototypeOf(entity) as object);
    return encryptedTypeOf(meta && propertyAt(propertiesOf(meta), property)) && ENCRYPTED;
  };
  wrapEntityErrors(hideEntity, hideValue, shapeOf);
}

function isEncrypted(properties: Properties): boolean {
  const { encrypted, embedded } = encryptionOf(properties);
  return encrypted.length + embedded.length > 0;
}

/** Logs write an error's own properties, the entity as JSON in the clear. `error.getEntity()` still gives it. */
function hideEntity(error: { entity?: unknown }): void {
  const { entity } = error;
  if (typeof entity !== "object" || entity === null) return;
  if (!redacted.has(Object.getPrototypeOf(entity) as object)) return;
  Object.defineProperty(error, "entity", { enumerable: false });
}

function redactCondition(properties: Properties, where: unknown): unknown {
  if (Array.isArray(where)) return where.map((item) => redactCondition(properties, item));
  if (!isPlainObject(where)) return where;
  const { encrypted } = encryptionOf(properties);
  const entries = Object.entries(where).map(([key, value]) => {
    // With a path into an embeddable, nobody knows by the first name.
    const isEncrypted = key.includes(".") || encrypted.some(({ name }) => name === key);
    if (isEncrypted) return [key, redactValue(value)];
    const prop = properties[key];
    const inner = prop?.embeddedProps ?? targetOf(prop)?.properties ?? properties;
    return [key, redactCondition(inner as Properties, value)];
  });
  return Object.fromEntries(entries) as Row;
}

/** Operators stay, which say what was asked. */
function redactValue(value: unknown): unknown {
  if (value === null || value === undefined) return value;
  if (!isPlainObject(value)) return ENCRYPTED;
  const operators = Object.keys(value).filter((key) => key.startsWith("$"));
  if (operators.length === 0) return ENCRYPTED;
  return Object.fromEntries(operators.map((key) => [key, redactValue(value[key])]));
}

/** Names without values: not all conditions tell whose they are. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (!isPlainObject(value)) return ENCRYPTED;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, shapeOf(part)]));
}

/** After discovery. `console.log(user)` and messages about an entity then show which properties it has, not those. */
export function redactEntities(metadata: { getAll(): unknown }): void {
  for (const meta of allMetadata(metadata)) {
    const prototype = meta.prototype as object | undefined;
    if (!prototype || redacted.has(prototype) || !isEncrypted(propertiesOf(meta))) continue;
    redacted.set(prototype, meta);
    redactPrototype(prototype, meta);
  }
}

type Inspect = (this: object, ...parameters: unknown[]) => unknown;
type Inspectable = { [inspect.custom]?: Inspect };

function redactPrototype(prototype: Inspectable, meta: Meta): void {
  // MikroORM's own, one of the user's, or none: an embeddable has none.
  const show = prototype[inspect.custom];
  const redactedShow: Inspect = function (...parameters) {
    const view = redactedView(this, propertiesOf(meta));
    return show ? show.apply(view, parameters) : { ...view };
  };
  Object.defineProperty(prototype, inspect.custom, {
    value: redactedShow,
    configurable: true,
    writable: true,
  });
}

/** The object itself, except that encrypted properties read as a mark. */
function redactedView(target: object, properties: Properties): object {
  return new Proxy(target, {
    get: (object, key) => {
      const value: unknown = Reflect.get(object, key, object);
      const prop = typeof key === "string" ? properties[key] : undefined;
      return prop === undefined ? value : redactProperty(value, prop, properties);
    },
  });
}

function redactProperty(value: unknown, prop: Property, properties: Properties): unknown {
  if (value === null || value === undefined) return value;
  const { encrypted, embedded } = encryptionOf(properties);
  if (encrypted.some(({ type }) => type === (prop.customType as unknown))) return ENCRYPTED;
  if (!embedded.includes(prop)) return value;
  // Given as a plain object, an embeddable is one until it is loaded again.
  const inner = prop.embeddedProps as Properties;
  const view = (item: unknown): unknown =>
    isPlainObject(item) ? { ...redactedView(item, inner) } : item;
  return Array.isArray(value) ? value.map(view) : view(value);
}
