// At every flush MikroORM makes a snapshot of each managed entity and compares it with the last one. A text that nobody
// touched keeps the cell that the last snapshot has for it: no cell is made, and comparing it is a look at the reference.
import { encryptedTypeOf } from "./binding.ts";
import { Cell } from "./cell.ts";
import { wrapComparisons, wrapSnapshots } from "./comparator-internals.ts";

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
}
