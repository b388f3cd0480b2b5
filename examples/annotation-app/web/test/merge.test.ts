import { expect } from "chai";
import { mergeBoxes } from "../src/editor/merge.ts";
import { box } from "./boxes.ts";

const a = box({ id: "a" });
const b = box({ id: "b", x: 100 });
const c = box({ id: "c", x: 200 });

describe("mergeBoxes", () => {
  it("keeps what either side added", () => {
    expect(mergeBoxes([a], [a, b], [a, c])).to.deep.equal([a, c, b]);
  });

  it("takes the change of whichever side made one", () => {
    const moved = { ...a, x: 50 };
    const relabelled = { ...b, label: "car" };
    expect(mergeBoxes([a, b], [moved, b], [a, relabelled])).to.deep.equal([moved, relabelled]);
  });

  it("prefers the screen where both changed one box", () => {
    const mine = { ...a, x: 50 };
    const theirs = { ...a, x: 60 };
    expect(mergeBoxes([a], [mine], [theirs])).to.deep.equal([mine]);
  });

  it("deletes what one side deleted and the other left alone", () => {
    expect(mergeBoxes([a, b], [b], [a, b])).to.deep.equal([b]);
    expect(mergeBoxes([a, b], [a, b], [a])).to.deep.equal([a]);
    expect(mergeBoxes([a, b], [b], [a])).to.deep.equal([]);
  });

  it("keeps a box that one side edited and the other deleted", () => {
    const edited = { ...a, x: 50 };
    expect(mergeBoxes([a], [edited], [])).to.deep.equal([edited]);
    expect(mergeBoxes([a], [], [edited])).to.deep.equal([edited]);
  });
});
