// A few seconds of what `npm run soak` does for longer.
import { expect } from "chai";
import { soak } from "./soak.ts";

describe("The engine beside an application, killed and crashed", function () {
  this.timeout(60_000);

  it("loses no acknowledged write, encrypts nothing twice and causes no deadlock", async function () {
    const seed = Number(process.env.SOAK_SEED ?? Math.floor(Math.random() * 2 ** 31));
    this.runnable().title += ` (SOAK_SEED=${seed})`;
    const figures = await soak({
      seed,
      seconds: 8,
      rows: 6000,
      kills: 6,
      stalls: 3,
      cutConnections: 6,
      crashes: 1,
    });
    expect(figures.violations).to.deep.equal([]);
    expect(figures.workerErrors).to.deep.equal([]);
    expect(figures.deadlocks).to.equal(0);
    expect(figures.counts["worker killed"]).to.equal(6);
    expect(figures.counts["worker stalled"]).to.equal(3);
    expect(figures.counts["server crashed"]).to.equal(1);
    expect(figures.counts.commit).to.be.greaterThan(200);
  });
});
