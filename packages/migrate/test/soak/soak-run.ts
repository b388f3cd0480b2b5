// `npm run soak`: a minute and more of everything that can go wrong at once, on a server of its own.
import { parseArgs } from "node:util";
import { stopPostgres } from "../../../../test/support/postgres.ts";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    seconds: { type: "string", default: "75" },
    rows: { type: "string", default: "100000" },
    kills: { type: "string", default: "30" },
    stalls: { type: "string", default: "10" },
    cuts: { type: "string", default: "20" },
    crashes: { type: "string", default: "2" },
  },
});
const settings = {
  seed: Number(values.seed),
  seconds: Number(values.seconds),
  rows: Number(values.rows),
  kills: Number(values.kills),
  stalls: Number(values.stalls),
  cutConnections: Number(values.cuts),
  crashes: Number(values.crashes),
};
console.log(settings);
const figures = await soak(settings);
console.log(figures);
await stopPostgres();
const isRight =
  figures.violations.length === 0 && figures.workerErrors.length === 0 && figures.deadlocks === 0;
console.log(isRight ? "Nothing was lost." : `WRONG. Repeat with --seed ${settings.seed}`);
process.exitCode = isRight ? 0 : 1;
