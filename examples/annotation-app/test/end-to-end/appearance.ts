// What a careful eye would see on each screen: contrast, names, nothing that sticks out.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { expect } from "chai";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { SCREENS } from "../../web/src/route.ts";
import type { Stage } from "./stage.ts";

const WIDTHS = [1280, 1920];
const THEMES = ["light", "dark"] as const;

export function appearance(stage: Stage): void {
  for (const theme of THEMES) {
    it(`has contrast, names and order that everybody can use, on each screen, ${theme}`, async () => {
      const { page } = stage;
      await page.emulateMedia({ colorScheme: theme });
      await page.evaluate(
        await readFile(createRequire(import.meta.url).resolve("axe-core"), "utf8"),
      );
      const found: string[] = [];
      for (const screen of SCREENS) {
        await settleOn(page, screen);
        found.push(...(await violations(page)).map((violation) => `${screen}: ${violation}`));
      }
      expect(found).to.deep.equal([]);
    });
  }

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

async function settleOn(page: Page, screen: string): Promise<void> {
  await page.evaluate((hash) => void (location.hash = hash), `#/${screen}`);
  await page.locator(`nav a[aria-current][href^='#/${screen}']`).waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
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
