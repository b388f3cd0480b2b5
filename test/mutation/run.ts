// `npm run mutation`: makes every mutant of the files below, runs the tests that guard them against each, and
// prints the score and the survivors. A mutant that hangs is killed, and counts as noticed.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { EQUIVALENT } from "./equivalent.ts";
import { findMutants, type Mutant } from "./mutants.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SOURCE = "packages/crypto/src";
const FILES = [
  "base64.ts",
  "envelope.ts",
  "envelope-sealer.ts",
  "envelope-opener.ts",
  "stored-form.ts",
  "keyring.ts",
  "key.ts",
  "suites/cbc-hmac.ts",
  "suites/cbc-handle.ts",
  "suites/hmac.ts",
  "suites/gcm.ts",
  "suites/siv.ts",
  "suites/cmac.ts",
  "suites/ctr.ts",
  "suites/legacy-cbc.ts",
];
/** Fastest and sharpest first, because the first failure ends a run. */
const TESTS = [
  "known-answer",
  "base64",
  "edge-cases",
  "keyring",
  "keyset",
  "envelope",
  "wycheproof",
  "column-cipher",
  "cbc-handle",
  "api",
  "legacy",
  "secrets",
  "channels",
  "codecs",
  "tamper",
].map((name) => `packages/crypto/test/${name}.test.ts`);
const SLOW_TESTS = "million|several threads";
const TIMEOUT_MS = 30_000;
const FLOOR_PERCENT = 90;

const only = process.argv.slice(2);
const mutants = FILES.filter((file) => only.length === 0 || only.includes(file)).flatMap((file) =>
  findMutants(`${SOURCE}/${file}`, readFileSync(`${root}${SOURCE}/${file}`, "utf8")),
);
if (!(await survives(null))) throw new Error("The tests fail without a mutant; mend that first.");

const survivors: Mutant[] = [];
const equivalents: Mutant[] = [];
const queue = mutants.entries();
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (const [i, mutant] of queue) {
      if (await survives(mutant)) (isEquivalent(mutant) ? equivalents : survivors).push(mutant);
      if (i % 50 === 49)
        console.error(`${i + 1} of ${mutants.length}, ${survivors.length} survived`);
    }
  }),
);

for (const { file, line, original, replacement } of survivors) {
  const shown = original.length > 70 ? `${original.slice(0, 70)}…` : original;
  console.log(`survived: ${file}:${line}  ${shown.replaceAll(/\s+/g, " ")}  ->  ${replacement}`);
}
const counted = mutants.length - equivalents.length;
const score = (1 - survivors.length / counted) * 100;
console.log(
  `${mutants.length} mutants; ${equivalents.length} change nothing that is promised (equivalent.ts says why); ` +
    `of the other ${counted}, ${survivors.length} survived: score ${score.toFixed(1)} %`,
);
writeFileSync(`${root}/node_modules/.cache/mutation.json`, JSON.stringify({ score, survivors }));
if (score < FLOOR_PERCENT) process.exitCode = 1;

function isEquivalent({ file, line, original, replacement }: Mutant): boolean {
  const code = readFileSync(`${root}${file}`, "utf8").split("\n")[line - 1] ?? "";
  const change = `${original.replaceAll(/\s+/g, " ")} -> ${replacement}`;
  return EQUIVALENT.some(
    (known) =>
      file.endsWith(`/${known.file}`) &&
      code.includes(known.code) &&
      (known.change === undefined || known.change === change),
  );
}

/** Whether all tests pass with this mutant in place. */
function survives(mutant: Mutant | null): Promise<boolean> {
  const mocha = `${root}node_modules/mocha/bin/mocha.js`;
  const child = spawn(
    process.execPath,
    [
      "--conditions=@fieldseal/source",
      "--import=./test/mutation/mutate-on-load.ts",
      mocha,
      "--no-config",
      "--bail",
      "--reporter=dot",
      "--timeout=20000",
      `--grep=${SLOW_TESTS}`,
      "--invert",
      ...TESTS,
    ],
    {
      cwd: root,
      stdio: "ignore",
      env: { ...process.env, NODE_NO_WARNINGS: "1", FIELDSEAL_MUTANT: JSON.stringify(mutant) },
    },
  );
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}
