// What the database sees, and new keys under the open pages.
import { expect } from "chai";
import type { KeyInfo } from "../../web/src/data/contract.ts";
import type { Stage } from "./stage.ts";

export function keys(stage: Stage): void {
  it("shows a row as PostgreSQL has it, and refuses it with a byte flipped or swapped with another row", async () => {
    const { page, app } = stage;
    await stage.show("Database");
    await page.getByRole("button", { name: /^annotation_example/ }).click();
    const cell = page.getByTestId("cell-box");
    const id = (await page.locator(".row-button[aria-pressed=true]").getAttribute("title")) ?? "";
    const stored = async (): Promise<string> => {
      const sql = "SELECT box FROM annotation_example WHERE id = $1";
      const [row] = await app.database.query<{ box: string }>(sql, [id]);
      return row?.box ?? "";
    };
    const before = await stored();
    const shown = (await cell.locator(".byte").allTextContents()).join("");
    expect(Buffer.from(before, "base64").toString("hex").startsWith(shown.slice(0, 96))).to.equal(
      true,
    );
    await cell.getByRole("button", { name: "Flip one byte" }).click();
    await cell.getByText("Authentication failed").waitFor();
    expect(await cell.locator(".byte.is-changed").count()).to.equal(1);
    await cell.getByRole("button", { name: "Show as stored" }).click();
    await cell.getByRole("button", { name: "Swap with the row below" }).click();
    await cell.getByText("it was written for another row").waitFor();
    expect(await stored()).to.equal(before);
  });

  it("changes keys under the open pages: pause, resume, go on drawing, retire the old one", async () => {
    const { page, ada } = stage;
    await stage.show("Keys");
    const [old] = await ada.get<KeyInfo[]>("/api/keys");
    const start = page.getByRole("button", { name: "Re-encrypt" });
    await page.getByRole("button", { name: "Add key" }).click();
    await start.and(page.locator(":disabled")).waitFor();
    await page.getByTestId("key").nth(1).waitFor();
    await start.click();
    const panel = page.getByTestId("rotation");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator("[data-testid=rotation].is-paused").waitFor();
    const retire = page
      .getByTestId("key")
      .filter({ hasText: old?.id ?? "" })
      .getByRole("button", { name: "Retire" });
    await retire.click();
    expect(await page.getByTestId("retire-refused").textContent()).to.match(
      /\d+ values and \d+ files are still/,
    );
    await stage.browser.provoked(/status of 409/);
    await page.getByRole("button", { name: "Resume" }).click();

    await stage.show("Frames");
    const frame = await stage.open("rocket-pan2.jpg");
    await frame.drag([20, 20], [60, 60]);
    await frame.save();

    await stage.show("Keys");
    await page.locator("[data-testid=rotation].is-done").waitFor();
    await panel.getByText("Everything is under the primary key").waitFor();
    expect(await panel.textContent())
      .to.match(/Rows and files\d+Average speed[\d,]+ per secondTime\d+ s/)
      .and.include("Failures0");
    const [current, previous] = await ada.get<KeyInfo[]>("/api/keys");
    expect(previous).to.include({ id: old?.id, values: 0, objects: 0 });
    expect(current?.values).to.be.greaterThan(500);
    await retire.click();
    await page.getByTestId("key").nth(1).waitFor({ state: "detached" });
    // What the last run reached is not true for ever.
    await page.getByRole("button", { name: "Add key" }).click();
    await panel.getByText(/^[\d,]+ values and \d+ files under an older key$/).waitFor();
    expect(await panel.textContent()).not.to.include("Everything is under the primary key");
    await stage.show("Frames");
    const after = await stage.open("astronaut.jpg");
    expect(await after.boxes.count()).to.equal(5);
    await stage.show("Activity");
    await page.getByText("Key retired").waitFor();
    expect(await page.getByTestId("chain").textContent()).to.equal("Chain intact");
  });
}
