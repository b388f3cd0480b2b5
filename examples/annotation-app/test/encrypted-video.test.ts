// A browser plays an encrypted video of 400 MB and seeks in it: what is decrypted is what it needs, not the video.
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage, FileHandler, SignedUrls } from "@fieldseal/storage";
import { expect } from "chai";
import { type OpenBrowser, openBrowser } from "./chromium.ts";

const CLIP = join(import.meta.dirname, "../media/rocket-pan.mp4");
const GAP_BYTES = 400 * 1024 * 1024;
const SEGMENT_PLAIN_BYTES = 65_504;

describe("an encrypted video in Chromium", function () {
  this.timeout(120_000);
  let folder: string;
  let server: Server;
  let browser: OpenBrowser | undefined;
  let segments = 0;
  let sizeBytes = 0;

  before(async function () {
    browser = await openBrowser(this);
    folder = await mkdtemp(join(tmpdir(), "fieldseal-video-"));
    const keyring = Keyring.fromKey(generateRootKey());
    const storage = new EncryptedLocalStorage({ path: folder, keyring });
    const video = withGap(await readFile(CLIP), GAP_BYTES);
    sizeBytes = video.length;
    await storage.put("clip", video, { contentType: "video/mp4" });
    const open = storage.open.bind(storage);
    storage.open = async (...given) => {
      const object = await open(...given);
      const stream = object.stream.bind(object);
      object.stream = async function* (range) {
        for await (const piece of stream(range)) {
          segments += 1;
          yield piece;
        }
      };
      return object;
    };
    const signedUrls = new SignedUrls({ baseUrl: "/files/", keyring });
    const files = new FileHandler(storage, { signedUrls });
    server = createServer((request, response) => {
      if (request.url !== "/") return void files.serve(request, response);
      const source = signedUrls.sign("clip");
      response.setHeader("content-type", "text/html");
      return response.end(`<video src="${source}" muted preload="metadata" width="640"></video>`);
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

  it("plays, and seeks behind 400 MB that it does not need", async () => {
    const page = await (browser as OpenBrowser).context.newPage();
    const { port } = server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.waitForFunction(() => (document.querySelector("video")?.readyState ?? 0) >= 2);
    await page.evaluate(() => document.querySelector("video")?.play());
    await page.waitForFunction(() => (document.querySelector("video")?.currentTime ?? 0) > 0.5);
    const seekTo = await page.evaluate(() => {
      const video = document.querySelector("video") as HTMLVideoElement;
      video.pause();
      video.currentTime = video.duration * 0.8;
      return video.currentTime;
    });
    await page.waitForFunction((time) => {
      const video = document.querySelector("video") as HTMLVideoElement;
      return !video.seeking && video.readyState >= 2 && video.currentTime >= time;
    }, seekTo);
    if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
    expect(segments).to.be.within(1, sizeBytes / SEGMENT_PLAIN_BYTES / 3);
  });
});

/**
 * The clip with its frames in two chunks instead of one, and a `free` box of that many bytes between them: what a player
 * skips. ISO/IEC 14496-12: sections 8.7.4 (stsc) and 8.7.5 (stco).
 */
function withGap(clip: Buffer, gapBytes: number): Buffer {
  const stsc = clip.indexOf("stsc");
  const stsz = clip.indexOf("stsz");
  const stco = clip.indexOf("stco");
  const mdat = clip.lastIndexOf("mdat") - 4;
  const samples = clip.readUInt32BE(stsz + 12);
  const half = Math.ceil(samples / 2);
  const sizes = Array.from({ length: half }, (_, i) => clip.readUInt32BE(stsz + 16 + 4 * i));
  const firstBytes = sizes.reduce((sum, size) => sum + size, 0);
  const dataAt = mdat + 8;
  // One entry more in stco, so everything behind it moves by 4, and the boxes around it grow by 4.
  const head = Buffer.concat([
    clip.subarray(0, stco + 12),
    Buffer.alloc(4),
    clip.subarray(stco + 12, mdat),
  ]);
  for (const name of ["moov", "trak", "mdia", "minf", "stbl", "stco"]) {
    const at = head.indexOf(name) - 4;
    head.writeUInt32BE(head.readUInt32BE(at) + 4, at);
  }
  head.writeUInt32BE(half, stsc + 16);
  head.writeUInt32BE(2, stco + 8);
  head.writeUInt32BE(head.length + 8, stco + 12);
  head.writeUInt32BE(head.length + 8 + firstBytes + 8 + gapBytes + 8, stco + 16);
  const box = (name: string, content: Buffer): Buffer => {
    const start = Buffer.alloc(8, name.padStart(8, "\0"));
    start.writeUInt32BE(8 + content.length, 0);
    return Buffer.concat([start, content]);
  };
  return Buffer.concat([
    head,
    box("mdat", clip.subarray(dataAt, dataAt + firstBytes)),
    box("free", Buffer.alloc(gapBytes)),
    box("mdat", clip.subarray(dataAt + firstBytes)),
  ]);
}
