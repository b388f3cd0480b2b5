// Drawing, labelling, notes, and what a second person's save does to it.
import { expect } from "chai";
import type { FrameList } from "../../web/src/data/contract.ts";
import { saveNow } from "../chromium.ts";
import { newBox } from "../client.ts";
import type { Stage } from "./stage.ts";

export function drawing(stage: Stage): void {
  it("draws, moves, resizes, labels and undoes, and has it all after a reload", async () => {
    const { page } = stage;
    const frame = await stage.open("coffee.jpg");
    const before = await frame.boxes.count();
    await frame.drag([450, 20], [530, 80]);
    await page.keyboard.press("8");
    await frame.drag([490, 50], [500, 60]);
    await frame.drag([540, 90], [560, 100]);
    await frame.untilSaved();
    const resized = await stage.boxOn("coffee.jpg", "flag");
    expect(resized.width).to.be.closeTo(100, 2);
    expect(resized.height).to.be.closeTo(70, 2);
    await page.keyboard.press("Control+z");
    await frame.save();
    await page.reload();
    const again = await stage.open("coffee.jpg");
    await again.boxes.nth(before).waitFor();
    const kept = await stage.boxOn("coffee.jpg", "flag");
    expect(kept.x).to.be.closeTo(460, 2);
    expect(kept.y).to.be.closeTo(30, 2);
    expect(kept.width).to.be.closeTo(80, 2);
    expect(kept.height).to.be.closeTo(60, 2);
  });

  it("never shows a frame's name over the picture of another", async () => {
    const { page, ada } = stage;
    await stage.open("coffee.jpg");
    const { id, name } = await ada.frameNamed("chelsea.jpg");
    const shown = await page.evaluate(
      async (frame) => {
        location.hash = `#/frames/${frame.id}`;
        for (let paints = 0; paints < 600; paints += 1) {
          await new Promise((resolve) => requestAnimationFrame(resolve));
          if (document.querySelector(".frame-title")?.textContent === frame.name) break;
        }
        return document.querySelector("[data-testid=canvas] image")?.getAttribute("href");
      },
      { id, name },
    );
    expect(shown).to.equal(`/api/frames/${id}/image?look=1`);
    await stage.open("chelsea.jpg");
  });

  it("keeps a note that only the pages can read, though the click that leaves it takes it away", async () => {
    const { page, app, marker } = stage;
    const frame = await stage.open("coffee.jpg");
    await frame.boxes.last().click();
    await page.getByLabel("Note, stored encrypted").pressSequentially(marker);
    await frame.click([5, 5]);
    await frame.save();
    expect((await stage.boxOn("coffee.jpg", "flag")).note).to.equal(marker);
    const rows = await app.database.query(
      "SELECT * FROM annotation_example WHERE note IS NOT NULL",
    );
    expect(rows.length).to.be.greaterThan(1);
    for (const { label, box, note } of rows) {
      for (const stored of [label, box, note]) expect(String(stored)).to.match(/^9V6h/);
    }
    expect(JSON.stringify(rows)).not.to.include(marker);
  });

  it("works without a mouse: a new box, its place, its size, its label, gone again", async () => {
    const { page } = stage;
    const frame = await stage.open("chelsea.jpg");
    const before = await frame.boxes.count();
    const focused = (): Promise<string> =>
      page.evaluate(() => document.activeElement?.getAttribute("class") ?? "");
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press("F6");
    expect(await focused(), "the frame that is open").to.equal("frame-row");
    await page.keyboard.press("F6");
    expect(await focused(), "the canvas").to.equal("editor");
    expect(await frame.ring(), "by the keyboard").to.equal("solid");
    for (const key of ["n", "Shift+ArrowRight", "ArrowDown", "Control+ArrowRight", "8"]) {
      await page.keyboard.press(key);
    }
    expect(await page.getByTestId("spoken").textContent()).to.equal("Labelled flag");
    const [x, width] = await Promise.all(
      ["box-x", "box-width"].map((id) => page.getByTestId(id).textContent()),
    );
    await frame.save();
    const drawn = await stage.boxOn("chelsea.jpg", "flag");
    expect([drawn.x, drawn.width].map(String)).to.deep.equal([x, width]);
    await page.keyboard.press("Control+c");
    await page.keyboard.press("Control+v");
    expect(await frame.boxes.count()).to.equal(before + 2);
    await page.keyboard.press("Delete");
    for (let step = 0; step < 7; step += 1) await page.keyboard.press("Control+z");
    await frame.save();
    expect((await stage.ada.frameNamed("chelsea.jpg")).boxes).to.have.length(before);
    await page.reload();
    await stage.open("chelsea.jpg");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await focused(), "past bar and list").to.equal("editor");
    await page.keyboard.press("Tab");
    expect(await focused()).to.match(/^box\b/);
    await page.getByLabel("Note, stored encrypted").focus();
    await page.keyboard.press("Escape");
    expect(await focused(), "back from the note").to.match(/^box\b/);
    await page.locator(".frame-title").click();
    const left = Number(await page.getByTestId("box-x").textContent());
    await page.keyboard.press("ArrowRight");
    expect(await page.getByTestId("box-x").textContent(), "after a click beside it").to.equal(
      String(left + 1),
    );
    await page.keyboard.press("Control+z");
    await frame.save();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    expect(await page.evaluate(() => document.activeElement?.closest(".editor") !== null)).to.equal(
      true,
    );
  });

  it("filters by label and camera, and shows what PostgreSQL was asked instead", async () => {
    const { page, ada } = stage;
    await page.getByLabel("Label", { exact: true }).selectOption("rocket");
    const note = page.getByTestId("search-note");
    await note.waitFor();
    expect(await note.textContent()).to.match(/label_index in \(\\x[0-9a-f]{2}\)/);
    const { frames } = await ada.get<FrameList>("/api/frames?label=rocket");
    await page.getByTestId("frame-row").nth(frames.length).waitFor({ state: "detached" });
    const names = await page.getByTestId("frame-row").locator(".frame-name").allTextContents();
    expect(names).to.deep.equal(frames.map(({ name }) => name));
    expect(names.every((name) => name.startsWith("rocket"))).to.equal(true);
    await page.getByLabel("Camera", { exact: true }).selectOption("Suit room");
    await page.getByText("No frame matches", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Clear the filter" }).click();
    await page.getByTestId("frame-row").nth(frames.length).waitFor();
  });

  it("asks when somebody else saved meanwhile, and merges both", async () => {
    const { page, ada } = stage;
    const frame = await stage.open("camera-pan1.jpg");
    const { id, version, boxes } = await ada.frameNamed("camera-pan1.jpg");
    const theirs = newBox({ x: 5, y: 5, label: "building" });
    const save = { version, boxes: [...boxes, theirs], isReviewed: false };
    await ada.send("PUT", `/api/frames/${id}/annotations`, save);
    await frame.drag([345, 10], [400, 50]);
    await saveNow(page);
    const dialog = page.getByRole("dialog", { name: "This frame changed elsewhere" });
    await dialog.getByText("You saved it in another window").waitFor();
    await page.getByTestId("conflict-merge").click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await frame.untilSaved();
    const merged = await ada.frameNamed("camera-pan1.jpg");
    expect(merged.boxes).to.have.length(boxes.length + 2);
    expect(merged.boxes.map((box) => box.id)).to.include(theirs.id);
    await stage.browser.provoked(/status of 409/);
  });
}
