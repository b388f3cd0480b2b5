// A working day: what the detector saw, days, a refused save, leaving with work undone, and pages that stay steady.
import { expect } from "chai";
import type { Page } from "playwright-core";
import { SCREENS } from "../../web/src/route.ts";
import { saveNow } from "../chromium.ts";
import type { Stage } from "./stage.ts";

/** What Core Web Vitals call good. */
const GOOD_LAYOUT_SHIFT = 0.1;

export function workflow(stage: Stage): void {
  it("shows what the detector saw, and hides it again", async () => {
    const { page, ada } = stage;
    const frame = await stage.open("astronaut.jpg");
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await frame.click([480, 300]);
    expect(await frame.ring(), "after a click").to.equal("none");
    const { detections } = await ada.frameNamed("astronaut.jpg");
    const outlines = page.locator("[data-testid=canvas] rect.detection");
    expect(await outlines.count())
      .to.equal(detections.length)
      .and.be.greaterThan(0);
    expect(await outlines.first().isVisible()).to.equal(false);
    await page.keyboard.press("o");
    expect(await outlines.first().isVisible()).to.equal(true);
    // Over the boxes, whose lines would hide it: most boxes stand where the detector put them.
    const isOver = await outlines.first().evaluate((outline) => {
      const box = document.querySelector("[data-testid=canvas] g.box");
      return box !== null && (box.compareDocumentPosition(outline) & 4) !== 0;
    });
    expect(isOver).to.equal(true);
    const [first] = detections;
    expect(Number(await outlines.first().getAttribute("x"))).to.equal(first?.x);
    await page.getByRole("button", { name: "Original detections" }).click();
    expect(await outlines.first().isVisible()).to.equal(false);
  });

  it("filters by day, both days included", async () => {
    const { page } = stage;
    await page.getByLabel("From", { exact: true }).fill("2026-11-19");
    await page.getByLabel("To", { exact: true }).fill("2026-11-19");
    await page.waitForFunction(() => {
      const total = document.querySelector("[data-testid=frame-total]")?.textContent ?? "";
      return total.startsWith("10");
    });
    const names = await page.getByTestId("frame-row").locator(".frame-name").allTextContents();
    expect(
      names.every((name) => /^(coffee|chelsea)/.test(name)),
      names.join(),
    ).to.equal(true);
    await page.getByLabel("From", { exact: true }).fill("");
    await page.getByLabel("To", { exact: true }).fill("");
    await page.getByTestId("frame-row").filter({ hasText: "astronaut.jpg" }).waitFor();
  });

  it("says why a save was refused, keeps the edit, and saves it when asked to", async () => {
    const { page, ada } = stage;
    const { id, boxes } = await ada.frameNamed("coffee-pan3.jpg");
    const frame = await stage.open("coffee-pan3.jpg");
    const address = `**/api/frames/${id}/annotations`;
    await page.route(address, (route) =>
      route.fulfill({ status: 422, json: { code: "INVALID", message: "Not today." } }),
    );
    await frame.drag([390, 10], [440, 60]);
    await saveNow(page);
    await page.getByText("Not today.").waitFor();
    expect((await ada.frameNamed("coffee-pan3.jpg")).boxes).to.have.length(boxes.length);
    await page.unroute(address);
    await page.getByRole("button", { name: "Save now" }).click();
    await frame.untilSaved();
    expect((await ada.frameNamed("coffee-pan3.jpg")).boxes).to.have.length(boxes.length + 1);
    await stage.browser.provoked(/status of 422/);
  });

  it("asks before somebody signs out with edits that the server does not have", async () => {
    const { page, ada, browser } = stage;
    const { id, boxes } = await ada.frameNamed("coffee-pan4.jpg");
    const frame = await stage.open("coffee-pan4.jpg");
    const address = `**/api/frames/${id}/annotations`;
    await page.route(address, (route) => route.abort("connectionfailed"));
    await frame.drag([390, 10], [440, 60]);
    await saveNow(page);
    await page.getByText("Offline – will retry").waitFor();
    const dialog = page.getByRole("dialog", { name: "Some edits are not saved" });
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    expect(await dialog.textContent()).to.include("coffee-pan4.jpg");
    await dialog.getByRole("button", { name: "Stay" }).click();
    await page.unroute(address);
    await frame.save();
    expect((await ada.frameNamed("coffee-pan4.jpg")).boxes).to.have.length(boxes.length + 1);
    await browser.provoked(/ERR_CONNECTION_FAILED/);
  });

  it("saves what is drawn after a sign-out that failed, and not what was discarded for it", async () => {
    const { page, ada, browser } = stage;
    const { id, boxes } = await ada.frameNamed("coffee-pan3.jpg");
    const frame = await stage.open("coffee-pan3.jpg");
    const addresses = [`**/api/frames/${id}/annotations`, "**/api/session"];
    for (const address of addresses) {
      await page.route(address, (route) => route.abort("connectionfailed"));
    }
    await frame.drag([390, 10], [440, 60]);
    await saveNow(page);
    await page.getByText("Offline – will retry").waitFor();
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByTestId("discard").click();
    await page.getByText("The server cannot be reached.").waitFor();
    for (const address of addresses) await page.unroute(address);
    await stage.open("coffee-pan3.jpg");
    expect(await frame.boxes.count()).to.equal(boxes.length);
    await frame.drag([300, 10], [350, 60]);
    await frame.save();
    const saved = (await ada.frameNamed("coffee-pan3.jpg")).boxes;
    expect(saved).to.have.length(boxes.length + 1);
    expect(saved.at(-1)?.x).to.be.closeTo(300, 3);
    await browser.provoked(/ERR_CONNECTION_FAILED/);
  });

  it("follows an address that changes while the page is being built", async () => {
    const { browser, app } = stage;
    const page = await browser.context.newPage();
    await page.addInitScript(() => {
      const observer = new MutationObserver(() => {
        if (!document.querySelector("nav")) return;
        observer.disconnect();
        location.hash = "#/keys";
      });
      observer.observe(document, { childList: true, subtree: true });
    });
    await page.goto(app.url);
    await page.locator("nav a[aria-current][href='#/keys']").waitFor();
    await page.close();
  });

  it("moves nothing that is on screen while it loads", async () => {
    const { browser, app } = stage;
    const page = await browser.context.newPage();
    await page.goto(app.url);
    await page.getByTestId("frame-row").first().waitFor();
    for (const screen of SCREENS) {
      await page.goto(`${app.url}/#/${screen}`);
      await page.reload();
      await page.locator(`nav a[aria-current][href^='#/${screen}']`).waitFor();
      await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
      expect(await layoutShift(page), screen).to.be.lessThan(GOOD_LAYOUT_SHIFT);
    }
    // The control: a push that anybody would see is measured.
    await page.evaluate(() => {
      const block = document.createElement("div");
      block.className = "skeleton";
      block.innerHTML = "<p>.</p>".repeat(20);
      document.body.prepend(block);
    });
    expect(await layoutShift(page)).to.be.greaterThan(0);
    await page.close();
  });

  it("lets go of timers, object addresses and elements, however long one works", async () => {
    const { browser, app } = stage;
    const page = await browser.context.newPage();
    await page.addInitScript(countHeld);
    await page.goto(app.url);
    await page.getByTestId("frame-row").first().waitFor();
    const round = async (): Promise<Held> => {
      for (const screen of [...SCREENS, "frames"]) {
        await page.evaluate((hash) => void (location.hash = hash), `#/${screen}`);
        await page.locator(`nav a[aria-current][href^='#/${screen}']`).waitFor();
        await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
      }
      for (const key of ["f", "f", "d", "d"]) {
        await page.keyboard.press(key);
        await page.locator("[data-testid=canvas] .overlay").waitFor({ state: "detached" });
      }
      await page.waitForTimeout(300);
      return page.evaluate(() => (globalThis as unknown as { held(): Held }).held());
    };
    await round();
    const before = await round();
    await round();
    const after = await round();
    expect(after.intervals).to.equal(before.intervals);
    expect(after.addresses).to.equal(before.addresses);
    // Timers that wait for a moment, as of a notice, end by themselves; what is kept does not.
    await page.waitForFunction(
      (most) => (globalThis as unknown as { held(): Held }).held().timeouts <= most,
      before.timeouts,
    );
    expect(after.elements).to.be.within(before.elements - 20, before.elements + 20);
    await page.close();
  });
}

interface Held {
  readonly intervals: number;
  readonly timeouts: number;
  readonly addresses: number;
  readonly elements: number;
}

/** Runs in the page before its own scripts. */
function countHeld(): void {
  const [intervals, timeouts, addresses] = [
    new Set<unknown>(),
    new Set<unknown>(),
    new Set<string>(),
  ];
  const { setInterval: repeat, clearInterval: endRepeat } = globalThis;
  const { setTimeout: wait, clearTimeout: endWait } = globalThis;
  const { createObjectURL, revokeObjectURL } = URL;
  const replace = {
    setInterval: (...given: Parameters<typeof repeat>) => {
      const id = repeat(...given);
      intervals.add(id);
      return id;
    },
    clearInterval: (id: Parameters<typeof endRepeat>[0]) => {
      intervals.delete(id);
      endRepeat(id);
    },
    setTimeout: (run: () => void, milliseconds: number) => {
      const id: unknown = wait(() => {
        timeouts.delete(id);
        run();
      }, milliseconds);
      timeouts.add(id);
      return id;
    },
    clearTimeout: (id: Parameters<typeof endWait>[0]) => {
      timeouts.delete(id);
      endWait(id);
    },
    held: () => ({
      intervals: intervals.size,
      timeouts: timeouts.size,
      addresses: addresses.size,
      elements: document.querySelectorAll("*").length,
    }),
  };
  Object.assign(globalThis, replace);
  URL.createObjectURL = (object) => {
    const address = createObjectURL.call(URL, object);
    addresses.add(address);
    return address;
  };
  URL.revokeObjectURL = (address) => {
    addresses.delete(address);
    revokeObjectURL.call(URL, address);
  };
}

/** Of the page since it was loaded, without what people caused themselves. @see https://web.dev/articles/cls */
function layoutShift(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let sum = 0;
        const observer = new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) {
            const { value, hadRecentInput } = entry as unknown as {
              value: number;
              hadRecentInput: boolean;
            };
            if (!hadRecentInput) sum += value;
          }
        });
        observer.observe({ type: "layout-shift", buffered: true });
        setTimeout(() => {
          observer.disconnect();
          resolve(sum);
        }, 250);
      }),
  );
}
