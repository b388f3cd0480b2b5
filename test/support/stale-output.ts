// `tsc -b` leaves the output of files that are gone, and npm would pack it. Run after the compiler, it removes that.
import { existsSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** "dist/suites/gcm.d.ts" comes of "src/suites/gcm.ts". */
export function sourceOf(output: string): string {
  return output.replace(/(^|\/)dist\//, "$1src/").replace(/(\.d\.ts|\.js)$/, ".ts");
}

export function removeStaleOutput(): void {
  for (const output of globSync("packages/*/dist/**/*.{js,d.ts}", { cwd: root })) {
    if (!existsSync(join(root, sourceOf(output)))) rmSync(join(root, output));
  }
}

if (import.meta.main) removeStaleOutput();
