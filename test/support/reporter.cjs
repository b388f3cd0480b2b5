// Mocha's spec reporter, plus: skipped tests by name with their reason, and totals as the very last line.
// FIELDSEAL_REQUIRE_ALL=1 (CI) makes a skipped test a failure, so that nothing is skipped unseen.
const { mkdirSync, writeFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const { reporters, Runner } = require("mocha");

/** Read by what comes after the tests (coverage, .ci/run), so that the totals can be last there too. */
const TOTALS_FILE =
  process.env.FIELDSEAL_TOTALS_FILE ?? join(__dirname, "../../node_modules/.cache/test-totals.txt");
const isSkipFailure = process.env.FIELDSEAL_REQUIRE_ALL === "1";

class TotalsLast extends reporters.Spec {
  #skipped = [];

  constructor(runner, options) {
    super(runner, options);
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => this.#skipped.push(test));
  }

  done(failures, finish) {
    const verdict = isSkipFailure ? "refused by FIELDSEAL_REQUIRE_ALL" : "skipped";
    for (const test of this.#skipped) {
      console.log(`  ${verdict}: ${test.fullTitle()} (${reasonOf(test)})`);
    }
    const skips = isSkipFailure ? 0 : this.#skipped.length;
    const failed = failures + this.#skipped.length - skips;
    const totals = `${this.stats.passes} passed, ${failed} failed${skips > 0 ? `, ${skips} skipped` : ""}`;
    mkdirSync(dirname(TOTALS_FILE), { recursive: true });
    writeFileSync(TOTALS_FILE, `${totals}\n`);
    // On exit, so that nothing (coverage, late logs) comes after it in this process.
    process.on("exit", () => console.log(totals));
    finish(failed);
  }
}

/** What test/support/skip.ts noted on the test or on a suite around it. */
function reasonOf(test) {
  for (let one = test; one; one = one.parent) if (one.skipReason) return one.skipReason;
  return "no reason given";
}

module.exports = TotalsLast;
