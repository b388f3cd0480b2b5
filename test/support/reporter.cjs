// Mocha's spec reporter, plus: skipped tests by name with their reason, and totals as the very last line.
// FIELDSEAL_REQUIRE_ALL=1 (CI) makes a skipped test a failure, so that nothing is skipped unseen.
const { mkdirSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { reporters, Runner } = require("mocha");

const TOTALS_FILE = join(__dirname, "../../node_modules/.cache/test-totals.txt");
const isSkipFailure = process.env.FIELDSEAL_REQUIRE_ALL === "1";

class TotalsLast extends reporters.Spec {
  #skipped = [];

  constructor(runner, options) {
    super(runner, options);
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => this.#skipped.push(test.fullTitle()));
  }

  done(failures, finish) {
    const skipFailures = isSkipFailure ? this.#skipped.length : 0;
    if (this.#skipped.length > 0) {
      const verdict = isSkipFailure ? "refused by FIELDSEAL_REQUIRE_ALL" : "skipped";
      for (const title of this.#skipped) console.log(`  ${verdict}: ${title}`);
    }
    const skips = this.#skipped.length - skipFailures;
    const failed = failures + skipFailures;
    const totals = `${this.stats.passes} passed, ${failed} failed${skips > 0 ? `, ${skips} skipped` : ""}`;
    mkdirSync(join(TOTALS_FILE, ".."), { recursive: true });
    writeFileSync(TOTALS_FILE, `${totals}\n`);
    // On exit, so that nothing (coverage, late logs) comes after it in this process.
    process.on("exit", () => console.log(totals));
    finish(failed);
  }
}

module.exports = TotalsLast;
