// The list of labels, which many people add to.
import { expect } from "chai";
import type { Catalogue, FrameList } from "../../web/src/data/contract.ts";
import { newBox } from "../client.ts";
import type { AttackedServer } from "./attacked-server.ts";

export function labels(server: AttackedServer): void {
  describe("in its labels", () => {
    const saveLabel = async (name: string, label: string): Promise<number> => {
      const { ada } = server;
      const frame = await ada.frameNamed(name);
      const boxes = [...frame.boxes, newBox({ label })];
      const { version } = frame;
      const path = `/api/frames/${frame.id}/annotations`;
      return (await ada.send("PUT", path, { version, isReviewed: false, boxes })).status;
    };

    it("has one entry for a label that two people bring at the same moment", async () => {
      const { app, ada } = server;
      const names = ["camera-pan1.jpg", "camera-pan2.jpg", "camera-pan3.jpg", "camera-pan4.jpg"];
      const statuses = await Promise.all(names.map((name) => saveLabel(name, "bench")));
      expect(statuses).to.deep.equal([200, 200, 200, 200]);
      const { labels } = await ada.get<Catalogue>("/api/catalogue");
      expect(labels.filter((label) => label === "bench")).to.have.length(1);
      const rows = await app.database.query("SELECT position FROM label");
      expect(new Set(rows.map(({ position }) => position)).size).to.equal(rows.length);
    });

    it("takes another case or composition of a known label for that label", async () => {
      const { ada } = server;
      expect(await saveLabel("rocket-pan1.jpg", "caf\u00e9")).to.equal(200);
      expect(await saveLabel("rocket-pan2.jpg", "CAFE\u0301")).to.equal(200);
      const { labels } = await ada.get<Catalogue>("/api/catalogue");
      expect(labels.filter((label) => /caf/i.test(label))).to.deep.equal(["caf\u00e9"]);
      const boxes = (await ada.frameNamed("rocket-pan2.jpg")).boxes;
      expect(boxes.at(-1)?.label).to.equal("caf\u00e9");
      expect((await ada.get<FrameList>("/api/frames?label=caf%C3%A9")).total).to.equal(2);
    });

    it("has no label of a save that failed", async () => {
      const { ada } = server;
      const frame = await ada.frameNamed("chelsea.jpg");
      const other = (await ada.frameNamed("coffee.jpg")).boxes[0];
      const boxes = [newBox({ id: other?.id ?? "", label: "stowaway" })];
      const { version } = frame;
      const path = `/api/frames/${frame.id}/annotations`;
      expect((await ada.send("PUT", path, { version, isReviewed: false, boxes })).status).to.equal(
        422,
      );
      expect((await ada.get<Catalogue>("/api/catalogue")).labels).not.to.include("stowaway");
    });
  });
}
