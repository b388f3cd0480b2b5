// Fails when a package is covered less than it promises; prints one line a package, then the test totals.
// Reads what `c8 mocha` wrote, so that the tests run once.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Coverage {
  readonly total: number;
  readonly covered: number;
}
type FileCoverage = Readonly<Record<"lines" | "branches", Coverage>>;

/** In percent. The crypto package is where a line that no test runs is most dangerous. */
const FLOORS: Readonly<Record<string, { lines: number; branches: number }>> = {
  crypto: { lines: 100, branches: 95 },
};
const FLOOR_ELSEWHERE = { lines: 90, branches: 80 };

const root = fileURLToPath(new URL("../..", import.meta.url));
const summary = JSON.parse(
  readFileSync(`${root}/coverage/coverage-summary.json`, "utf8"),
) as Record<string, FileCoverage>;

const packages = Map.groupBy(
  Object.entries(summary).filter(([file]) => file !== "total"),
  ([file]) => /packages\/([^/]+)\//.exec(file)?.[1] ?? "elsewhere",
);

for (const [name, files] of packages) {
  const floor = FLOORS[name] ?? FLOOR_ELSEWHERE;
  const lines = percent(files.map(([, file]) => file.lines));
  const branches = percent(files.map(([, file]) => file.branches));
  console.log(
    `coverage of ${name}: lines ${lines.toFixed(2)} %, branches ${branches.toFixed(2)} %`,
  );
  if (lines < floor.lines || branches < floor.branches) {
    console.error(`  below its floor: lines ${floor.lines} %, branches ${floor.branches} %`);
    process.exitCode = 1;
  }
}
const totals = process.env.FIELDSEAL_TOTALS_FILE ?? `${root}/node_modules/.cache/test-totals.txt`;
console.log(readFileSync(totals, "utf8").trim());

function percent(counts: readonly Coverage[]): number {
  const total = counts.reduce((sum, { total: all }) => sum + all, 0);
  const covered = counts.reduce((sum, { covered: some }) => sum + some, 0);
  return total === 0 ? 100 : (covered / total) * 100;
}
