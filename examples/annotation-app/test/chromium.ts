// The pages in a real Chromium, with a profile on disk of its own, so that what the browser keeps can be searched.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import type { FrameDetail } from "../web/src/data/contract.ts";
import { skip } from "../../../test/support/skip.ts";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";

export interface OpenBrowser {
  readonly context: BrowserContext;
  /** Everything the browser has on disk. */
  readonly profile: string;
  /** What pages complained about and no test took: errors of scripts, of the policy, of requests that failed. */
  readonly complaints: string[];
  /** Takes the complaints that a test has provoked; waits for the first, for they come late. */
  provoked(pattern: RegExp): Promise<void>;
  /** Every address that pages asked for. */
  readonly requests: string[];
  close(): Promise<void>;
  removeProfile(): Promise<void>;
}

/** @param test that is skipped where there is no browser; without one a missing browser is an error */
export async function openBrowser(test?: Mocha.Context): Promise<OpenBrowser> {
  if (test && !existsSync(EXECUTABLE)) skip(test, "chromium is not installed");
  const profile = await mkdtemp(join(tmpdir(), "fieldseal-chromium-"));
  const isRoot = process.getuid?.() === 0;
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: [
      "--disable-dev-shm-usage",
      // The browser's own services are out of reach as well.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      ...(isRoot ? ["--no-sandbox"] : []),
    ],
    viewport: { width: 1280, height: 800 },
    acceptDownloads: true,
  });
  const complaints: string[] = [];
  const requests: string[] = [];
  context.on("request", (request) => requests.push(request.url()));
  context.on("weberror", (error) => complaints.push(error.error().message));
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return {
    context,
    profile,
    complaints,
    requests,
    async provoked(pattern) {
      for (let tries = 0; !complaints.some((text) => pattern.test(text)); tries += 1) {
        if (tries > 100)
          throw new Error(`No complaint matches ${pattern}: ${complaints.join("; ")}`);
        await delay(20);
      }
      await delay(100); // the rest of them
      complaints.splice(0, Infinity, ...complaints.filter((text) => !pattern.test(text)));
    },
    close: () => context.close(),
    removeProfile: () => rm(profile, { recursive: true, force: true }),
  };
}

export async function signIn(context: BrowserContext, url: string, name = "Ada"): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await fillIn(page, name);
  return page;
}

/** Signs in on a page that asks for it. */
export async function fillIn(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: new RegExp(`^${name}`) }).click();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByTestId("frame-row").first().waitFor();
}

export async function untilSaved(page: Page): Promise<void> {
  await page.locator("[data-testid=save-status].is-saved").waitFor();
}

/** What waits is sent, as when the network is back, instead of after the pause that the page makes by itself. */
export async function saveNow(page: Page): Promise<void> {
  await page.evaluate(() => void dispatchEvent(new Event("online")));
}

/** A frame on screen, addressed in pixels of its picture. */
export class FrameOnScreen {
  readonly page: Page;
  readonly #width: number;

  /** @param width of the picture */
  constructor(page: Page, width: number) {
    this.page = page;
    this.#width = width;
  }

  /** By its address: the list shows only a part of itself. */
  static async open(page: Page, { id, name, width }: FrameDetail): Promise<FrameOnScreen> {
    await page.evaluate((hash) => void (location.hash = hash), `#/frames/${id}`);
    await page.getByRole("heading", { name, exact: true }).waitFor();
    await page.locator("[data-testid=canvas] .overlay").waitFor({ state: "detached" });
    return new FrameOnScreen(page, width);
  }

  get boxes() {
    return this.page.locator("[data-testid=canvas] g.box");
  }

  async drag(from: readonly [number, number], to: readonly [number, number]): Promise<void> {
    const { mouse } = this.page;
    const at = await this.#placement();
    await mouse.move(...at(from));
    await mouse.down();
    await mouse.move(...at([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]));
    await mouse.move(...at(to));
    await mouse.up();
  }

  async click(point: readonly [number, number]): Promise<void> {
    await this.page.mouse.click(...(await this.#placement())(point));
  }

  /** The style of the line around the canvas, which says that it has the focus. */
  ring(): Promise<string> {
    return this.page
      .locator("svg.editor")
      .evaluate((canvas) => getComputedStyle(canvas).outlineStyle);
  }

  /** Where on the page a pixel of the picture is. */
  async #placement(): Promise<(point: readonly [number, number]) => [number, number]> {
    const picture = await this.page.locator("[data-testid=canvas] image").boundingBox();
    if (!picture) throw new Error("no picture on screen");
    const scale = picture.width / this.#width;
    return ([x, y]) => [picture.x + x * scale, picture.y + y * scale];
  }

  /** Waits for the page to save by itself, half a second after the last edit. */
  async untilSaved(): Promise<void> {
    await untilSaved(this.page);
  }

  /** The same without the half second. */
  async save(): Promise<void> {
    await saveNow(this.page);
    await untilSaved(this.page);
  }
}
