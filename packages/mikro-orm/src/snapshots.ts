// At every flush MikroORM makes a snapshot of each managed entity and compares it with the last one. A text that nobody
// touched keeps the cell that the last snapshot has for it: no cell is made, and comparing it is a look at the reference.
import { encryptedTypeOf } from "./binding.ts";
import { BlindIndexType } from "./blind-index-type.ts";
import { Cell } from "./cell.ts";
import { wrapChanges, wrapComparisons, wrapSnapshots } from "./comparator-internals.ts";
import { propertiesOf, type Properties, type Row } from "./mikro-orm-internals.ts";
import { companionsOf } from "./rows.ts";

let isInstalled = false;

/** Once per process and version of MikroORM. It changes snapshots of encrypted properties only. */
export function installSnapshots(): void {
  if (isInstalled) return;
  isInstalled = true;
  wrapSnapshots((prop) => {
    const type = encryptedTypeOf(prop);
    if (type?.isCanonical !== true) return undefined;
    return (value, last) => (last instanceof Cell && last.isFor(type, value) ? last : undefined);
  });
  wrapComparisons((prop) => encryptedTypeOf(prop) !== undefined);
  wrapChanges((meta, changes) => {
    const names = Object.keys(changes);
    if (names.length > 0) dropLoneTokens(propertiesOf(meta), changes, names);
  });
}

/** An entity's token may be that of a value it had before, or has elsewhere: only with its value it is made anew. */
function dropLoneTokens(properties: Properties, changes: Row, names: readonly string[]): void {
  const written = companionsOf(properties, names);
  for (const name of names) {
    const isToken = properties[name]?.customType instanceof BlindIndexType;
    if (isToken && !written.includes(name)) delete changes[name];
  }
}
