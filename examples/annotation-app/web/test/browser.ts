// The box editor alone in a real Chromium: bundled from source, no server, no network.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { skip } from "../../../../test/support/skip.ts";
import type { BoxEditor } from "../src/editor/box-editor.ts";
import type { Box, Boxes } from "../src/editor/box.ts";

declare global {
  interface Window {
    editor: BoxEditor;
    /** What the editor gave out to be saved. */
    saved: Boxes[];
    spoken: string[];
  }
}

const SOURCE = new URL("../src/", import.meta.url);
const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The image is 640 by 480 and shown at scale 1, so a pixel of the image is one of the page, this far in. */
export const MARGIN_PX = 16;

export async function startBrowser(context: Mocha.Context): Promise<Browser> {
  if (!existsSync(EXECUTABLE)) skip(context, "chromium is not installed");
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: ["--disable-dev-shm-usage", ...(isRoot ? ["--no-sandbox"] : [])],
  });
}

/** One script with the editor in it, as a page loads it. */
export async function bundleEditor(): Promise<string> {
  const bundle = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      lib: {
        entry: fileURLToPath(new URL("editor/box-editor.ts", SOURCE)),
        formats: ["iife"],
        name: "boxEditor",
      },
    },
  });
  const output = Array.isArray(bundle) ? bundle[0] : bundle;
  if (!output || !("output" in output)) throw new Error("Vite built nothing");
  return output.output[0].code;
}

export interface EditorPageOptions {
  readonly script: string;
  readonly boxes: Boxes;
  readonly canEdit?: boolean;
  readonly hasTouch?: boolean;
}

export async function openEditor(browser: Browser, options: EditorPageOptions): Promise<Page> {
  const { script, boxes, canEdit = true, hasTouch = false } = options;
  const page = await browser.newPage({ viewport: { width: 800, height: 600 }, hasTouch });
  // Answered right here. An address of localhost makes a secure context, as the application has one.
  await page.route("http://localhost/", (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><body></body>" }),
  );
  await page.goto("http://localhost/");
  const styles = await Promise.all(
    ["styles/tokens.css", "styles/editor.css"].map((name) =>
      readFile(new URL(name, SOURCE), "utf8"),
    ),
  );
  const layout = "body{margin:0}#host{width:672px;height:512px}";
  await page.addStyleTag({ content: [...styles, layout].join("\n") });
  await page.addScriptTag({ content: `${script};globalThis.boxEditor=boxEditor;` });
  await page.evaluate(
    ([boxes, canEdit]) => {
      const { BoxEditor: Editor } = (
        globalThis as unknown as { boxEditor: { BoxEditor: typeof BoxEditor } }
      ).boxEditor;
      const host = document.createElement("div");
      host.id = "host";
      document.body.append(host);
      window.saved = [];
      window.spoken = [];
      window.editor = new Editor(host, {
        labels: ["person", "car", "bag"],
        canEdit,
        events: {
          onChange: (changed) => window.saved.push(changed),
          onUpdate: () => {},
          onAnnounce: (sentence) => window.spoken.push(sentence),
          onPicture: () => {},
        },
      });
      const imageUrl = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
      window.editor.load({ imageUrl, image: { width: 640, height: 480 }, boxes });
    },
    [boxes, canEdit] as const,
  );
  return page;
}

/** Presses at one point of the image and lets go at another. */
export async function drag(
  page: Page,
  from: readonly [number, number],
  to: readonly [number, number],
): Promise<void> {
  await page.mouse.move(from[0] + MARGIN_PX, from[1] + MARGIN_PX);
  await page.mouse.down();
  await page.mouse.move((from[0] + to[0]) / 2 + MARGIN_PX, (from[1] + to[1]) / 2 + MARGIN_PX);
  await page.mouse.move(to[0] + MARGIN_PX, to[1] + MARGIN_PX);
  await page.mouse.up();
}

export function boxesOf(page: Page): Promise<Boxes> {
  return page.evaluate(() => window.editor.boxes);
}

export async function onlyBox(page: Page): Promise<Box> {
  const [box, ...others] = await boxesOf(page);
  if (!box || others.length > 0)
    throw new Error(`there are ${others.length + (box ? 1 : 0)} boxes`);
  return box;
}

export function savedCount(page: Page): Promise<number> {
  return page.evaluate(() => window.saved.length);
}

/** Sends a command, as the screen does for a key. */
export async function press(
  page: Page,
  kind: "undo" | "redo" | "escape" | "new-box" | "draw-tool" | "delete" | "zoom-fit",
): Promise<void> {
  await page.evaluate((kind) => window.editor.run({ kind }), kind);
}
