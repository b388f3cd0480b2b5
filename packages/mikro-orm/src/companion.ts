// The property that holds the tokens of a blind index: declared by the user, so that the schema generator makes its
// column; filled by rows.ts and searched by search.ts.
import { ConfigError } from "@fieldseal/crypto";
import { bindingOf, type BoundType } from "./binding.ts";
import {
  columnOf,
  propertiesOf,
  targetOf,
  type Meta,
  type Property,
} from "./mikro-orm-internals.ts";

/**
 * Name of the companion property beside the one that this type serves.
 * @throws {@link ConfigError} `ERR_CONFIG_OPTION` when none is declared for the column
 */
export function companionOf(type: BoundType): string {
  const binding = bindingOf(type);
  const column = type.options.blindIndex?.column;
  const companion = binding && column && findCompanion(binding.meta, binding.prop, column);
  if (companion) return companion.name;
  throw new ConfigError(
    "ERR_CONFIG_OPTION",
    `${binding?.label} keeps its blind index in column "${column}", but ${binding?.meta.className} has no property ` +
      `for it. Add a nullable property of type BlindIndexType with that column, and an index on it.`,
  );
}

function findCompanion(meta: Meta, prop: Property, column: string): Property | undefined {
  const properties = Object.values<Property>(meta.properties as never);
  if (!prop.embedded) return properties.find((other) => isNamed(other, column));
  const parent = meta.properties[prop.embedded[0] as never] as Property;
  // By its column in the embeddable, before which there may be several prefixes.
  const declared = propertiesOf(targetOf(parent));
  const inEmbeddable = Object.entries<Property>(parent.embeddedProps ?? {}).find(
    ([name, other]) => isNamed(other, column) || isNamed(declared[name] ?? other, column),
  );
  return inEmbeddable && properties.find(({ name }) => name === inEmbeddable[1].name);
}

function isNamed(prop: Property, column: string): boolean {
  return prop.name === column || columnOf(prop) === column;
}
