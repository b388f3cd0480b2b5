// Files that a browser opens by themselves, under the policy that the file handler sends with them: they must still show.
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage, FileHandler } from "@fieldseal/storage";
import { expect } from "chai";
import type { Page } from "playwright-core";
import { type OpenBrowser, openBrowser } from "./chromium.ts";

const MEDIA = join(import.meta.dirname, "../media");

describe("an encrypted file opened in Chromium", function () {
  this.timeout(60_000);
  let folder: string;
  let storage: EncryptedLocalStorage;
  let server: Server;
  let browser: OpenBrowser | undefined;

  before(async function () {
    browser = await openBrowser(this);
    folder = await mkdtemp(join(tmpdir(), "fieldseal-opened-"));
    storage = new EncryptedLocalStorage({
      path: folder,
      keyring: Keyring.fromKey(generateRootKey()),
    });
    const files = new FileHandler(storage);
    server = createServer((request, response) => {
      void files.serve(request, response, request.url?.slice(1));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(async () => {
    await browser?.close();
    await browser?.removeProfile();
    server?.closeAllConnections();
    server?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const opened = async (key: string, contentType: string, content: Buffer): Promise<Page> => {
    await storage.put(key, content, { contentType });
    const page = await (browser as OpenBrowser).context.newPage();
    const { port } = server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/${key}`);
    return page;
  };

  /** Of all pixels of the page; looked at by another one, which no policy binds. */
  const shareOf = async (page: Page, colour: "any" | "red"): Promise<number> => {
    const picture = (await page.screenshot()).toString("base64");
    if (process.env.SCREENSHOT)
      await page.screenshot({
        path: `${process.env.SCREENSHOT}-${page.url().split("/").at(-1)}.png`,
      });
    const looker = await (browser as OpenBrowser).context.newPage();
    const share = await looker.evaluate(
      async ([data, wanted]) => {
        const image = await createImageBitmap(
          await (await fetch(`data:image/png;base64,${data}`)).blob(),
        );
        const surface = new OffscreenCanvas(image.width, image.height).getContext("2d");
        surface?.drawImage(image, 0, 0);
        const pixels = surface?.getImageData(0, 0, image.width, image.height).data ?? [];
        let hits = 0;
        for (let at = 0; at < pixels.length; at += 4) {
          const [red = 0, green = 0, blue = 0] = pixels.slice(at, at + 3);
          const isRed = red > 200 && green < 60 && blue < 60;
          // Backgrounds of pages and players are grey; pictures are not.
          if (
            wanted === "red" ? isRed : Math.max(red, green, blue) - Math.min(red, green, blue) > 15
          )
            hits++;
        }
        return (4 * hits) / pixels.length;
      },
      [picture, colour] as const,
    );
    await looker.close();
    return share;
  };
  /** What is shown comes late. */
  const untilShown = async (page: Page, colour: "any" | "red"): Promise<void> => {
    let share = 0;
    for (let tries = 0; tries < 15 && share < 0.05; tries++) {
      share = await shareOf(page, colour);
      if (share < 0.05) await page.waitForTimeout(200);
    }
    expect(share).to.be.greaterThan(0.05);
    await page.close();
  };

  it("shows a picture", async () => {
    const picture = await readFile(join(MEDIA, "astronaut.jpg"));
    await untilShown(await opened("picture", "image/jpeg", picture), "any");
  });

  it("shows a video", async () => {
    const video = await readFile(join(MEDIA, "rocket-pan.mp4"));
    await untilShown(await opened("video", "video/mp4", video), "any");
  });

  it("shows a PDF", async () => {
    await untilShown(await opened("paper", "application/pdf", redPage()), "red");
  });

  it("runs no script of a page, and loads nothing for it", async () => {
    const page = await opened(
      "text",
      "text/plain",
      Buffer.from("<script>document.title = 'ran'</script>"),
    );
    expect(await page.title()).to.equal("");
    await page.close();
  });
});

/** One page of red. ISO 32000-1 section 7.5. */
function redPage(): Buffer {
  const drawing = "1 0 0 rg 0 0 600 800 re f";
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
    `<< /Length ${drawing.length} >>\nstream\n${drawing}\nendstream`,
  ];
  let text = "%PDF-1.4\n";
  const offsets = objects.map((object, index) => {
    const at = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(at).padStart(10, "0")} 00000 n \n`;
  });
  const crossAt = text.length;
  text += `xref\n0 5\n0000000000 65535 f \n${offsets.join("")}`;
  text += `trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n${crossAt}\n%%EOF\n`;
  return Buffer.from(text, "latin1");
}
