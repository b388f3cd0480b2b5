// What people send: text that is no text, odd numbers, files that unpack to more than they may.
import { expect } from "chai";
import sharp from "sharp";
import type { ImportResult } from "../../web/src/data/contract.ts";
import { Client, newBox } from "../client.ts";
import type { AttackedServer } from "./attacked-server.ts";

export function input(server: AttackedServer): void {
  describe("by what it is sent", () => {
    it("answers text that is no text with a refusal, not a failure", async () => {
      const { app, ada } = server;
      const broken = "a\ud800b";
      const frame = await ada.frameNamed("coffee.jpg");
      const save = (box: object): Promise<{ status: number }> =>
        ada.send("PUT", `/api/frames/${frame.id}/annotations`, {
          version: frame.version,
          isReviewed: false,
          boxes: [box],
        });
      expect((await save(newBox({ label: broken }))).status).to.equal(422);
      expect((await save(newBox({ note: broken }))).status).to.equal(422);
      expect((await save(newBox({ label: "a\u0000b" }))).status).to.equal(422);
      const coco = {
        images: [{ id: 1, file_name: "coffee.jpg" }],
        categories: [{ id: 1, name: broken }],
        annotations: [{ image_id: 1, category_id: 1, bbox: [1, 1, 2, 2] }],
      };
      expect((await ada.send("POST", "/api/import/coco", coco)).status).to.equal(422);
      const visitor = new Client(app.url);
      await visitor.send("GET", "/api/session");
      const body = { name: broken, password: "x" };
      expect((await visitor.send("POST", "/api/session", body)).status).to.be.oneOf([401, 422]);
    });

    it("does not stumble over odd numbers, many boxes and repeated files of an import", async () => {
      const { ada } = server;
      const { length } = (await ada.frameNamed("rocket.jpg")).boxes;
      const annotation = (bbox: readonly number[]): object => ({
        image_id: 1,
        category_id: 1,
        bbox,
      });
      const file = (annotations: readonly object[], copies = 1): object => ({
        images: Array.from({ length: copies }, () => ({ id: 1, file_name: "rocket.jpg" })),
        categories: [{ id: 1, name: "tower" }],
        annotations,
      });
      const odd = await ada.post<ImportResult>(
        "/api/import/coco",
        file([
          annotation([-0.2, -0, 10.4, 10]),
          annotation([1e308, 1e308, 1e308, 1e308]),
          annotation([5, 5, 1e-9, 1e-9]),
          annotation([-50, 0, 20, 20]),
        ]),
      );
      expect(odd.boxes).to.equal(2);
      expect(odd.skipped[0]?.reason).to.include("2 of its boxes lie outside");
      const many = Array.from({ length: 3000 }, (_, i) =>
        annotation([i % 600, Math.floor(i / 600), 2, 2]),
      );
      const result = await ada.post<ImportResult>("/api/import/coco", file(many));
      expect(result.boxes).to.equal(0);
      expect(result.skipped[0]?.reason).to.include("2000 boxes at most");
      expect((await ada.frameNamed("rocket.jpg")).boxes).to.have.length(length + 2);
      const started = performance.now();
      await ada.post<ImportResult>("/api/import/coco", file([], 50_000));
      expect(performance.now() - started).to.be.lessThan(5_000);
    });

    it("takes no prototype from a file", async () => {
      const { app } = server;
      const response = await fetch(`${app.url}/api/session`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"__proto__": {"name": "Ada"}}',
      });
      expect(response.status).to.be.oneOf([400, 403]);
    });

    it("refuses pictures that unpack to more than they may, before unpacking them", async () => {
      const { ada } = server;
      const bomb = await sharp({
        create: { width: 12_000, height: 12_000, channels: 3, background: "#000" },
        limitInputPixels: false,
      })
        .png({ compressionLevel: 9 })
        .toBuffer();
      expect(bomb.length).to.be.lessThan(1_000_000);
      const before = process.memoryUsage().rss;
      const { status } = await ada.upload("bomb.png", new Uint8Array(bomb));
      expect(status).to.equal(422);
      expect(process.memoryUsage().rss - before).to.be.lessThan(100_000_000);
    });

    it("answers a large file of no known kind without waiting for its end", async () => {
      const { ada } = server;
      const { status } = await ada.upload("large.bin", new Uint8Array(60 * 1024 * 1024));
      expect(status).to.equal(415);
    });
  });
}
