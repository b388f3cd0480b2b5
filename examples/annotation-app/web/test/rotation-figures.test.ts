import { expect } from "chai";
import type { KeyInfo, RotationState } from "../src/data/contract.ts";
import { figuresOf, oldUseOf, sentenceOf } from "../src/data/rotation-figures.ts";

const RUNNING: RotationState = {
  state: "running",
  done: 137,
  total: 1_373,
  rowsPerSecond: 60.4,
  etaSeconds: 20.1,
  workedSeconds: 2.3,
  failures: 0,
  step: "frame",
};
const key = (fields: Partial<KeyInfo>): KeyInfo => ({
  id: "0badc0de",
  status: "decrypt-only",
  values: 0,
  objects: 0,
  ...fields,
});

describe("The figures of a re-encryption", () => {
  it("are its speed and what remains while it runs", () => {
    expect(figuresOf(RUNNING)).to.deep.equal([
      ["Rows and files", "137 of 1,373"],
      ["Speed", "60 per second"],
      ["Remaining", "21 s"],
      ["Failures", "0"],
    ]);
  });

  it("are what it has done and how long that took once it has ended, and no speed of zero", () => {
    const ended = { rowsPerSecond: 0, etaSeconds: null, workedSeconds: 27.5 };
    expect(figuresOf({ ...RUNNING, ...ended, state: "done", done: 1_373 })).to.deep.equal([
      ["Rows and files", "1,373"],
      ["Average speed", "50 per second"],
      ["Time", "28 s"],
      ["Failures", "0"],
    ]);
    expect(figuresOf({ ...RUNNING, ...ended, state: "paused" })).to.deep.include.members([
      ["Rows and files", "137 of 1,373"],
      ["Time", "28 s"],
    ]);
  });

  it("are none before the first, and none that was not measured", () => {
    const values = (figures: ReturnType<typeof figuresOf>): string[] =>
      figures.map(([, value]) => value);
    expect(values(figuresOf(null))).to.deep.equal(["–", "–", "–", "–"]);
    expect(values(figuresOf({ ...RUNNING, state: "done", done: 0, total: 0 }))).to.deep.equal([
      "–",
      "–",
      "–",
      "–",
    ]);
    const unmeasured = { ...RUNNING, state: "done", done: 1_373, workedSeconds: 0 } as const;
    expect(values(figuresOf(unmeasured))).to.deep.equal(["1,373", "–", "–", "0"]);
  });
});

describe("What is under older keys", () => {
  it("is not known before anybody has counted", () => {
    expect(oldUseOf(null)).to.equal(null);
  });

  it("is what every key but the primary has", () => {
    const keys = [
      key({ status: "primary", values: 700, objects: 50 }),
      key({ values: 3 }),
      key({ values: 1, objects: 2 }),
    ];
    expect(oldUseOf(keys)).to.deep.equal({ values: 4, objects: 2 });
    expect(sentenceOf({ values: 4, objects: 2 })).to.equal(
      "4 values and 2 files under an older key",
    );
    expect(sentenceOf({ values: 0, objects: 1 })).to.equal("1 file under an older key");
  });

  it("is nothing only where all of them have nothing", () => {
    const use = oldUseOf([key({ status: "primary", values: 700 }), key({})]);
    expect(use && sentenceOf(use)).to.equal("Everything is under the primary key");
  });
});
