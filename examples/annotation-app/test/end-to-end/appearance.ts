// What a careful eye would see on each screen: contrast, names, nothing that sticks out.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { expect } from "chai";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { SCREENS } from "../../web/src/route.ts";
import { saveNow } from "../chromium.ts";
import type { Stage } from "./stage.ts";

const WIDTHS = [1280, 1920];
const THEMES = ["light", "dark"] as const;

export function appearance(stage: Stage): void {
  it("has contrast, names and order that everybody can use, on each screen, in both themes", async () => {
    const { page } = stage;
    await page.evaluate(await axeSource());
    const found: string[] = [];
    for (const screen of SCREENS) {
      await settleOn(page, screen);
      found.push(...(await violationsInThemes(page, screen)));
    }
    expect(found).to.deep.equal([]);
    // The control: a fault is found.
    await page.evaluate(() => {
      const button = document.createElement("button");
      button.id = "fault";
      document.querySelector("main")?.append(button);
    });
    expect(await violations(page)).to.deep.equal(["button-name: #fault"]);
    await page.evaluate(() => document.querySelector("#fault")?.remove());
  });

  it("has the same in its dialogs and on the sign-in page", async () => {
    const { browser, app } = stage;
    const page = await browser.context.newPage();
    await page.goto(app.url);
    await page.getByTestId("frame-row").first().waitFor();
    const frame = await stage.open("coffee-pan3.jpg", page);
    await page.evaluate(await axeSource());
    await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    const found = await violationsInThemes(page, "shortcuts");
    await page.keyboard.press("Escape");
    await conflictOn(stage, page, "coffee-pan3.jpg");
    found.push(...(await violationsInThemes(page, "conflict")));
    await page.getByTestId("conflict-reload").click();
    await page.route("**/annotations", (route) => route.abort("connectionfailed"));
    await page.keyboard.press("n");
    await saveNow(page);
    await page.getByText("Offline – will retry").waitFor();
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByRole("dialog", { name: "Some edits are not saved" }).waitFor();
    found.push(...(await violationsInThemes(page, "leaving")));
    await page.getByRole("button", { name: "Stay" }).click();
    await page.unroute("**/annotations");
    await frame.save();
    await page.keyboard.press("Control+z");
    await frame.save();
    await page.close();
    const visitor = await browser.context.browser()?.newContext();
    const door = await (visitor ?? browser.context).newPage();
    await door.goto(app.url);
    await door.getByRole("button", { name: "Sign in" }).waitFor();
    await door.evaluate(await axeSource());
    found.push(...(await violationsInThemes(door, "sign-in")));
    await visitor?.close();
    expect(found).to.deep.equal([]);
    await browser.provoked(/ERR_CONNECTION_FAILED|status of 409/);
  });

  it("fits the window at each width: nothing scrolls sideways", async () => {
    const { page } = stage;
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      for (const screen of SCREENS) {
        await settleOn(page, screen);
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(excess, `${screen} at ${width}`).to.equal(0);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });
}

/** Somebody else saves the frame that is open, then a box is drawn on it. */
async function conflictOn({ ada }: Stage, page: Page, name: string): Promise<void> {
  const { id, version, boxes, isReviewed } = await ada.frameNamed(name);
  await ada.send("PUT", `/api/frames/${id}/annotations`, { version, boxes, isReviewed });
  await page.keyboard.press("n");
  await saveNow(page);
  await page.getByRole("dialog", { name: "This frame changed elsewhere" }).waitFor();
}

function axeSource(): Promise<string> {
  return readFile(createRequire(import.meta.url).resolve("axe-core"), "utf8");
}

async function settleOn(page: Page, screen: string): Promise<void> {
  await page.evaluate((hash) => void (location.hash = hash), `#/${screen}`);
  await page.locator(`nav a[aria-current][href^='#/${screen}']`).waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
}

/** Colours that are on their way to others are not those of the theme. */
async function coloursSettled(page: Page): Promise<void> {
  await page.waitForFunction(() =>
    document
      .getAnimations()
      .every(({ effect }) => effect?.getComputedTiming().endTime === Number.POSITIVE_INFINITY),
  );
}

/** As "where, theme, rule: what fails". */
async function violationsInThemes(page: Page, where: string): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme });
    await coloursSettled(page);
    found.push(...(await violations(page)).map((rule) => `${where}, ${colorScheme}, ${rule}`));
  }
  await page.emulateMedia({ colorScheme: null });
  await coloursSettled(page);
  return found;
}

/** By the rules of WCAG 2.2 A and AA, as "rule: where it fails". */
async function violations(page: Page): Promise<string[]> {
  const results = await page.evaluate(() => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<AxeResults> };
    };
    return axe.run({
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
      resultTypes: ["violations"],
    });
  });
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target }) => `${id}: ${target.join(" ")}`),
  );
}
