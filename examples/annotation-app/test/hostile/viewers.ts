// What people see who may only look.
import { expect } from "chai";
import sharp from "sharp";
import type { AttackedServer } from "./attacked-server.ts";

export function viewers(server: AttackedServer): void {
  describe("for viewers", () => {
    const differenceIn = async (
      region: { left: number; top: number; width: number; height: number },
      path: string,
    ): Promise<number> => {
      const { ada, vera } = server;
      const [clear, shown] = await Promise.all(
        [ada, vera].map(async (client) =>
          sharp(await client.get<Buffer>(path))
            .extract(region)
            .greyscale()
            .raw()
            .toBuffer(),
        ),
      );
      const values = [...(clear ?? [])];
      return (
        values.reduce((sum, value, i) => sum + Math.abs(value - (shown?.[i] ?? 0)), 0) /
        values.length
      );
    };

    it("blurs what is in boxes, in the picture itself", async () => {
      const { vera } = server;
      const { id, boxes } = await vera.frameNamed("astronaut.jpg");
      const face = boxes.find(({ label }) => label === "face");
      const { x: left = 0, y: top = 0, width = 1, height = 1 } = face ?? {};
      const path = `/api/frames/${id}/image`;
      expect(await differenceIn({ left, top, width, height }, path)).to.be.greaterThan(8);
      // Outside of all boxes it is the picture.
      expect(
        await differenceIn({ left: 460, top: 290, width: 40, height: 40 }, path),
      ).to.be.lessThan(3);
    });

    it("blurs thumbnails, too", async () => {
      const { vera } = server;
      const { id } = await vera.frameNamed("astronaut.jpg");
      const all = { left: 0, top: 0, width: 160, height: 112 };
      expect(await differenceIn(all, `/api/frames/${id}/thumbnail`)).to.be.greaterThan(8);
    });
  });
}
