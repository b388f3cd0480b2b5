import { expect } from "chai";
import { neighbour, nextUnreviewed } from "../src/screens/walk.ts";

const frames = [
  { id: "1", isReviewed: true },
  { id: "2", isReviewed: false },
  { id: "3", isReviewed: true },
  { id: "4", isReviewed: false },
];

describe("walking from frame to frame", () => {
  it("goes to the neighbours, and stops at both ends", () => {
    expect(neighbour(frames, "2", 1)?.id).to.equal("3");
    expect(neighbour(frames, "2", -1)?.id).to.equal("1");
    expect(neighbour(frames, "1", -1)).to.equal(undefined);
    expect(neighbour(frames, "4", 1)).to.equal(undefined);
  });

  it("goes on at the start of the list from a frame that the filter hides", () => {
    expect(neighbour(frames, "hidden", 1)?.id).to.equal("1");
    expect(nextUnreviewed(frames, "hidden")?.id).to.equal("2");
  });

  it("finds the next frame to review, round the end of the list", () => {
    expect(nextUnreviewed(frames, "1")?.id).to.equal("2");
    expect(nextUnreviewed(frames, "2")?.id).to.equal("4");
    expect(nextUnreviewed(frames, "4")?.id).to.equal("2");
  });

  it("finds none when only the frame on screen is left", () => {
    const done = frames.map((frame) => ({ ...frame, isReviewed: frame.id !== "3" }));
    expect(nextUnreviewed(done, "3")).to.equal(undefined);
  });
});
