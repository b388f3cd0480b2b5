import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import {
  EncryptedLocalStorage,
  FileHandler,
  type OpenObject,
  SignedUrls,
} from "@fieldseal/storage";
import { expect } from "chai";
import { thrownBy } from "./support/bodies.ts";

const plaintext = randomBytes(400_000);

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** The transfer ended before its announced length. */
  readonly isBroken: boolean;
}

describe("FileHandler", () => {
  const keyring = Keyring.fromKey(generateRootKey());
  const urls = new SignedUrls({ baseUrl: "/files/", keyring });
  const errors: unknown[] = [];
  let folder: string;
  let storage: EncryptedLocalStorage;
  let handler: FileHandler;
  let server: Server;
  let etag: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "fieldseal-http-"));
    storage = new EncryptedLocalStorage({ path: folder, keyring, durability: "none" });
    handler = new FileHandler(storage, {
      signedUrls: urls,
      onError: (error) => errors.push(error),
    });
    ({ etag } = await storage.put("v/clip.mp4", plaintext, {
      contentType: "video/mp4",
      fileName: 'Überwachung 3".mp4',
    }));
    await storage.put("empty", Buffer.alloc(0));
    server = createServer((request, response) => {
      const key = /^\/key\/(.*)$/.exec(request.url ?? "")?.[1];
      void handler.serve(request, response, key && decodeURIComponent(key));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    errors.length = 0;
  });

  /** With node:http, because fetch would hide what is on the wire. */
  async function overNode(
    path: string,
    headers: Record<string, string> = {},
    method = "GET",
  ): Promise<Reply> {
    const { port } = server.address() as AddressInfo;
    const outgoing = httpRequest({ host: "127.0.0.1", port, path, headers, method, agent: false });
    outgoing.end();
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    const pieces: Buffer[] = [];
    let isBroken = false;
    try {
      for await (const piece of incoming) pieces.push(piece as Buffer);
    } catch {
      isBroken = true;
    }
    const { statusCode = 0, headers: received } = incoming;
    return { status: statusCode, headers: received, body: Buffer.concat(pieces), isBroken };
  }

  async function overFetch(
    path: string,
    headers: Record<string, string> = {},
    method = "GET",
  ): Promise<Reply> {
    const key = /^\/key\/(.*)$/.exec(path)?.[1];
    const request = new Request(`http://localhost${path}`, { headers, method });
    const response = await handler.fetch(request, key && decodeURIComponent(key));
    const received = Object.fromEntries(response.headers);
    try {
      const body = Buffer.from(await response.arrayBuffer());
      return { status: response.status, headers: received, body, isBroken: false };
    } catch {
      return { status: response.status, headers: received, body: Buffer.alloc(0), isBroken: true };
    }
  }

  for (const [name, get] of [
    ["serve", overNode],
    ["fetch", overFetch],
  ] as const) {
    describe(name, () => {
      const clip = "/key/v%2Fclip.mp4";

      it("gives the whole object, described from its encrypted metadata", async () => {
        const { status, headers, body } = await get(clip);
        expect(status).to.equal(200);
        expect(body.equals(plaintext)).to.equal(true);
        expect(headers).to.include({
          "content-type": "video/mp4",
          "content-length": "400000",
          "accept-ranges": "bytes",
          "cache-control": "private, no-store",
          "x-content-type-options": "nosniff",
          "content-disposition":
            "inline; filename=\"_berwachung 3_.mp4\"; filename*=UTF-8''%C3%9Cberwachung%203%22.mp4",
          etag,
        });
      });

      for (const [range, start, end] of [
        ["bytes=0-0", 0, 0],
        ["bytes=399999-", 399_999, 399_999],
        ["bytes=-1", 399_999, 399_999],
        ["bytes=-500000", 0, 399_999],
        ["bytes=65500-65510", 65_500, 65_510],
        ["bytes=100000-9999999", 100_000, 399_999],
        ["bytes=0-", 0, 399_999],
      ] as const) {
        it(`gives ${range} as 206`, async () => {
          const { status, headers, body } = await get(clip, { range });
          expect(status).to.equal(206);
          expect(headers["content-range"]).to.equal(`bytes ${start}-${end}/400000`);
          expect(headers["content-length"]).to.equal(String(end - start + 1));
          expect(body.equals(plaintext.subarray(start, end + 1))).to.equal(true);
        });
      }

      for (const range of ["bytes=400000-", "bytes=400000-400001", "bytes=-0"]) {
        it(`answers 416 to ${range}`, async () => {
          const { status, headers, body } = await get(clip, { range });
          expect(status).to.equal(416);
          expect(headers["content-range"]).to.equal("bytes */400000");
          expect(body.length).to.equal(0);
        });
      }

      for (const range of [
        "bytes=0-1,5-6",
        "bytes=5-4",
        "lines=1-2",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
      ]) {
        it(`ignores ${range}: 200 with everything`, async () => {
          const { status, body } = await get(clip, { range });
          expect(status).to.equal(200);
          expect(body.length).to.equal(400_000);
        });
      }

      it("answers HEAD with the same headers and no body", async () => {
        const { status, headers, body } = await get(clip, { range: "bytes=0-5" }, "HEAD");
        expect(status).to.equal(200);
        expect(headers["content-length"]).to.equal("400000");
        expect(headers.etag).to.equal(etag);
        expect(body.length).to.equal(0);
      });

      it("heeds If-None-Match, If-Match and If-Range", async () => {
        expect((await get(clip, { "if-none-match": etag })).status).to.equal(304);
        expect((await get(clip, { "if-none-match": `"x", W/${etag}` })).status).to.equal(304);
        expect((await get(clip, { "if-none-match": "*" })).status).to.equal(304);
        expect((await get(clip, { "if-none-match": '"x"' })).status).to.equal(200);
        expect((await get(clip, { "if-match": '"x"' })).status).to.equal(412);
        expect((await get(clip, { "if-match": etag })).status).to.equal(200);
        const range = "bytes=0-9";
        expect((await get(clip, { range, "if-range": etag })).status).to.equal(206);
        expect((await get(clip, { range, "if-range": '"old"' })).status).to.equal(200);
        const date = "Wed, 21 Oct 2015 07:28:00 GMT";
        expect((await get(clip, { range, "if-range": date })).status).to.equal(200);
      });

      it("answers for empty objects, absent ones, bad keys and other methods", async () => {
        const empty = await get("/key/empty");
        expect(empty.status).to.equal(200);
        expect(empty.headers["content-length"]).to.equal("0");
        expect((await get("/key/empty", { range: "bytes=0-" })).status).to.equal(416);
        expect((await get("/key/absent")).status).to.equal(404);
        expect((await get("/key/..%2F..%2Fetc%2Fpasswd")).status).to.equal(404);
        const posted = await get(clip, {}, "POST");
        expect(posted.status).to.equal(405);
        expect(posted.headers.allow).to.equal("GET, HEAD");
        expect(errors).to.deep.equal([]);
      });

      it("finds the object of a signed URL; a changed, foreign or expired one is 403", async () => {
        const url = urls.sign("v/clip.mp4", { disposition: "attachment" });
        expect(url).not.to.include("clip");
        const { status, headers, body } = await get(`${url}?download`, { range: "bytes=7-9" });
        expect(status).to.equal(206);
        expect(headers["content-disposition"]).to.match(/^attachment; /);
        expect(body.equals(plaintext.subarray(7, 10))).to.equal(true);
        const at = url.length - 20;
        const changed = url.slice(0, at) + (url[at] === "A" ? "B" : "A") + url.slice(at + 1);
        const other = new SignedUrls({ baseUrl: "/files/", keyring, context: "other" });
        for (const bad of [changed, "/files/", "/files/x", other.sign("v/clip.mp4")]) {
          expect((await get(bad)).status, bad).to.equal(403);
        }
        const realNow = Date.now;
        Date.now = () => realNow() + 301_000;
        try {
          expect((await get(url)).status).to.equal(403);
        } finally {
          Date.now = realNow;
        }
      });

      it("gives the object that was signed, not a later one under its key", async () => {
        const { objectId } = await storage.put("doc", Buffer.from("first"));
        const url = urls.sign("doc", { objectId });
        expect((await get(url)).body.toString()).to.equal("first");
        await storage.put("doc", Buffer.from("second"));
        expect((await get(url)).status).to.equal(404);
      });

      it("breaks the transfer off at a damaged segment, after intact bytes only", async () => {
        await storage.put("damaged", plaintext);
        const file = await readFile(join(folder, "damaged"));
        file[8192 + 74 + 3 * 65_536 + 99]! ^= 1;
        await writeFile(join(folder, "damaged"), file);
        const { status, body, isBroken } = await get("/key/damaged");
        expect(status).to.equal(200);
        expect(isBroken).to.equal(true);
        expect(body.equals(plaintext.subarray(0, body.length))).to.equal(true);
        expect(body.length).to.be.at.most(3 * 65_504);
        expect(errors[0]).to.have.property("code", "ERR_STORAGE_TAMPERED");
      });

      it("answers 500 to what does not open, and tells the reason to onError only", async () => {
        const others = new EncryptedLocalStorage({
          path: folder,
          keyring: Keyring.fromKey(generateRootKey()),
        });
        await others.put("foreign-key", Buffer.from("x"));
        const { status, headers, body } = await get("/key/foreign-key");
        expect(status).to.equal(500);
        expect(body.length).to.equal(0);
        expect(Object.keys(headers)).not.to.include("etag");
        expect(errors[0]).to.have.property("code", "ERR_KEY_UNKNOWN");
      });
    });
  }

  it("shows only what cannot run scripts; the rest is saved", async () => {
    for (const [contentType, expected] of [
      ["image/png", "inline"],
      ["application/pdf", "inline"],
      ["text/plain; charset=utf-8", "inline"],
      ["image/svg+xml", "attachment"],
      ["image/x+xml", "attachment"],
      ["video/x+xml; charset=utf-8", "attachment"],
      ["text/plain+xml", "attachment"],
      ["application/pdf+xml", "attachment"],
      ["text/plain-or-not", "attachment"],
      ["VIDEO/MP4", "inline"],
      ["text/html", "attachment"],
      ["application/octet-stream", "attachment"],
    ] as const) {
      await storage.put("shown", Buffer.from("x"), { contentType });
      expect((await overNode("/key/shown")).headers["content-disposition"]).to.equal(expected);
    }
  });

  it("lets nothing run scripts in the name of the site, also when it is shown", async () => {
    const headers = async (contentType: string): Promise<Reply["headers"]> => {
      await storage.put("shown", Buffer.from("x"), { contentType });
      return (await overNode("/key/shown")).headers;
    };
    const policyOf = async (contentType: string): Promise<unknown> =>
      (await headers(contentType))["content-security-policy"];
    for (const contentType of ["text/plain", "text/html", "image/png", "video/mp4"]) {
      expect(await policyOf(contentType)).to.match(
        /^sandbox( allow-same-origin)?; default-src 'none';/,
      );
      expect(await policyOf(contentType)).not.to.match(/script|allow-(?!same-origin)/);
    }
    expect(await policyOf("text/html")).not.to.include("allow-same-origin");
    expect(await policyOf("application/pdf")).to.equal("default-src 'none'");
  });

  it("meets no If-Match for what is not encrypted: nothing authenticates its etag", async () => {
    await writeFile(join(folder, "plain.jpg"), "picture");
    await writeFile(join(folder, "plain.json"), JSON.stringify({ encrypted: "false" }));
    const accepting = new FileHandler(
      new EncryptedLocalStorage({ path: folder, keyring, plaintext: "accept" }),
    );
    const status = async (headers: Record<string, string>): Promise<[number, string]> => {
      const request = new Request("http://localhost/", { headers });
      const response = await accepting.fetch(request, "plain.jpg");
      await response.arrayBuffer();
      return [response.status, response.headers.get("etag") ?? ""];
    };
    const [, unproven] = await status({});
    expect(unproven).to.match(/^"[\da-f]{32}"$/);
    expect(await status({ "if-match": unproven })).to.deep.equal([412, unproven]);
    expect(await status({ "if-match": "*" })).to.deep.equal([200, unproven]);
  });

  it("never rejects, and closes the file, when somebody else has answered already", async () => {
    const outcomes: Promise<void>[] = [];
    const other = createServer((request, response) => {
      response.writeHead(200);
      response.write("hello");
      outcomes.push(handler.serve(request, response, "v/clip.mp4"));
    });
    other.listen(0, "127.0.0.1").unref();
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const outgoing = httpRequest({ host: "127.0.0.1", port, path: "/", agent: false });
    outgoing.on("error", () => {}).end();
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    await thrownBy(async () => {
      for await (const _ of incoming);
    });
    await Promise.all(outcomes);
    expect(errors[0]).to.have.property("code", "ERR_HTTP_HEADERS_SENT");
    expect(await openFiles("v/clip.mp4")).to.equal(0);
    other.close();
  });

  /** How many descriptors of this process are of the file; Linux only, elsewhere 0. */
  async function openFiles(key: string): Promise<number> {
    const links = (await readdir("/proc/self/fd").catch(() => [])).map((fd) =>
      readlink(`/proc/self/fd/${fd}`).catch(() => ""),
    );
    return (await Promise.all(links)).filter((link) => link === join(folder, key)).length;
  }

  it("closes the file when its answer cannot be sent", async () => {
    const onError = (error: unknown): number => errors.push(error);
    const bad = new FileHandler(storage, { cacheControl: "a\nb", onError });
    const request = new Request("http://localhost/");
    expect(await thrownBy(() => bad.fetch(request, "v/clip.mp4"))).to.be.instanceOf(TypeError);
    expect(await openFiles("v/clip.mp4")).to.equal(0);
    expect(errors).to.deep.equal([]);
  });

  it("takes it for no failure that the client goes away while the object is opened", async () => {
    const aborting = new AbortController();
    const gone = new Request("http://localhost/", { signal: AbortSignal.abort() });
    const going = new Request("http://localhost/", { signal: aborting.signal });
    const answers = [handler.fetch(gone, "v/clip.mp4"), handler.fetch(going, "v/clip.mp4")];
    aborting.abort();
    for (const response of await Promise.all(answers)) await response.body?.cancel();
    expect(errors).to.deep.equal([]);
  });

  it("closes the file when the client goes away in the middle", async () => {
    await storage.put("large", Buffer.alloc(30_000_000));
    const { port } = server.address() as AddressInfo;
    const outgoing = httpRequest({ host: "127.0.0.1", port, path: "/key/large", agent: false });
    outgoing.end();
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    await once(incoming, "data");
    incoming.destroy();
    for (let i = 0; i < 100 && (await openFiles("large")) > 0; i++)
      await new Promise((done) => setTimeout(done, 20));
    expect(await openFiles("large")).to.equal(0);
    expect(errors).to.deep.equal([]);
  });

  it("closes the file when the client has gone before it is opened", async () => {
    const opened: OpenObject[] = [];
    let closed = 0;
    const slow = new EncryptedLocalStorage({ path: folder, keyring, durability: "none" });
    const open = slow.open.bind(slow);
    slow.open = async (...given) => {
      const object = await open(...given);
      const close = object.close.bind(object);
      object.close = () => close().finally(() => (closed += 1));
      opened.push(object);
      return object;
    };
    let served: (() => void) | undefined;
    const isServed = new Promise<void>((resolve) => (served = resolve));
    const late = createServer((request, response) => {
      request.once("close", () =>
        setTimeout(() => {
          void new FileHandler(slow).serve(request, response, "v/clip.mp4").then(served);
        }, 20),
      );
    });
    late.listen(0, "127.0.0.1");
    await once(late, "listening");
    const { port } = late.address() as AddressInfo;
    const client = httpRequest({ port, host: "127.0.0.1" });
    client.on("error", () => {});
    client.end();
    await once(late, "request");
    client.destroy();
    await isServed;
    await new Promise((resolve) => setTimeout(resolve, 20));
    late.close();
    expect([opened.length, closed]).to.deep.equal([1, 1]);
  });

  it("needs signed URLs or a key", async () => {
    const bare = new FileHandler(storage, { onError: (error) => errors.push(error) });
    expect((await bare.fetch(new Request("http://localhost/x"))).status).to.equal(500);
    expect(errors[0]).to.have.property("code", "ERR_CONFIG_OPTION");
    expect(await thrownBy(() => new SignedUrls({ baseUrl: "/files", keyring }))).to.have.property(
      "code",
      "ERR_CONFIG_OPTION",
    );
    expect(await thrownBy(() => urls.sign("k", { expiresInSeconds: 0 }))).to.be.instanceOf(
      RangeError,
    );
    expect(await thrownBy(() => urls.sign("../k"))).to.have.property("code", "ERR_STORAGE_KEY");
  });
});
