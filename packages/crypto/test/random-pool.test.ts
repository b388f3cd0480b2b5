import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { fillRandom } from "../src/random-pool.ts";

describe("the random pool", () => {
  it("never repeats, across refills, and writes where it is told only", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const buffer = Buffer.alloc(20);
      fillRandom(buffer, 2, 16);
      expect([buffer[0], buffer[1], buffer[18], buffer[19]]).to.deep.equal([0, 0, 0, 0]);
      seen.add(buffer.toString("hex"));
    }
    expect(seen).to.have.property("size", 2000);
  });

  it("gives bytes that look uniform", () => {
    const ones = new Array<number>(128).fill(0);
    const rounds = 20_000;
    const buffer = Buffer.alloc(16);
    for (let i = 0; i < rounds; i++) {
      fillRandom(buffer, 0, 16);
      for (let bit = 0; bit < 128; bit++) ones[bit]! += (buffer[bit >> 3]! >> (bit & 7)) & 1;
    }
    // Seven standard deviations: chance of a false alarm below 1e-9.
    const margin = 7 * Math.sqrt(rounds / 4);
    for (const count of ones) expect(count).to.be.within(rounds / 2 - margin, rounds / 2 + margin);
  });

  it("is empty in a start-up snapshot, so that two processes from one do not share bytes", () => {
    const folder = mkdtempSync(join(tmpdir(), "fieldseal-snapshot-"));
    const blob = join(folder, "snapshot.blob");
    const entry = join(folder, "entry.cjs");
    writeFileSync(entry, snapshotEntry());
    const run = (...parameters: string[]): string =>
      execFileSync(process.execPath, ["--snapshot-blob", blob, ...parameters], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        env: { ...process.env, NODE_OPTIONS: "" },
      });
    run("--build-snapshot", entry);
    const outputs = [run(), run()];
    expect(outputs[0]).to.match(/^[0-9a-f]{32}$/);
    expect(outputs[0]).to.not.equal(outputs[1]);
    rmSync(folder, { recursive: true });
  });
});

/** The pool's source as the one script that a snapshot is built from; it draws before and after. */
function snapshotEntry(): string {
  const source = readFileSync(new URL("../src/random-pool.ts", import.meta.url), "utf8");
  const script = stripTypeScriptTypes(source)
    .replaceAll(/import \{ (\w+) \} from ("node:\w+");/g, "const { $1 } = require($2);")
    .replace("export function", "function");
  return `${script}
    fillRandom(Buffer.alloc(16), 0, 16);
    startupSnapshot.setDeserializeMainFunction(() => {
      const bytes = Buffer.alloc(16);
      fillRandom(bytes, 0, 16);
      process.stdout.write(bytes.toString("hex"));
    });`;
}
