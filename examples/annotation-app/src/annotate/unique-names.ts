// Names of files in one folder: no two alike, also where a file system does not tell capitals apart.
import { extname } from "node:path";

export class UniqueNames {
  readonly #taken = new Set<string>();

  /** The name itself, or with the first free number before its ending. */
  take(name: string): string {
    const ending = extname(name);
    const stem = name.slice(0, name.length - ending.length);
    let free = name;
    for (let count = 2; this.#taken.has(keyOf(free)); count += 1)
      free = `${stem}-${count}${ending}`;
    this.#taken.add(keyOf(free));
    return free;
  }
}

function keyOf(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
