// What whoever can read the store learns: no content, name, type or metadata.
import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { encodingsOf, findIn } from "../../../../test/support/leak-search.ts";
import { inChunks } from "./bodies.ts";
import type { Subject } from "./storage-subject.ts";

export function describeLeaks(current: () => Subject): void {
  describe("what the store is told", () => {
    it("leaves no plaintext, file name, type or metadata in the store, also before a put has ended", async () => {
      const { harness, storage } = current();
      const content = "MarkerOfContent-7f3a9c";
      const markers = [
        content,
        "text/x-marker-of-type",
        "marker-of-file-name",
        "marker-of-metadata-name",
        "marker-of-metadata-value",
      ];
      const described = {
        contentType: "text/x-marker-of-type",
        fileName: "marker-of-file-name.txt",
        metadata: { "marker-of-metadata-name": "marker-of-metadata-value" },
        tags: { retention: "30d" },
      };
      const expectNothing = async (): Promise<void> => {
        const stored = await harness.everything();
        expect(findIn("a key", stored, "leak/").length, "the search finds").to.be.greaterThan(0);
        for (const marker of markers) expect(findIn("store", stored, marker)).to.deep.equal([]);
      };
      await storage.put("leak/1", Buffer.from(`${content} `.repeat(9000)), described);
      await storage.put("leak/2", inChunks(Buffer.from(content), 5), described);
      await storage.rewrap("leak/1");
      await storage.copy("leak/1", "leak/3");
      await storage.reencrypt("leak/2");
      await expectNothing();

      const chunk = Buffer.from(`${content} `.repeat(50_000));
      async function* source(): AsyncGenerator<Buffer> {
        for (let i = 0; i < 20; i++) yield chunk;
        expect(await harness.leftovers(), "a temporary file, or parts").to.equal(1);
        await expectNothing();
      }
      await storage.put("leak/4", source(), described);
      await expectNothing();
    });

    it("has a search for leaks that finds each encoding, in content, description and tags", async () => {
      const { harness, storage } = current();
      const marker = "MarkerOfControl-7f3a9c";
      // Not random: beside a byte of zero, UTF-16 of one byte order is also that of the other.
      const around = Buffer.alloc(99, 0xa5);
      for (const [encoding, bytes] of encodingsOf(marker)) {
        await harness.writeForeign("control", Buffer.concat([around, bytes, around]), {});
        expect(findIn("store", await harness.everything(), marker), encoding).to.deep.equal([
          `store (${encoding})`,
        ]);
      }
      await harness.writeForeign("control", randomBytes(9), { origin: `from ${marker}` });
      expect(findIn("store", await harness.everything(), marker)).to.deep.equal(["store (UTF-8)"]);
      await harness.writeForeign("control", randomBytes(9), {});
      await storage.put("tagged", Buffer.from("x"), { tags: { team: marker } });
      expect(findIn("store", await harness.everything(), marker)).to.deep.equal(["store (UTF-8)"]);
    });
  });
}
