import { expect } from "chai";
import { unzipSync } from "fflate";
import { CocoFile, type ExportedFrame, fromCoco, toCoco } from "../src/annotate/coco.ts";
import { UniqueNames } from "../src/annotate/unique-names.ts";
import { toYoloZip } from "../src/annotate/yolo.ts";

function frame(fields: Partial<ExportedFrame> = {}): ExportedFrame {
  const capturedAt = new Date(0);
  return { id: "1", fileName: "a.jpg", width: 600, height: 400, capturedAt, boxes: [], ...fields };
}

function filesOf(archive: Uint8Array): ReadonlyMap<string, string> {
  const files = Object.entries(unzipSync(archive));
  return new Map(files.map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
}

describe("Names of exported files", () => {
  it("are numbered where two would be one, and no number hits a third", () => {
    const names = new UniqueNames();
    const taken = ["a.jpg", "a-2.jpg", "a.jpg", "A.JPG", "a", "a"].map((name) => names.take(name));
    expect(taken).to.deep.equal(["a.jpg", "a-2.jpg", "a-3.jpg", "A-4.JPG", "a", "a-2"]);
  });
});

describe("YOLO files", () => {
  it("give back every pixel, at every width", () => {
    for (const width of [7, 599, 1920, 49_999]) {
      const box = { x: 1, y: 2, width: width - 3, height: 5, label: "b", confidence: null };
      const files = filesOf(toYoloZip([frame({ width, boxes: [box] })], ["a", "b"]));
      const [id, cx = 0, cy = 0, w = 0, h = 0] = (files.get("labels/a.txt") ?? "")
        .split(" ")
        .map(Number);
      const shares = [(cx - w / 2) * width, (cy - h / 2) * 400, w * width, h * 400];
      expect([id, ...shares.map((value) => Math.round(value * 100) / 100)]).to.deep.equal([
        1,
        1,
        2,
        width - 3,
        5,
      ]);
    }
  });

  it("stay in their folder, and have names that YAML reads, whatever frames and labels are called", () => {
    const names = ["../../etc/passwd.jpg", "..", 'a"b<c>.png', ".jpg", "C:\\x.jpg"];
    const labels = ['say "no": #1', "line\u2028break\u0085", "- list", "{a}"];
    const files = filesOf(
      toYoloZip(
        names.map((fileName) => frame({ fileName })),
        labels,
      ),
    );
    const paths = [...files.keys()].filter((path) => path.startsWith("labels/"));
    expect(paths).to.have.length(names.length);
    for (const path of paths) expect(path).to.match(/^labels\/[^/\\:"<>]+\.txt$/);
    const yaml = files.get("data.yaml") ?? "";
    const read = [...yaml.matchAll(/^ {2}\d+: ("[ -~]*")$/gm)].map(([, text = ""]) =>
      JSON.parse(text),
    );
    expect(read).to.deep.equal(labels);
  });

  it("are not made with a class that is wrong", () => {
    const box = { x: 0, y: 0, width: 1, height: 1, label: "unlisted", confidence: null };
    expect(() => toYoloZip([frame({ boxes: [box] })], ["other"])).to.throw("no class");
  });
});

describe("COCO files", () => {
  it("are read with what they lack left out, and a file that is named twice once", () => {
    const file = CocoFile.parse({
      images: [
        { id: 1, file_name: "a.jpg" },
        { id: "2", file_name: "a.jpg" },
      ],
      categories: [{ id: 1, name: " cat " }],
      annotations: [
        { image_id: 1, category_id: 1, bbox: [1, 2, 3, 4] },
        { image_id: "2", category_id: 1, bbox: [5, 6, 7, 8], score: 0.5 },
        { image_id: 9, category_id: 1, bbox: [1, 2, 3, 4] },
        { image_id: 1, category_id: 9, bbox: [1, 2, 3, 4] },
      ],
    });
    expect(fromCoco(file)).to.deep.equal([
      {
        fileName: "a.jpg",
        boxes: [
          { x: 1, y: 2, width: 3, height: 4, label: "cat", confidence: null },
          { x: 5, y: 6, width: 7, height: 8, label: "cat", confidence: 0.5 },
        ],
      },
    ]);
  });

  it("come back as they were written", () => {
    const box = { x: 3, y: 4, width: 5, height: 6, label: "é", confidence: 0.25 };
    const written: unknown = JSON.parse(
      JSON.stringify(toCoco([frame({ boxes: [box] })], ["a", "é"])),
    );
    expect(fromCoco(CocoFile.parse(written))).to.deep.equal([{ fileName: "a.jpg", boxes: [box] }]);
  });
});
