// Preloaded into a test process: gives one source file with one mutant in it, and leaves the disk alone.
import { registerHooks } from "node:module";
import type { Mutant } from "./mutants.ts";

const mutant = JSON.parse(process.env.FIELDSEAL_MUTANT ?? "null") as Mutant | null;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (mutant === null || !url.endsWith(mutant.file)) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString();
    return {
      ...loaded,
      source: source.slice(0, mutant.start) + mutant.replacement + source.slice(mutant.end),
    };
  },
});
