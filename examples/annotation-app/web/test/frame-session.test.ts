import { expect } from "chai";
import type { SaveOutcome, SaveStatus } from "../src/data/autosave.ts";
import type { FrameDetail, SaveConflict } from "../src/data/contract.ts";
import {
  abandonUnsavedFrames,
  type Content,
  flushUnsavedFrames,
  FrameSession,
  hasUnsavedFrames,
  unsavedFrame,
  unsavedFrames,
  watchUnsavedFrames,
} from "../src/data/frame-session.ts";
import type { Boxes } from "../src/editor/box.ts";
import { box } from "./boxes.ts";
import { HandClock } from "./hand-clock.ts";

const a = box({ id: "a" });
const b = box({ id: "b", x: 100 });
const c = box({ id: "c", x: 200 });

function frame(boxes: Boxes, version: number, isReviewed = false): FrameDetail {
  return {
    id: "7",
    name: "gate.jpg",
    camera: "gate",
    capturedAt: "2026-11-20T06:00:00Z",
    boxCount: boxes.length,
    isReviewed,
    width: 640,
    height: 480,
    version,
    boxes,
    detections: [],
    metadata: {},
  };
}

function conflict(current: FrameDetail): SaveOutcome<SaveConflict> {
  const server = { current, savedBy: "Jonas", savedAt: "2026-11-20T06:00:00Z" };
  return { kind: "conflict", version: current.version, server };
}

interface Opened {
  readonly session: FrameSession;
  readonly clock: HandClock;
  readonly sent: (Content & { readonly version: number })[];
  readonly statuses: SaveStatus[];
}

function open(boxes: Boxes, ...outcomes: SaveOutcome<SaveConflict>[]): Opened {
  const clock = new HandClock();
  const sent: Opened["sent"] = [];
  const statuses: SaveStatus[] = [];
  const session = new FrameSession(frame(boxes, 1), {
    clock,
    onStatus: (status) => statuses.push(status),
    save: (_id, content, version) => {
      sent.push({ ...content, version });
      return Promise.resolve(outcomes.shift() ?? { kind: "saved", version: version + 1 });
    },
  });
  return { session, clock, sent, statuses };
}

describe("FrameSession", () => {
  it("saves boxes and the review together", async () => {
    const { session, clock, sent } = open([a]);
    session.setBoxes([a, b]);
    session.setReviewed(true);
    expect(hasUnsavedFrames()).to.equal(true);
    await clock.pass(500);
    expect(sent).to.deep.equal([{ boxes: [a, b], isReviewed: true, version: 1 }]);
    expect(session.version).to.equal(2);
    expect(hasUnsavedFrames()).to.equal(false);
  });

  it("saves nothing when the boxes are what they were", async () => {
    const { session, clock, sent } = open([a]);
    session.setBoxes([{ ...a }]);
    await clock.pass(60_000);
    expect(sent).to.have.length(0);
  });

  it("merges with what another person saved, on top of that version", async () => {
    const { session, clock, sent } = open([a], conflict(frame([a, c], 5, true)));
    session.setBoxes([a, b]);
    await clock.pass(500);
    expect(session.conflict?.savedBy).to.equal("Jonas");
    expect(session.merge()).to.deep.equal([a, c, b]);
    await clock.pass(500);
    // Only the other side changed the review, so theirs stays.
    expect(sent[1]).to.deep.equal({ boxes: [a, c, b], isReviewed: true, version: 5 });
    expect(session.status).to.equal("saved");
  });

  it("keeps one's own review where one changed it", async () => {
    const { session, clock, sent } = open([a], conflict(frame([a], 5)));
    session.setReviewed(true);
    await clock.pass(500);
    session.merge();
    await clock.pass(500);
    expect(sent[1]).to.deep.include({ isReviewed: true, version: 5 });
  });

  it("shows what the server has when one's own edits are dropped, and saves nothing", async () => {
    const { session, clock, sent } = open([a], conflict(frame([c], 5)));
    session.setBoxes([a, b]);
    await clock.pass(500);
    expect(session.reload()).to.deep.equal([c]);
    session.setBoxes([c]);
    await clock.pass(60_000);
    expect(sent).to.have.length(1);
    expect(session.version).to.equal(5);
  });

  it("is found again, with its edits, by whoever opens the frame while it waits", async () => {
    const { session, clock } = open([a], conflict(frame([a, c], 5)));
    session.setBoxes([a, b]);
    await clock.pass(500);
    expect(unsavedFrame("7")).to.equal(session);
    const seen: SaveStatus[] = [];
    session.onStatus = (status) => seen.push(status);
    session.merge();
    await clock.pass(500);
    expect(seen).to.deep.equal(["unsaved", "saving", "saved"]);
    expect(unsavedFrame("7")).to.equal(undefined);
  });

  it("tells who watches when something is not saved, and when it is", async () => {
    const { session, clock } = open([a]);
    const counts: number[] = [];
    const stop = watchUnsavedFrames(() => counts.push(unsavedFrames().length));
    session.setBoxes([a, b]);
    await clock.pass(500);
    stop();
    session.setBoxes([a]);
    expect(counts).to.deep.equal([1, 1, 0]);
    session.abandon();
  });

  it("sends nothing of an abandoned frame: it would be saved in somebody else's name", async () => {
    const { session, clock, sent } = open([a]);
    session.setBoxes([a, b]);
    abandonUnsavedFrames();
    await clock.pass(60_000);
    await flushUnsavedFrames();
    expect(sent).to.have.length(0);
    expect(hasUnsavedFrames()).to.equal(false);
  });

  it("forgets an abandoned frame also when a save of it was on its way", async () => {
    for (const outcome of ["lost", conflict(frame([c], 2))] as const) {
      const clock = new HandClock();
      let answer = (): void => {};
      const answered = new Promise<void>((resolve) => (answer = resolve));
      const save = async (): Promise<SaveOutcome<SaveConflict>> => {
        await answered;
        if (outcome === "lost") throw new Error("lost");
        return outcome;
      };
      const session = new FrameSession(frame([a], 1), { save, clock });
      session.setBoxes([a, b]);
      await clock.pass(500);
      abandonUnsavedFrames();
      answer();
      await clock.pass(60_000);
      expect(unsavedFrame("7")).to.equal(undefined);
    }
  });

  it("asks nobody about a conflict with its own save whose answer got lost", async () => {
    const { session, clock, sent, statuses } = open([a], conflict(frame([a, b], 2)));
    session.setBoxes([a, b]);
    await clock.pass(500);
    expect(session.conflict).to.equal(null);
    expect(statuses).to.not.include("conflict");
    expect(statuses.at(-1)).to.equal("saved");
    await clock.pass(60_000);
    expect(sent).to.have.length(1);
    expect(session.version).to.equal(2);
  });
});
