import { expect } from "chai";
import { BoxDocument } from "../src/editor/box-document.ts";
import type { Boxes } from "../src/editor/box.ts";
import { box } from "./boxes.ts";

const IMAGE = { width: 640, height: 480 };

function documentOf(boxes: Boxes): { document: BoxDocument; saved: Boxes[] } {
  const saved: Boxes[] = [];
  const document = new BoxDocument("person", {
    onPaint: () => {},
    onChange: (changed) => saved.push(changed),
  });
  document.load(boxes, IMAGE);
  return { document, saved };
}

describe("BoxDocument", () => {
  it("saves once per drawn box, with the label of the next box", () => {
    const { document, saved } = documentOf([]);
    document.label = "car";
    document.previewNew("new", { x: 1, y: 1, width: 5, height: 5 });
    document.previewNew("new", { x: 1, y: 1, width: 50, height: 60 });
    expect(saved).to.have.length(0);
    expect(document.complete()?.width).to.equal(50);
    expect(saved).to.have.length(1);
    expect(saved[0]?.[0]).to.include({ id: "new", label: "car", width: 50, height: 60 });
  });

  it("forgets a cancelled drawing and its selection", () => {
    const { document, saved } = documentOf([]);
    document.previewNew("new", { x: 1, y: 1, width: 50, height: 60 });
    document.cancel();
    expect(document.boxes).to.deep.equal([]);
    expect(document.selected).to.equal(null);
    expect(document.canUndo).to.equal(false);
    expect(saved).to.have.length(0);
  });

  it("makes one entry of an arrow key that is held", () => {
    const { document, saved } = documentOf([box()]);
    document.select("a");
    for (let step = 0; step < 25; step += 1) document.nudge(1, 0);
    document.complete();
    expect(document.selected?.x).to.equal(35);
    expect(saved).to.have.length(1);
    document.undo();
    expect(document.selected?.x).to.equal(10);
    expect(document.canUndo).to.equal(false);
  });

  it("never shrinks a box below one pixel by key", () => {
    const { document } = documentOf([box({ width: 4, height: 4 })]);
    document.select("a");
    document.grow(-10, 0);
    expect(document.selected).to.include({ x: 10, width: 1, height: 4 });
  });

  it("undoes a deletion, and leaves nothing selected that is gone", () => {
    const { document } = documentOf([box()]);
    document.select("a");
    expect(document.removeSelected()?.id).to.equal("a");
    expect(document.selected).to.equal(null);
    document.undo();
    expect(document.boxes).to.have.length(1);
    document.select("a");
    document.redo();
    expect(document.selected).to.equal(null);
  });

  it("pastes beside the original, and at the same place in another frame", () => {
    const { document } = documentOf([box()]);
    document.select("a");
    document.copy();
    expect(document.paste()).to.include({ x: 22, y: 22, width: 20, height: 20, label: "person" });
    expect(document.paste()).to.include({ x: 34, y: 34 });
    expect(new Set(document.boxes.map((each) => each.id)).size).to.equal(3);
    document.load([], IMAGE);
    expect(document.paste()).to.include({ x: 10, y: 10 });
  });

  it("cuts what it pastes to a smaller frame, and pastes nothing that lies outside", () => {
    const { document } = documentOf([box({ x: 300, y: 300, width: 100, height: 100 })]);
    document.select("a");
    document.copy();
    document.load([], { width: 350, height: 350 });
    expect(document.paste()).to.include({ x: 300, y: 300, width: 50, height: 50 });
    document.load([], { width: 100, height: 100 });
    expect(document.paste()).to.equal(null);
  });

  it("keeps the fields it does not edit", () => {
    const { document, saved } = documentOf([box({ note: "at the gate", confidence: 0.75 })]);
    document.select("a");
    document.nudge(1, 1);
    document.complete();
    document.setLabelOf("a", "car");
    expect(saved[1]?.[0]).to.deep.equal(
      box({ x: 11, y: 11, label: "car", note: "at the gate", confidence: 0.75 }),
    );
  });

  it("saves a note at each letter, and undoes all of it in one step", () => {
    const { document, saved } = documentOf([box()]);
    document.select("a");
    for (const note of ["b", "by", "by the gate"]) document.typeNote("a", note);
    expect(saved.map(([first]) => first?.note)).to.deep.equal(["b", "by", "by the gate"]);
    document.undo();
    expect(document.boxes[0]?.note).to.equal(null);
    expect(document.canUndo).to.equal(false);
  });

  it("begins a new step when something else happened between two letters", () => {
    const { document } = documentOf([box(), box({ id: "b", x: 300 })]);
    document.typeNote("a", "one");
    document.setLabelOf("a", "car");
    document.typeNote("a", "one two");
    document.typeNote("b", "other");
    const undone = [0, 1, 2, 3].map(() => {
      document.undo();
      const [a, b] = document.boxes;
      return [a?.note, a?.label, b?.note];
    });
    expect(undone).to.deep.equal([
      ["one two", "car", null],
      ["one", "car", null],
      ["one", "person", null],
      [null, "person", null],
    ]);
  });

  it("does not save a label that was set already", () => {
    const { document, saved } = documentOf([box()]);
    document.setLabelOf("a", "person");
    expect(saved).to.have.length(0);
    expect(document.canUndo).to.equal(false);
  });
});
