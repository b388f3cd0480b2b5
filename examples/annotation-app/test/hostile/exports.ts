// COCO and YOLO files when labels and names are odd.
import { expect } from "chai";
import { unzipSync } from "fflate";
import sharp from "sharp";
import type { FrameDetail } from "../../web/src/data/contract.ts";
import type { AttackedServer } from "./attacked-server.ts";

export function exports(server: AttackedServer): void {
  describe("in its exports", () => {
    it("gives every box its category and class, also of a label that the list of labels lost", async () => {
      const { app, ada } = server;
      await app.database.query("DELETE FROM label WHERE position = 0");
      interface Coco {
        images: { id: number; file_name: string }[];
        categories: { id: number; name: string }[];
        annotations: { image_id: number; category_id: number; bbox: number[] }[];
      }
      const coco = await ada.get<Coco>("/api/export/coco");
      const names = new Map(coco.categories.map(({ id, name }) => [id, name]));
      expect(coco.annotations.every(({ category_id: id }) => names.has(id))).to.equal(true);
      const archive = unzipSync(new Uint8Array(await ada.get<Buffer>("/api/export/yolo")));
      const text = (name: string): string => Buffer.from(archive[name] ?? []).toString();
      for (const name of ["astronaut.jpg", "coffee.jpg", "rocket.jpg"]) {
        const frame: FrameDetail = await ada.frameNamed(name);
        const lines = text(`labels/${name.replace(".jpg", ".txt")}`)
          .trim()
          .split("\n");
        const classes = [...text("data.yaml").matchAll(/^ {2}(\d+): (".*")$/gm)];
        const nameOf = new Map(classes.map(([, id, quoted = '""']) => [id, JSON.parse(quoted)]));
        const read = lines.map((line) => {
          const [id, ...shares] = line.split(" ");
          const [cx = 0, cy = 0, w = 0, h = 0] = shares.map(Number);
          const [width, height] = [w * frame.width, h * frame.height];
          const edges = [
            cx * frame.width - width / 2,
            cy * frame.height - height / 2,
            width,
            height,
          ];
          return [nameOf.get(id), ...edges.map(Math.round)];
        });
        expect(read).to.deep.equal(
          frame.boxes.map(({ label, x, y, width, height }) => [label, x, y, width, height]),
        );
      }
    });

    it("keeps frames apart whose names differ only by their number or their ending", async () => {
      const { ada } = server;
      const picture = (await sharp({
        create: { width: 40, height: 40, channels: 3, background: "#123" },
      })
        .png()
        .toBuffer()) as Buffer<ArrayBuffer>;
      for (const name of ["a.png", "a.png", "a-2.png", "a.jpg"]) {
        expect((await ada.upload(name, new Uint8Array(picture))).status).to.equal(200);
      }
      const { images } = await ada.get<{ images: { file_name: string }[] }>("/api/export/coco");
      const ours = images
        .map(({ file_name: name }) => name)
        .filter((name) => name.startsWith("a."));
      expect(new Set(images.map(({ file_name: name }) => name)).size).to.equal(images.length);
      expect(ours).to.include("a.png").and.include("a.jpg");
      const archive = unzipSync(new Uint8Array(await ada.get<Buffer>("/api/export/yolo")));
      const texts = Object.keys(archive).filter((name) => name.startsWith("labels/"));
      expect(texts).to.have.length(images.length);
    });
  });
}
