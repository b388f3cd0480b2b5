// What is said of runs that did not end with "done", and of a wait for another process.
import { DEFAULT_LEASE_MS, type Progress, type RunReport } from "@fieldseal/migrate";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { createOutput } from "../src/output.ts";
import { closing, leaseNote } from "../src/run-advice.ts";

const PROGRESS: Progress = {
  runId: "7",
  schema: "app",
  table: "users",
  state: "running",
  pass: 0,
  rowsSeen: 10,
  rowsTotal: 20,
  rowsWritten: 10,
  conflicts: 0,
  rowsSkipped: 0,
  poisonRows: 0,
  chunksLeft: 1,
  chunksAtWork: 1,
};

describe("The advice after a run", () => {
  const AGAIN = "fieldseal rotate";
  const said = (...runs: readonly Partial<RunReport>[]): string[] =>
    closing(
      runs.map((run) => ({ ...PROGRESS, poison: [], ...run })),
      AGAIN,
    );

  it("is none when all is done", () => {
    expect(said({ state: "done" }, { state: "done" })).to.deep.equal([]);
  });

  it("says of a run that is still marked as running why, how to go on, and how to stop it", () => {
    const [sentence, ...rest] = said({ state: "running" }, { state: "paused", runId: "8" });
    expect(sentence)
      .to.include("another process has a part of it")
      .and.include(`within ${DEFAULT_LEASE_MS / 1000} s`)
      .and.include(`Go on with: ${AGAIN}.`)
      .and.include("fieldseal migrate pause 7");
    expect(rest).to.deep.equal([]);
  });

  it("names the command that goes on, or begins anew", () => {
    expect(said({ state: "paused" })).to.deep.equal([
      `Paused; what is written is complete. Go on with: ${AGAIN}`,
    ]);
    expect(said({ state: "cancelled" })[0]).to.match(
      /^Cancelled; .*Begin anew with: fieldseal rotate$/,
    );
  });

  it("says what to do about rows that cannot be read, and about locked ones", () => {
    const sentences = said({ state: "partial", poisonRows: 2, rowsSkipped: 1 });
    expect(sentences[0]).to.include("2 rows cannot be read").and.include('"fieldseal verify"');
    expect(sentences[1]).to.include("locked").and.include(AGAIN);
    expect(sentences).to.have.length(2);
    expect(said({ state: "partial" })).to.deep.equal([
      `Something wrote other values all the while: deploy what writes envelopes everywhere, then: ${AGAIN}`,
    ]);
  });
});

describe("The note of a wait for another process", () => {
  it("comes once a wait, after a moment, and says until when", async () => {
    let text = "";
    const output = { ...createOutput("text"), note: (note: string): void => void (text += note) };
    const tell = leaseNote(output);
    const waiting = { ...PROGRESS, waitingFor: "lease of another process", waitingSeconds: 20 };
    tell(waiting);
    expect(text).to.equal("");
    await sleep(1050);
    for (let i = 0; i < 3; i++) tell(waiting);
    expect(text.match(/lease of another process, until \d\d:\d\d:\d\d/g)).to.have.length(1);
    expect(text).to.include("What is left of app.users").and.include("goes on then by itself");
    tell(PROGRESS);
    tell(waiting);
    expect(text.match(/until/g)).to.have.length(1);
  });
});
