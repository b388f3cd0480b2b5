import { expect } from "chai";
import { CocoProblem, summarizeCoco } from "../src/data/coco.ts";

const FILE = {
  images: [{ id: 1, file_name: "a.jpg", width: 640, height: 480 }],
  categories: [
    { id: 1, name: "person" },
    { id: 2, name: "car" },
  ],
  annotations: [
    { id: 1, image_id: 1, category_id: 2, bbox: [1, 2, 30, 40], area: 1200, iscrowd: 0 },
  ],
};

function summarize(changes: Readonly<Record<string, unknown>>): ReturnType<typeof summarizeCoco> {
  return summarizeCoco(JSON.stringify({ ...FILE, ...changes }));
}

function annotation(changes: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { annotations: [{ ...FILE.annotations[0], ...changes }] };
}

describe("summarizeCoco", () => {
  it("counts images, boxes and labels", () => {
    expect(summarize({})).to.deep.equal({
      images: 1,
      annotations: 1,
      categories: ["person", "car"],
    });
  });

  it("accepts a file without boxes", () => {
    expect(summarize({ annotations: [] }).annotations).to.equal(0);
  });

  const refusals: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
    ["a missing list", { images: undefined }, 'The list "images" is missing'],
    ["a list of something else", { categories: [7] }, "categories[0] is not an object"],
    ["an image without a name", { images: [{ id: 1 }] }, "images[0] has no file_name"],
    ["a label without a name", { categories: [{ id: 1, name: "" }] }, "categories[0] has no name"],
    ["a repeated id", { images: [FILE.images[0], FILE.images[0]] }, "images[1] repeats the id"],
    ["a box of no image", annotation({ image_id: 9 }), "annotations[0] names an image"],
    ["a box of no category", annotation({ category_id: 9 }), "annotations[0] names a category"],
    ["a box of three numbers", annotation({ bbox: [1, 2, 3] }), 'annotations[0] needs "bbox"'],
    ["a box of text", annotation({ bbox: [1, 2, "3", 4] }), 'annotations[0] needs "bbox"'],
    ["an empty box", annotation({ bbox: [1, 2, 0, 4] }), "annotations[0] has an empty box"],
  ];
  for (const [what, changes, message] of refusals) {
    it(`refuses ${what}, and says where`, () => {
      expect(() => summarize(changes)).to.throw(CocoProblem, message);
    });
  }

  it("refuses what is no JSON without repeating it", () => {
    expect(() => summarizeCoco("secret-label {")).to.throw(
      CocoProblem,
      /^This file is not JSON\.$/,
    );
    expect(() => summarizeCoco("[]")).to.throw(CocoProblem, "A COCO file is a JSON object.");
  });
});
