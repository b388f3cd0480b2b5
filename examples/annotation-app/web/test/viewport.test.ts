import { expect } from "chai";
import fc from "fast-check";
import { fitViewport, keepInSight, panBy, pinch, toImage, zoomAt } from "../src/editor/viewport.ts";

const image = { width: 640, height: 480 };
const canvas = { width: 800, height: 600 };
const frame = { image, canvas };

describe("viewport", () => {
  it("fits the whole image into the canvas, centred", () => {
    const view = fitViewport(image, canvas);
    const corner = toImage(view, { x: 0, y: 0 });
    const opposite = toImage(view, { x: 800, y: 600 });
    expect(corner.x).to.be.below(0);
    expect(opposite.x).to.be.above(640);
    expect(corner.x + opposite.x).to.be.closeTo(640, 1e-9);
    expect(corner.y + opposite.y).to.be.closeTo(480, 1e-9);
  });

  it("keeps the spot under the pointer while it zooms in", () => {
    const about = { x: 300, y: 200 };
    const before = fitViewport(image, canvas);
    const after = zoomAt(before, 2, about, frame);
    expect(after.scale).to.be.closeTo(before.scale * 2, 1e-9);
    expect(toImage(after, about).x).to.be.closeTo(toImage(before, about).x, 1e-9);
    expect(toImage(after, about).y).to.be.closeTo(toImage(before, about).y, 1e-9);
  });

  it("ends zooming at both limits", () => {
    const view = fitViewport(image, canvas);
    expect(zoomAt(view, 1e6, { x: 1, y: 1 }, frame).scale).to.equal(24);
    expect(zoomAt(view, 1e-6, { x: 1, y: 1 }, frame).scale).to.be.closeTo(view.scale / 2, 1e-9);
  });

  it("never loses the image out of sight, however far one pans", () => {
    const delta = fc.integer({ min: -100_000, max: 100_000 });
    fc.assert(
      fc.property(delta, delta, (dx, dy) => {
        const view = panBy(fitViewport(image, canvas), dx, dy, image, canvas);
        const centre = toImage(view, { x: 400, y: 300 });
        expect(centre.x).to.be.within(-1e-6, 640 + 1e-6);
        expect(centre.y).to.be.within(-1e-6, 480 + 1e-6);
        expect(keepInSight(view, image, canvas)).to.deep.equal(view);
      }),
    );
  });

  it("follows two fingers: their distance scales, their middle carries", () => {
    const start = fitViewport(image, canvas);
    const from = [
      { x: 300, y: 300 },
      { x: 500, y: 300 },
    ] as const;
    const to = [
      { x: 220, y: 320 },
      { x: 620, y: 320 },
    ] as const;
    const view = pinch(start, from, to, frame);
    expect(view.scale).to.be.closeTo(start.scale * 2, 1e-9);
    const grabbed = toImage(start, { x: 400, y: 300 });
    const held = toImage(view, { x: 420, y: 320 });
    expect(held.x).to.be.closeTo(grabbed.x, 1e-9);
    expect(held.y).to.be.closeTo(grabbed.y, 1e-9);
  });
});
