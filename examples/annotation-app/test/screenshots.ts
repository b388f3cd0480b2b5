// `npm run screenshots`: every screen and state at both widths and in both themes, for people to look at. Files go to
// .screenshots/, as "frames-1280-light.png".
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { stopPostgres } from "../../../test/support/postgres.ts";
import type { VideoSummary } from "../web/src/data/contract.ts";
import { startTestApplication } from "./application.ts";
import { FrameOnScreen, openBrowser, saveNow, untilSaved } from "./chromium.ts";
import { Client, newBox } from "./client.ts";

const FOLDER = join(import.meta.dirname, "../.screenshots");
const SIZES = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
] as const;
const THEMES = ["light", "dark"] as const;

const app = await startTestApplication({ ROTATION_ROWS_PER_SECOND: "90" });
const browser = await openBrowser();
const ada = await Client.signedIn(app.url);
await mkdir(FOLDER, { recursive: true });
try {
  for (const theme of THEMES) for (const size of SIZES) await takeAll(theme, size);
} finally {
  await browser.close();
  await browser.removeProfile();
  await app.stop();
  await stopPostgres();
}
process.exit(0);

async function takeAll(
  theme: (typeof THEMES)[number],
  size: (typeof SIZES)[number],
): Promise<void> {
  const context = await browser.context
    .browser()
    ?.newContext({ colorScheme: theme, viewport: size });
  if (!context) throw new Error("no browser");
  const page = await context.newPage();
  const shoot = async (name: string, of: Page = page): Promise<void> => {
    await of.waitForTimeout(350); // transitions
    const path = join(FOLDER, `${name}-${size.width}-${theme}.png`);
    await of.screenshot({ path, animations: "disabled" });
  };
  const show = async (hash: string): Promise<void> => {
    await page.evaluate((value) => void (location.hash = value), hash);
    await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
  };

  await page.goto(app.url);
  await page.getByRole("button", { name: /^Ada/ }).waitFor();
  await shoot("sign-in");
  await page.getByRole("button", { name: /^Ada/ }).click();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByTestId("frame-row").first().waitFor();

  const astronaut = await ada.frameNamed("astronaut.jpg");
  await show(`#/frames/${astronaut.id}`);
  await page.locator("[data-testid=canvas] .overlay").waitFor({ state: "detached" });
  await page.locator(".box-row", { hasText: "face" }).click();
  await shoot("frames");
  await page.keyboard.press("o");
  await shoot("frames-detections");
  await page.keyboard.press("o");
  await page.getByLabel("Label", { exact: true }).selectOption("rocket");
  await page.getByTestId("search-note").waitFor();
  await shoot("frames-filtered");
  await page.getByLabel("Camera", { exact: true }).selectOption("Suit room");
  await page.getByText("No frame matches", { exact: true }).waitFor();
  await shoot("frames-empty");
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  await shoot("dialog-shortcuts");
  await page.keyboard.press("Escape");
  await conflict(page, shoot);
  await leaving(page, shoot);
  await uploads(page, shoot);
  await show("#/frames/00000000-0000-4000-8000-000000000000");
  await page.getByText("The frame did not open").waitFor();
  await shoot("error-frame");

  await show("#/videos");
  const [clip] = (await ada.get<VideoSummary[]>("/api/videos")).toReversed();
  await show(`#/videos/${clip?.id}`);
  await page.waitForFunction(() => (document.querySelector("video")?.readyState ?? 0) >= 2);
  await page.getByTestId("event").filter({ hasText: "rocket" }).click();
  await page.waitForFunction(() => {
    const player = document.querySelector("video");
    return player?.seeking === false && player.readyState >= 3;
  });
  await page.waitForTimeout(1_500); // the browser's own sign of loading
  await shoot("videos");
  await show("#/database");
  await shoot("database");
  const cell = page.getByTestId("cell-box");
  await cell.getByRole("button", { name: "Flip one byte" }).click();
  await cell.getByText("Authentication failed").waitFor();
  await cell.scrollIntoViewIfNeeded();
  await shoot("database-tampered");
  await page.getByRole("button", { name: /^retry_job/ }).click();
  await page.getByText("No rows in retry_job").waitFor();
  await shoot("database-empty");
  await show("#/keys");
  await shoot("keys");
  await page.getByRole("button", { name: "Add key" }).click();
  await page.getByTestId("key").nth(1).waitFor();
  await page.getByRole("button", { name: /^Re-encrypt/ }).click();
  await page.waitForTimeout(2_500);
  await shoot("keys-rotating");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator("[data-testid=rotation].is-paused").waitFor();
  await shoot("keys-paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator("[data-testid=rotation].is-done").waitFor();
  await page.getByText("Everything is under the primary key").waitFor();
  await shoot("keys-done");
  await show("#/transfer");
  await shoot("transfer");
  await importBoxes(page);
  await shoot("transfer-imported");
  await refusedImport(page);
  await shoot("transfer-refused");
  await show("#/activity");
  await shoot("activity");
  await page.route("**/api/activity**", (route) => route.abort());
  await page.getByRole("button", { name: "Refresh" }).click();
  await page.getByText("The log did not load").waitFor();
  await shoot("error-activity");
  await context.close();

  const other = await browser.context.browser()?.newContext({ colorScheme: theme, viewport: size });
  const viewer = await other?.newPage();
  if (!viewer) return;
  await viewer.goto(app.url);
  await viewer.getByRole("button", { name: /^Vera/ }).click();
  await viewer.getByRole("button", { name: "Sign in" }).click();
  await viewer.getByTestId("frame-row").first().waitFor();
  await viewer.evaluate((hash) => void (location.hash = hash), `#/frames/${astronaut.id}`);
  await viewer.getByRole("heading", { name: "astronaut.jpg", exact: true }).waitFor();
  await viewer.locator("[data-testid=canvas] .overlay").waitFor({ state: "detached" });
  await shoot("viewer", viewer);
  await other?.close();
}

type Shoot = (name: string) => Promise<void>;

async function conflict(page: Page, shoot: Shoot): Promise<void> {
  const frame = await ada.frameNamed("coffee.jpg");
  await FrameOnScreen.open(page, frame);
  const { id, version, boxes } = frame;
  const theirs = [...boxes, newBox({ label: "spoon" })];
  const path = `/api/frames/${id}/annotations`;
  await ada.send("PUT", path, { version, boxes: theirs, isReviewed: true });
  await page.getByRole("button", { name: "New box" }).click(); // waits for the editor
  await page.getByTestId("conflict-merge").waitFor();
  await shoot("dialog-conflict");
  await page.getByTestId("conflict-reload").click();
  await ada.send("PUT", path, { version: version + 1, boxes, isReviewed: true });
}

/** Signing out while an edit waits for the network. */
async function leaving(page: Page, shoot: Shoot): Promise<void> {
  await FrameOnScreen.open(page, await ada.frameNamed("chelsea.jpg"));
  await page.route("**/annotations", (route) => route.abort("connectionfailed"));
  await page.getByRole("button", { name: "New box" }).click(); // waits for the editor
  await page.getByText("Offline – will retry").waitFor();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByRole("dialog", { name: "Some edits are not saved" }).waitFor();
  await shoot("dialog-unsaved");
  await page.getByRole("button", { name: "Stay" }).click();
  await page.unroute("**/annotations");
  await page.keyboard.press("Control+z");
  await saveNow(page);
  await untilSaved(page);
  await FrameOnScreen.open(page, await ada.frameNamed("coffee.jpg"));
}

async function uploads(page: Page, shoot: Shoot): Promise<void> {
  const photograph = await readFile(join(import.meta.dirname, "../media/camera.jpg"));
  const located = await sharp(photograph)
    .jpeg()
    .withExif({ IFD3: { GPSLatitudeRef: "N", GPSLatitude: "48/1 51/1 29/1" } })
    .toBuffer();
  const files = [
    { name: "gate-0412.jpg", mimeType: "image/jpeg", buffer: located },
    { name: "damaged.jpg", mimeType: "image/jpeg", buffer: located.subarray(0, 900) },
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("hello") },
  ];
  await page.getByTestId("file-picker").setInputFiles(files);
  await page.getByText(/1 of 3 files added/).waitFor();
  await shoot("upload-tray");
  await page.getByRole("button", { name: "Clear finished uploads" }).click();
  const transfer = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["x"], "x.jpg", { type: "image/jpeg" }));
    return data;
  });
  await page.dispatchEvent("body", "dragover", { dataTransfer: transfer });
  await shoot("drop-overlay");
  await page.dispatchEvent("body", "dragleave", { dataTransfer: transfer });
}

async function refusedImport(page: Page): Promise<void> {
  await page.getByTestId("coco-file").setInputFiles({
    name: "towers.json",
    mimeType: "application/json",
    buffer: Buffer.from('{ "images": [], "annotations": [] }'),
  });
  await page.getByText("was not imported").waitFor();
}

async function importBoxes(page: Page): Promise<void> {
  const file = {
    images: [
      { id: 1, file_name: "rocket.jpg", width: 640, height: 427 },
      { id: 2, file_name: "from-another-camera.jpg", width: 640, height: 427 },
    ],
    categories: [{ id: 1, name: "tower" }],
    annotations: [
      { id: 1, image_id: 1, category_id: 1, bbox: [20 + Math.random() * 300, 30, 40, 50] },
      { id: 2, image_id: 1, category_id: 1, bbox: [630, 30, 400, 50] },
    ],
  };
  await page.getByTestId("coco-file").setInputFiles({
    name: "towers.json",
    mimeType: "application/json",
    buffer: Buffer.from(JSON.stringify(file)),
  });
  await page.getByRole("button", { name: /^Import \d/ }).click();
  await page.getByTestId("import-result").waitFor();
}
