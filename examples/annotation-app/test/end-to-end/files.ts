// Files on their way in and out: photographs, clips, COCO and YOLO.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { unzipSync } from "fflate";
import type { Page } from "playwright-core";
import sharp from "sharp";
import type { VideoSummary } from "../../web/src/data/contract.ts";
import type { Stage } from "./stage.ts";

interface Coco {
  images: { id: number; file_name: string }[];
  categories: { id: number; name: string }[];
  annotations: { image_id: number; category_id: number; bbox: number[] }[];
}

export function files(stage: Stage): void {
  it("takes dropped photographs, without the place they were taken at, and says which it refused", async () => {
    const { page, ada, marker } = stage;
    const photograph = await grey()
      .jpeg()
      .withExif({ IFD3: { GPSLatitudeRef: "N", GPSLatitude: "48/1 51/1 29/1" } })
      .toBuffer();
    await drop(page, "body", [
      { name: `${marker}.jpg`, type: "image/jpeg", bytes: photograph },
      { name: "second.png", type: "image/png", bytes: await grey().png().toBuffer() },
      { name: "broken.jpg", type: "image/jpeg", bytes: photograph.subarray(0, 700) },
      { name: "notes.txt", type: "text/plain", bytes: Buffer.from("hello") },
    ]);
    const uploads = page.getByTestId("upload");
    await page.getByText("2 of 4 files added, 2 refused").waitFor();
    expect(await uploads.filter({ hasText: `${marker}.jpg` }).textContent()).to.include(
      "Removed: GPS position",
    );
    expect(await uploads.filter({ hasText: "broken.jpg" }).textContent()).to.match(
      /broken\.jpg.{10,}/,
    );
    expect(await uploads.filter({ hasText: "notes.txt" }).textContent()).to.include(
      "Only JPEG, PNG, WebP and MP4",
    );
    await page.getByRole("button", { name: "Clear finished uploads" }).click();
    await stage.browser.provoked(/status of (415|422)/);
    const { id } = await ada.frameNamed(`${marker}.jpg`);
    const image = await ada.get<Buffer>(`/api/frames/${id}/image`);
    expect((await sharp(image).metadata()).exif).to.equal(undefined);
    await stage.open("second.png");
    await page.getByTestId("frame-row").filter({ hasText: "second.png" }).waitFor();
  });

  it("holds only the rows of the list that are in sight", async () => {
    const { page } = stage;
    const total = Number.parseInt((await page.getByTestId("frame-total").textContent()) ?? "", 10);
    expect(total).to.be.greaterThan(20);
    expect(await page.getByTestId("frame-row").count()).to.be.lessThan(total);
  });

  it("seeks in a clip that is decrypted range by range", async () => {
    const { page, ada } = stage;
    await stage.show("Videos");
    await page.getByText("rocket-pan.mp4").first().click();
    await page.getByTestId("video").waitFor();
    await page.waitForFunction(() => (document.querySelector("video")?.readyState ?? 0) >= 2);
    await page.getByTestId("event").filter({ hasText: "rocket" }).click();
    await page.waitForFunction(() => {
      const element = document.querySelector("video");
      return element && !element.seeking && element.currentTime >= 7 && element.readyState >= 2;
    });
    await page.getByTestId("timeline").press("ArrowRight");
    await page.waitForFunction(() => (document.querySelector("video")?.currentTime ?? 0) >= 8);
    const videos = await ada.get<VideoSummary[]>("/api/videos");
    const id = videos.find(({ name }) => name === "rocket-pan.mp4")?.id;
    const range = await ada.send<Buffer>("GET", `/api/videos/${id}/media`, undefined, {
      range: "bytes=1000-1999",
    });
    expect(range.status).to.equal(206);
    const clip = await readFile(join(import.meta.dirname, "../../media/rocket-pan.mp4"));
    expect(range.body.equals(clip.subarray(1000, 2000))).to.equal(true);
  });

  it("exports what was drawn as COCO, and takes it back", async () => {
    const { page, ada } = stage;
    await stage.show("Import & export");
    const coco = JSON.parse((await downloaded(page, "export-coco")).toString()) as Coco;
    const image = coco.images.find((known) => known.file_name === "coffee.jpg");
    const { boxes } = await ada.frameNamed("coffee.jpg");
    const names = new Map(coco.categories.map(({ id, name }) => [id, name]));
    const exported = coco.annotations.filter(({ image_id: of }) => of === image?.id);
    expect(exported.map(({ bbox }) => bbox)).to.deep.equal(
      boxes.map(({ x, y, width, height }) => [x, y, width, height]),
    );
    expect(exported.map(({ category_id: id }) => names.get(id))).to.deep.equal(
      boxes.map(({ label }) => label),
    );

    const added = { id: 1, image_id: image?.id, category_id: 1, bbox: [7, 8, 90, 91], iscrowd: 0 };
    const bytes = Buffer.from(JSON.stringify({ ...coco, annotations: [added] }));
    await drop(page, ".is-import", [{ name: "more.json", type: "application/json", bytes }]);
    await page.getByRole("button", { name: "Import 1 box" }).click();
    await page.getByText("1 box added to 1 frame").waitFor();
    const { boxes: after } = await ada.frameNamed("coffee.jpg");
    expect(after).to.have.length(boxes.length + 1);
    expect(after.at(-1)).to.include({ x: 7, y: 8, width: 90, height: 91 });
  });

  it("exports what was drawn as YOLO", async () => {
    const { page, ada } = stage;
    const archive = unzipSync(await downloaded(page, "export-yolo"));
    const text = (name: string): string => Buffer.from(archive[name] ?? []).toString();
    const entry = Object.keys(archive).find((name) => name.endsWith("coffee.txt")) ?? "";
    const { boxes, width } = await ada.frameNamed("coffee.jpg");
    const lines = text(entry).trim().split("\n");
    expect(lines).to.have.length(boxes.length);
    const [, centre = ""] = lines[0]?.split(" ") ?? [];
    const [first] = boxes;
    expect(Number(centre)).to.be.closeTo(((first?.x ?? 0) + (first?.width ?? 0) / 2) / width, 1e-4);
    expect(text("data.yaml")).to.include("names");
  });
}

function grey() {
  return sharp({ create: { width: 320, height: 240, channels: 3, background: "#446" } });
}

async function downloaded(page: Page, testId: string): Promise<Buffer> {
  const download = page.waitForEvent("download");
  await page.getByTestId(testId).click();
  const content = await readFile(await (await download).path());
  await (await download).delete();
  return content;
}

interface DroppedFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** Drags files over an element of the page and lets them fall. */
async function drop(page: Page, selector: string, dropped: readonly DroppedFile[]): Promise<void> {
  const transfer = await page.evaluateHandle(
    (encoded) => {
      const data = new DataTransfer();
      for (const { name, type, base64 } of encoded) {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        data.items.add(new File([bytes], name, { type }));
      }
      return data;
    },
    dropped.map(({ name, type, bytes }) => ({ name, type, base64: bytes.toString("base64") })),
  );
  for (const event of ["dragenter", "dragover", "drop"]) {
    await page.dispatchEvent(selector, event, { dataTransfer: transfer });
  }
}
