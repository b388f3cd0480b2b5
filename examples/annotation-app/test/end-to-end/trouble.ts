// When something goes wrong: no network, a second tab, another person, changed bytes, hostile names.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { fillIn, saveNow, signIn, untilSaved } from "../chromium.ts";
import type { Stage } from "./stage.ts";

const HOSTILE = `"><img src=x onerror=alert(1)>'{{7*7}}`;

export function trouble(stage: Stage): void {
  it("keeps edits while the network is away, also of a frame that was left, and sends them when it is back", async () => {
    const { page, browser, ada } = stage;
    const before = (await ada.frameNamed("rocket.jpg")).boxes.length;
    await stage.open("rocket-pan1.jpg");
    const frame = await stage.open("rocket.jpg");
    await browser.context.setOffline(true);
    await frame.drag([300, 20], [340, 60]);
    await page.getByText("Offline – will retry").waitFor();
    await page.keyboard.press("f");
    await page.getByTestId("unsaved").waitFor();
    expect(await page.getByTestId("unsaved").textContent()).to.include("1 frame not saved");
    const asked = page.waitForEvent("dialog");
    const closing = page.close({ runBeforeUnload: true });
    const dialog = await asked;
    expect(dialog.type()).to.equal("beforeunload");
    await dialog.dismiss();
    await closing;
    await page.getByTestId("unsaved").click();
    await page.getByRole("heading", { name: "rocket.jpg", exact: true }).waitFor();
    expect(await frame.boxes.count()).to.equal(before + 1);
    await browser.context.setOffline(false);
    await frame.untilSaved();
    expect((await ada.frameNamed("rocket.jpg")).boxes).to.have.length(before + 1);
    await browser.provoked(/ERR_INTERNET_DISCONNECTED/);
  });

  it("marks no frame as reviewed that is not the one on screen", async () => {
    const { page, ada } = stage;
    await stage.open("rocket-pan3.jpg");
    const { id } = await ada.frameNamed("rocket-pan4.jpg");
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route(`**/api/frames/${id}`, async (route) => {
      await held;
      await route.continue();
    });
    await page.keyboard.press("f");
    await page.keyboard.press("r");
    release();
    await page.getByRole("heading", { name: "rocket-pan4.jpg", exact: true }).waitFor();
    await page.unroute(`**/api/frames/${id}`);
    await page.keyboard.press("r");
    await saveNow(page);
    await untilSaved(page);
    await page.getByTestId("reviewed").and(page.locator("[aria-pressed=true]")).waitFor();
    const reviewed = await Promise.all(
      ["rocket-pan3.jpg", "rocket-pan4.jpg"].map((name) => ada.frameNamed(name)),
    );
    expect(reviewed.map(({ isReviewed }) => isReviewed)).to.deep.equal([false, true]);
  });

  it("goes on saving after another tab signed in anew, and never in another person's name", async () => {
    const { page, browser, app, ada } = stage;
    const { boxes, version } = await ada.frameNamed("coffee-pan1.jpg");
    const frame = await stage.open("coffee-pan1.jpg");
    const other = await browser.context.newPage();
    const useOtherTab = async (name: string): Promise<void> => {
      await other.bringToFront();
      await other.goto(app.url);
      await other.getByRole("button", { name: "Sign out" }).click();
      await fillIn(other, name);
      await page.bringToFront();
    };
    await useOtherTab("Ada");
    await frame.drag([5, 5], [40, 40]);
    await frame.save();
    expect((await ada.frameNamed("coffee-pan1.jpg")).version).to.equal(version + 1);
    await browser.provoked(/status of 403/);

    // What was drawn a moment before the other tab signs out is saved in time.
    await other.goto(app.url);
    await page.bringToFront();
    await frame.drag([100, 5], [130, 40]);
    await useOtherTab("Vera");
    expect((await ada.frameNamed("coffee-pan1.jpg")).boxes).to.have.length(boxes.length + 2);
    const anew = page.waitForResponse(/\/image\?/);
    await frame.drag([60, 5], [90, 40]);
    await page.getByText("Edits of Ada that were not saved yet are dropped").waitFor();
    await page.locator(".person", { hasText: "Vera" }).waitFor();
    await page.getByText("Read only").waitFor();
    // Nothing is left on screen that Ada alone may see, or that only she had.
    await anew;
    await frame.boxes.nth(boxes.length + 1).waitFor();
    expect(await frame.boxes.count()).to.equal(boxes.length + 2);
    expect((await ada.frameNamed("coffee-pan1.jpg")).boxes).to.have.length(boxes.length + 2);
    await page.getByRole("button", { name: "Sign out" }).click();
    await fillIn(page, "Ada");
    // Also by pictures of the list that were on their way when Vera signed out.
    await browser.provoked(/status of (401|403)/);
    await other.close();
  });

  it("keeps edits over the end of a session, for the person who made them", async () => {
    const { page, browser, ada } = stage;
    const before = (await ada.frameNamed("coffee-pan2.jpg")).boxes.length;
    const frame = await stage.open("coffee-pan2.jpg");
    await browser.context.clearCookies();
    await frame.drag([5, 5], [40, 40]);
    await saveNow(page);
    await page.getByText("Your session has ended").waitFor();
    await fillIn(page, "Ada");
    await frame.untilSaved();
    expect((await ada.frameNamed("coffee-pan2.jpg")).boxes).to.have.length(before + 1);
    await browser.provoked(/status of (401|403)/);
  });

  it("shows hostile names and notes as the text that they are", async () => {
    const { page, ada } = stage;
    const { body } = await ada.upload<{ id: string }>(
      `${HOSTILE.replaceAll("/", "")}.jpg`,
      Uint8Array.from(await readFile(join(import.meta.dirname, "../../media/camera.jpg"))),
    );
    const { name } = await ada.get<{ name: string }>(`/api/frames/${body.id}`);
    const coco = {
      images: [{ id: 1, file_name: name, width: 512, height: 512 }],
      categories: [{ id: 1, name: HOSTILE }],
      annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [10, 10, 50, 50] }],
    };
    const imported = await ada.post<{ boxes: number }>("/api/import/coco", coco);
    expect(imported.boxes).to.equal(1);
    await page.reload();
    await stage.open(name);
    await page.locator(".box-row", { hasText: HOSTILE }).click();
    await page.getByLabel("Note, stored encrypted").fill(HOSTILE);
    await saveNow(page);
    await untilSaved(page);
    expect(await page.locator(".box-tag-text", { hasText: HOSTILE }).count()).to.equal(1);
    await stage.show("Activity");
    await page.locator("td", { hasText: name }).first().waitFor();
    expect(await page.locator("img[src=x]").count()).to.equal(0);
    for (const path of ["#/frames/%E0%A4%A", "#/frames/..%2F..%2Fsession"]) {
      await stage.go(path);
      await page.getByText("The frame did not open").waitFor();
    }
    await stage.browser.provoked(/status of (400|404|422)/);
  });

  it("says what is wrong when a row or a picture was changed behind its back", async () => {
    const { page, ada, app } = stage;
    const { id } = await ada.frameNamed("chelsea.jpg");
    const [row] = await app.database.query<{ id: string; box: string }>(
      "SELECT id, box FROM annotation_example WHERE frame_id = $1 LIMIT 1",
      [id],
    );
    const bytes = Buffer.from(row?.box ?? "", "base64");
    bytes.writeUInt8((bytes[30] ?? 0) ^ 1, 30);
    const update = "UPDATE annotation_example SET box = $2 WHERE id = $1";
    await app.database.query(update, [row?.id, bytes.toString("base64")]);
    await stage.go(`#/frames/${id}`);
    const alert = page.getByRole("alert").filter({ hasText: "The frame did not open" });
    await alert.waitFor();
    await page.getByText("failed authentication").waitFor();
    await app.database.query(update, [row?.id, row?.box]);
    await alert.getByRole("button").click();
    await page.getByRole("heading", { name: "chelsea.jpg", exact: true }).waitFor();
    await stage.browser.provoked(/status of 500/);

    const path = join(app.folder, "data/objects/pictures", id);
    const stored = await readFile(path);
    const changed = Buffer.from(stored);
    changed.writeUInt8((changed.at(-40) ?? 0) ^ 1, changed.length - 40);
    await writeFile(path, changed);
    await page.reload();
    await page.getByText("The picture did not open").waitFor();
    await writeFile(path, stored);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("The picture did not open").waitFor({ state: "detached" });
    await stage.browser.provoked(/status of 500|ERR_(EMPTY_RESPONSE|CONTENT_LENGTH_MISMATCH)/);
  });

  it("says nothing of the chain of a log that did not load", async () => {
    const { page, browser } = stage;
    await stage.show("Activity");
    await page.getByTestId("chain").waitFor();
    await page.route("**/api/activity**", (route) => route.abort("connectionfailed"));
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.getByText("The log did not load").waitFor();
    expect(await page.getByTestId("chain").count()).to.equal(0);
    await page.unroute("**/api/activity**");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByTestId("chain").waitFor();
    await browser.provoked(/ERR_CONNECTION_FAILED/);
  });

  it("lets a viewer look, and nothing else", async () => {
    const { browser, app } = stage;
    const context = await browser.context.browser()?.newContext();
    const page = context
      ? await signIn(context, app.url, "Vera")
      : await signIn(browser.context, app.url, "Vera");
    expect(await page.getByTestId("file-picker").count()).to.equal(0);
    expect(await page.getByRole("button", { name: "New box" }).count()).to.equal(0);
    expect(await page.getByTestId("reviewed").isDisabled()).to.equal(true);
    await stage.go("#/keys", page);
    expect(await page.getByRole("button", { name: "Add key" }).isDisabled()).to.equal(true);
    await page.close();
  });
}
