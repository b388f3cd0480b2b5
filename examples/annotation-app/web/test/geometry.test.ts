import { expect } from "chai";
import fc from "fast-check";
import { HANDLES, type Rect } from "../src/editor/box.ts";
import {
  boxesAt,
  fitInto,
  handleAt,
  handlePoint,
  moveBy,
  nextInPile,
  rectBetween,
  resizeBy,
} from "../src/editor/geometry.ts";
import { box } from "./boxes.ts";

const IMAGE = { width: 640, height: 480 };
const anyRect = fc
  .record({
    x: fc.integer({ min: 0, max: 639 }),
    y: fc.integer({ min: 0, max: 479 }),
    width: fc.integer({ min: 1, max: 640 }),
    height: fc.integer({ min: 1, max: 480 }),
  })
  .map((rect) => fitInto(rect, IMAGE) ?? { x: 0, y: 0, width: 1, height: 1 });
const anyDelta = fc.record({
  x: fc.double({ min: -2000, max: 2000, noNaN: true }),
  y: fc.double({ min: -2000, max: 2000, noNaN: true }),
});

function expectInside(rect: Rect): void {
  expect(Object.values([rect.x, rect.y, rect.width, rect.height]).every(Number.isInteger)).to.equal(
    true,
  );
  expect(rect.x).to.be.at.least(0);
  expect(rect.y).to.be.at.least(0);
  expect(rect.width).to.be.at.least(1);
  expect(rect.height).to.be.at.least(1);
  expect(rect.x + rect.width).to.be.at.most(IMAGE.width);
  expect(rect.y + rect.height).to.be.at.most(IMAGE.height);
}

describe("geometry of boxes", () => {
  it("spans a rectangle from any corner to the opposite one", () => {
    const expected = { x: 10, y: 20, width: 30, height: 40 };
    expect(rectBetween({ x: 10, y: 20 }, { x: 40, y: 60 }, IMAGE)).to.deep.equal(expected);
    expect(rectBetween({ x: 40, y: 60 }, { x: 10, y: 20 }, IMAGE)).to.deep.equal(expected);
    expect(rectBetween({ x: 40, y: 20 }, { x: 10, y: 60 }, IMAGE)).to.deep.equal(expected);
  });

  it("cuts a drawn rectangle at the edge of the image", () => {
    expect(rectBetween({ x: 600, y: 400 }, { x: 900, y: 900 }, IMAGE)).to.deep.equal({
      x: 600,
      y: 400,
      width: 40,
      height: 80,
    });
  });

  it("moves without ever leaving the image or changing the size", () => {
    fc.assert(
      fc.property(anyRect, anyDelta, (rect, delta) => {
        const moved = moveBy(rect, delta.x, delta.y, IMAGE);
        expectInside(moved);
        expect([moved.width, moved.height]).to.deep.equal([rect.width, rect.height]);
      }),
    );
  });

  it("resizes by each handle without leaving the image or losing the box", () => {
    fc.assert(
      fc.property(anyRect, fc.constantFrom(...HANDLES), anyDelta, (rect, handle, delta) => {
        expectInside(resizeBy(rect, handle, delta, IMAGE));
      }),
    );
  });

  it("moves only the edges that the handle names", () => {
    const rect = { x: 100, y: 100, width: 50, height: 40 };
    expect(resizeBy(rect, "e", { x: 7, y: 9 }, IMAGE)).to.deep.equal({ ...rect, width: 57 });
    expect(resizeBy(rect, "n", { x: 7, y: -9 }, IMAGE)).to.deep.equal({
      ...rect,
      y: 91,
      height: 49,
    });
    expect(resizeBy(rect, "sw", { x: -5, y: 5 }, IMAGE)).to.deep.equal({
      x: 95,
      y: 100,
      width: 55,
      height: 45,
    });
  });

  it("turns a box over when a handle passes the opposite edge", () => {
    const rect = { x: 100, y: 100, width: 50, height: 40 };
    expect(resizeBy(rect, "e", { x: -80, y: 0 }, IMAGE)).to.deep.equal({
      x: 70,
      y: 100,
      width: 30,
      height: 40,
    });
  });

  it("fits a box from elsewhere, and refuses one that lies outside", () => {
    expect(fitInto({ x: 630, y: 470, width: 50, height: 50 }, IMAGE)).to.deep.equal({
      x: 630,
      y: 470,
      width: 10,
      height: 10,
    });
    expect(fitInto({ x: 700, y: 10, width: 50, height: 50 }, IMAGE)).to.equal(null);
  });

  it("lists the boxes under a point, the smallest first, and walks the pile", () => {
    const large = box({ id: "large", x: 0, y: 0, width: 200, height: 200 });
    const small = box({ id: "small", x: 50, y: 50, width: 20, height: 20 });
    const away = box({ id: "away", x: 300, y: 300, width: 20, height: 20 });
    const pile = boxesAt([large, small, away], { x: 60, y: 60 });
    expect(pile.map((each) => each.id)).to.deep.equal(["small", "large"]);
    expect(nextInPile(pile, "small")?.id).to.equal("large");
    expect(nextInPile(pile, "large")?.id).to.equal("small");
    expect(nextInPile(pile, null)?.id).to.equal("small");
    expect(nextInPile([], "small")).to.equal(undefined);
  });

  it("finds each handle at its own point", () => {
    const rect = { x: 100, y: 100, width: 80, height: 60 };
    for (const handle of HANDLES) {
      expect(handleAt(rect, handlePoint(rect, handle), 8)).to.equal(handle);
    }
  });

  it("leaves the middle of a tiny box free for moving it", () => {
    const tiny = { x: 100, y: 100, width: 8, height: 8 };
    expect(handleAt(tiny, { x: 104, y: 104 }, 10)).to.equal(null);
    expect(handleAt(tiny, { x: 109, y: 109 }, 10)).to.equal("se");
    expect(handleAt(tiny, { x: 130, y: 104 }, 10)).to.equal(null);
  });
});
