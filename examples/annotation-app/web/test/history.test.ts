import { expect } from "chai";
import fc from "fast-check";
import { History } from "../src/editor/history.ts";

describe("History", () => {
  it("makes exactly one entry of a gesture, however many previews it had", () => {
    const history = new History(0);
    history.begin();
    for (let step = 1; step <= 50; step += 1) history.preview(step);
    expect(history.end()).to.equal(true);
    expect(history.undo()).to.equal(true);
    expect(history.present).to.equal(0);
    expect(history.canUndo).to.equal(false);
  });

  it("makes no entry of a cancelled gesture, and keeps what could be redone", () => {
    const history = new History(0);
    history.commit(1);
    history.undo();
    history.begin();
    history.preview(9);
    history.cancel();
    expect(history.present).to.equal(0);
    expect(history.canUndo).to.equal(false);
    expect(history.canRedo).to.equal(true);
  });

  it("makes no entry of a gesture that came back to where it began", () => {
    const history = new History({ x: 1 }, (a, b) => a.x === b.x);
    const before = history.present;
    history.begin();
    history.preview({ x: 2 });
    history.preview({ x: 1 });
    expect(history.end()).to.equal(false);
    expect(history.canUndo).to.equal(false);
    expect(history.present).to.equal(before);
  });

  it("shows the preview, but lets nobody save it", () => {
    const history = new History(0);
    history.begin();
    history.preview(5);
    expect(history.present).to.equal(5);
    expect(history.settled).to.equal(0);
    history.end();
    expect(history.settled).to.equal(5);
  });

  it("cancels a gesture that an undo interrupts", () => {
    const history = new History(0);
    history.commit(1);
    history.begin();
    history.preview(7);
    history.undo();
    expect(history.present).to.equal(0);
    history.redo();
    expect(history.present).to.equal(1);
  });

  it("amends the latest entry without one of its own, and drops it when it came back to its start", () => {
    const history = new History("");
    history.commit("a");
    expect(history.amend("ab")).to.equal(true);
    expect(history.present).to.equal("ab");
    history.undo();
    expect(history.present).to.equal("");
    history.redo();
    expect(history.present).to.equal("ab");
    expect(history.amend("")).to.equal(false);
    expect(history.canUndo).to.equal(false);
  });

  it("refuses a preview outside a gesture", () => {
    expect(() => new History(0).preview(1)).to.throw("between begin() and end()");
  });

  it("returns through all undos to the start, and through all redos to the end", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { maxLength: 30 }), (values) => {
        const history = new History<number>(-0.5);
        const entries = values.filter((value) => history.commit(value)).length;
        const last = history.present;
        let undone = 0;
        while (history.undo()) undone += 1;
        expect(undone).to.equal(entries);
        expect(history.present).to.equal(-0.5);
        while (history.redo());
        expect(history.present).to.equal(last);
      }),
    );
  });
});
