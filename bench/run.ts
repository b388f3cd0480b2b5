// `npm run bench -- crypto`: installs what the benchmarks compare with, once, then runs one of them.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.replace(".bench.ts", ""));

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(`Usage: npm run bench -- <${names.join(" | ")}>`);
  process.exit(2);
}
if (!existsSync(`${folder}node_modules`)) {
  run("npm", ["ci", "--no-audit", "--no-fund"]);
}
run(process.execPath, [
  "--conditions=@fieldseal/source",
  "--expose-gc",
  "--no-warnings",
  `${folder}${name}.bench.ts`,
  ...rest,
]);

function run(command: string, parameters: readonly string[]): void {
  const { status } = spawnSync(command, parameters, { cwd: folder, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
