// The server against people who mean harm: doors that are walked around, inputs that break things, races.
import { readFileSync } from "node:fs";
import { request as rawRequest } from "node:http";
import { join } from "node:path";
import { expect } from "chai";
import { unzipSync } from "fflate";
import sharp from "sharp";
import type {
  ActivityPage,
  Catalogue,
  FrameDetail,
  FrameList,
  ImportResult,
  KeyInfo,
  VideoSummary,
} from "../web/src/data/contract.ts";
import { startTestApplication, type TestApplication } from "./application.ts";
import { Client, newBox } from "./client.ts";

const UUID = "00000000-0000-4000-8000-000000000000";
/** Every route, with who may use it. */
const ROUTES: readonly (readonly [string, string, "viewer" | "annotator"])[] = [
  ["GET", "/api/catalogue", "viewer"],
  ["GET", "/api/frames", "viewer"],
  ["GET", `/api/frames/${UUID}`, "viewer"],
  ["GET", `/api/frames/${UUID}/image`, "viewer"],
  ["GET", `/api/frames/${UUID}/thumbnail`, "viewer"],
  ["GET", "/api/videos", "viewer"],
  ["GET", `/api/videos/${UUID}/events`, "viewer"],
  ["GET", `/api/videos/${UUID}/media`, "viewer"],
  ["GET", "/api/activity", "viewer"],
  ["GET", "/api/database/tables", "viewer"],
  ["GET", "/api/database/rows?table=frame", "viewer"],
  ["GET", "/api/keys", "viewer"],
  ["GET", "/api/export/coco", "viewer"],
  ["GET", "/api/export/yolo", "viewer"],
  ["POST", "/api/database/flip-byte", "viewer"],
  ["POST", "/api/database/swap", "viewer"],
  ["PUT", `/api/frames/${UUID}/annotations`, "annotator"],
  ["POST", "/api/uploads", "annotator"],
  ["POST", "/api/keys", "annotator"],
  ["POST", "/api/keys/0badc0de/retire", "annotator"],
  ["POST", "/api/rotation/start", "annotator"],
  ["POST", "/api/import/coco", "annotator"],
];

/** A request as it is, without the tidying of paths that `fetch` does. */
function raw(base: string, path: string, headers: Record<string, string> = {}): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path, headers, setHost: headers.host !== "" };
    if (headers.host === "") delete headers.host;
    const request = rawRequest(options, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    request.on("error", reject).end();
  });
}

describe("The annotation server, under attack", function () {
  this.timeout(60_000);
  let app: TestApplication;
  let ada: Client;
  let vera: Client;

  before(async () => {
    app = await startTestApplication();
    ada = await Client.signedIn(app.url);
    vera = await Client.signedIn(app.url, "Vera");
  });

  after(() => app.stop());

  describe("at its doors", () => {
    it("asks for a session at every route, and for an annotator where something changes", async () => {
      const visitor = new Client(app.url);
      await visitor.send("GET", "/api/session");
      for (const [method, path, role] of ROUTES) {
        expect((await visitor.send(method, path)).status, `${method} ${path}`).to.equal(401);
        const { status, headers } = await vera.send(method, path);
        const isRefused = status === 403;
        expect(isRefused, `viewer: ${method} ${path}: ${status}`).to.equal(role === "annotator");
        expect(headers.get("cache-control"), path).to.equal("no-store");
      }
    });

    it("is not walked around by another spelling of a path", async () => {
      for (const path of [
        "/%61pi/frames",
        "/api%2Fframes",
        "//api/frames",
        "/API/frames",
        "/./api/frames",
        "/x/../api/frames",
        "/api/./frames",
        "/%2561pi/frames",
        "/;/api/frames",
      ]) {
        expect(await raw(app.url, path), path).to.match(/^(401|404|400|403) (?!.*coffee)/s);
      }
    });

    it("serves no file but the built pages", async () => {
      for (const path of [
        "/.env",
        "/../.env",
        "/..%2f..%2f.env",
        "/assets/..%2f..%2f..%2fpackage.json",
        "/%00",
      ]) {
        expect(await raw(app.url, path), path).to.match(/^(400|403|404) (?!.*ENCRYPTION)/s);
      }
    });

    it("answers under no foreign name, and to no request without one", async () => {
      const port = new URL(app.url).port;
      expect(await raw(app.url, "/api/session", { host: `evil.example:${port}` })).to.match(/^421/);
      expect(await raw(app.url, "/api/session", { host: "" })).to.match(/^4\d\d /);
    });

    it("counts guesses that are made at the same moment", async () => {
      const guesser = new Client(app.url);
      await guesser.send("GET", "/api/session");
      const guess = async (): Promise<number> =>
        (await guesser.send("POST", "/api/session", { name: "Mallory", password: "x" })).status;
      const statuses = await Promise.all(Array.from({ length: 40 }, guess));
      expect(statuses.filter((status) => status === 401).length).to.be.at.most(10);
      expect(new Set(statuses)).to.deep.equal(new Set([401, 429]));
    });

    it("keeps one who guesses with many names from taking all memory and time", async () => {
      const guesser = new Client(app.url);
      await guesser.send("GET", "/api/session");
      const guess = async (_: unknown, i: number): Promise<number> =>
        (await guesser.send("POST", "/api/session", { name: `Mallory ${i}`, password: "x" }))
          .status;
      const statuses = await Promise.all(Array.from({ length: 40 }, guess));
      expect(statuses).to.include(429);
      await Client.signedIn(app.url);
    });

    it("sets a cookie that scripts and other sites cannot use, and a new one at sign-in", async () => {
      const visitor = new Client(app.url);
      const before = await visitor.send("GET", "/api/session");
      const first = before.headers.getSetCookie()[0] ?? "";
      expect(first)
        .to.match(/HttpOnly/)
        .and.match(/SameSite=Strict/);
      const after = await visitor.send("POST", "/api/session", {
        name: "Ada",
        password: "annotate",
      });
      expect(after.headers.getSetCookie()[0]?.split(";")[0]).not.to.equal(first.split(";")[0]);
    });
  });

  describe("by what it is sent", () => {
    it("answers text that is no text with a refusal, not a failure", async () => {
      const broken = "a\ud800b";
      const frame = await ada.frameNamed("coffee.jpg");
      const save = (box: object): Promise<{ status: number }> =>
        ada.send("PUT", `/api/frames/${frame.id}/annotations`, {
          version: frame.version,
          isReviewed: false,
          boxes: [box],
        });
      expect((await save(newBox({ label: broken }))).status).to.equal(422);
      expect((await save(newBox({ note: broken }))).status).to.equal(422);
      expect((await save(newBox({ label: "a\u0000b" }))).status).to.equal(422);
      const coco = {
        images: [{ id: 1, file_name: "coffee.jpg" }],
        categories: [{ id: 1, name: broken }],
        annotations: [{ image_id: 1, category_id: 1, bbox: [1, 1, 2, 2] }],
      };
      expect((await ada.send("POST", "/api/import/coco", coco)).status).to.equal(422);
      const visitor = new Client(app.url);
      await visitor.send("GET", "/api/session");
      const body = { name: broken, password: "x" };
      expect((await visitor.send("POST", "/api/session", body)).status).to.be.oneOf([401, 422]);
    });

    it("does not stumble over odd numbers, many boxes and repeated files of an import", async () => {
      const { length } = (await ada.frameNamed("rocket.jpg")).boxes;
      const annotation = (bbox: readonly number[]): object => ({
        image_id: 1,
        category_id: 1,
        bbox,
      });
      const file = (annotations: readonly object[], copies = 1): object => ({
        images: Array.from({ length: copies }, () => ({ id: 1, file_name: "rocket.jpg" })),
        categories: [{ id: 1, name: "tower" }],
        annotations,
      });
      const odd = await ada.post<ImportResult>(
        "/api/import/coco",
        file([
          annotation([-0.2, -0, 10.4, 10]),
          annotation([1e308, 1e308, 1e308, 1e308]),
          annotation([5, 5, 1e-9, 1e-9]),
          annotation([-50, 0, 20, 20]),
        ]),
      );
      expect(odd.boxes).to.equal(2);
      expect(odd.skipped[0]?.reason).to.include("2 of its boxes lie outside");
      const many = Array.from({ length: 3000 }, (_, i) =>
        annotation([i % 600, Math.floor(i / 600), 2, 2]),
      );
      const result = await ada.post<ImportResult>("/api/import/coco", file(many));
      expect(result.boxes).to.equal(0);
      expect(result.skipped[0]?.reason).to.include("2000 boxes at most");
      expect((await ada.frameNamed("rocket.jpg")).boxes).to.have.length(length + 2);
      const started = performance.now();
      await ada.post<ImportResult>("/api/import/coco", file([], 50_000));
      expect(performance.now() - started).to.be.lessThan(5_000);
    });

    it("takes no prototype from a file", async () => {
      const response = await fetch(`${app.url}/api/session`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"__proto__": {"name": "Ada"}}',
      });
      expect(response.status).to.be.oneOf([400, 403]);
    });

    it("refuses pictures that unpack to more than they may, before unpacking them", async () => {
      const bomb = await sharp({
        create: { width: 12_000, height: 12_000, channels: 3, background: "#000" },
        limitInputPixels: false,
      })
        .png({ compressionLevel: 9 })
        .toBuffer();
      expect(bomb.length).to.be.lessThan(1_000_000);
      const before = process.memoryUsage().rss;
      const { status } = await ada.upload("bomb.png", new Uint8Array(bomb));
      expect(status).to.equal(422);
      expect(process.memoryUsage().rss - before).to.be.lessThan(100_000_000);
    });

    it("answers a large file of no known kind without waiting for its end", async () => {
      const { status } = await ada.upload("large.bin", new Uint8Array(60 * 1024 * 1024));
      expect(status).to.equal(415);
    });
  });

  describe("for viewers", () => {
    const differenceIn = async (
      region: { left: number; top: number; width: number; height: number },
      path: string,
    ): Promise<number> => {
      const [clear, shown] = await Promise.all(
        [ada, vera].map(async (client) =>
          sharp(await client.get<Buffer>(path))
            .extract(region)
            .greyscale()
            .raw()
            .toBuffer(),
        ),
      );
      const values = [...(clear ?? [])];
      return (
        values.reduce((sum, value, i) => sum + Math.abs(value - (shown?.[i] ?? 0)), 0) /
        values.length
      );
    };

    it("blurs what is in boxes, in the picture itself", async () => {
      const { id, boxes } = await vera.frameNamed("astronaut.jpg");
      const face = boxes.find(({ label }) => label === "face");
      const { x: left = 0, y: top = 0, width = 1, height = 1 } = face ?? {};
      const path = `/api/frames/${id}/image`;
      expect(await differenceIn({ left, top, width, height }, path)).to.be.greaterThan(8);
      // Outside of all boxes it is the picture.
      expect(
        await differenceIn({ left: 460, top: 290, width: 40, height: 40 }, path),
      ).to.be.lessThan(3);
    });

    it("blurs thumbnails, too", async () => {
      const { id } = await vera.frameNamed("astronaut.jpg");
      const all = { left: 0, top: 0, width: 160, height: 112 };
      expect(await differenceIn(all, `/api/frames/${id}/thumbnail`)).to.be.greaterThan(8);
    });
  });

  describe("in what it remembers", () => {
    it("logs who watched a clip, once for a sitting, however it was asked for", async () => {
      const [video] = await vera.get<VideoSummary[]>("/api/videos");
      for (const range of ["bytes=5000-5999", "bytes=0-", "bytes=100-199"]) {
        await vera.send("GET", `/api/videos/${video?.id}/media`, undefined, { range });
      }
      const { entries } = await ada.get<ActivityPage>("/api/activity");
      const watched = entries.filter(({ action }) => action === "video.open");
      expect(watched.map(({ user, detail }) => [user, detail])).to.deep.equal([
        ["Vera", video?.name],
      ]);
    });

    it("logs who took a picture without opening its frame", async () => {
      const { frames } = await vera.get<FrameList>("/api/frames");
      const last = frames.at(-1);
      await vera.send("GET", `/api/frames/${last?.id}/image`);
      const { entries } = await ada.get<ActivityPage>("/api/activity");
      expect(entries.filter(({ detail }) => detail === last?.name)[0]).to.include({
        user: "Vera",
        action: "frame.picture",
      });
    });

    it("logs experiments on stored values, and failed sign-ins of people it knows", async () => {
      const [row] = await app.database.query<{ id: string }>("SELECT id FROM frame LIMIT 1");
      const cell = { table: "frame", id: row?.id, column: "name" };
      await vera.post("/api/database/flip-byte", cell);
      await vera.post("/api/database/swap", { ...cell, otherId: row?.id });
      const visitor = new Client(app.url);
      await visitor.send("GET", "/api/session");
      await visitor.send("POST", "/api/session", { name: "Vera", password: "wrong" });
      await new Promise((resolve) => setTimeout(resolve, 500)); // it is written after the answer
      const { entries } = await ada.get<ActivityPage>("/api/activity");
      const actions = entries.slice(0, 3).map(({ action }) => action);
      expect(actions).to.deep.equal(["session.refused", "database.swap", "database.flip"]);
    });

    it("has none of it in its log in the clear", async () => {
      await ada.send("GET", "/api/frames?label=Xenophanes&camera=Anaximander");
      await ada.send("PUT", "/api/frames/x/annotations", { note: "Parmenides" });
      await app.database.query("UPDATE frame_review SET version = version");
      const log = readFileSync(join(app.folder, "data/server.log"), "utf8");
      expect(log).to.include("/api/frames");
      for (const word of ["Xenophanes", "Anaximander", "Parmenides", "coffee.jpg", 'annotate"']) {
        expect(log, word).not.to.include(word);
      }
    });
  });

  describe("in its labels", () => {
    const saveLabel = async (name: string, label: string): Promise<number> => {
      const frame = await ada.frameNamed(name);
      const boxes = [...frame.boxes, newBox({ label })];
      const { version } = frame;
      const path = `/api/frames/${frame.id}/annotations`;
      return (await ada.send("PUT", path, { version, isReviewed: false, boxes })).status;
    };

    it("has one entry for a label that two people bring at the same moment", async () => {
      const names = ["camera-pan1.jpg", "camera-pan2.jpg", "camera-pan3.jpg", "camera-pan4.jpg"];
      const statuses = await Promise.all(names.map((name) => saveLabel(name, "bench")));
      expect(statuses).to.deep.equal([200, 200, 200, 200]);
      const { labels } = await ada.get<Catalogue>("/api/catalogue");
      expect(labels.filter((label) => label === "bench")).to.have.length(1);
      const rows = await app.database.query("SELECT position FROM label");
      expect(new Set(rows.map(({ position }) => position)).size).to.equal(rows.length);
    });

    it("takes another case or composition of a known label for that label", async () => {
      expect(await saveLabel("rocket-pan1.jpg", "caf\u00e9")).to.equal(200);
      expect(await saveLabel("rocket-pan2.jpg", "CAFE\u0301")).to.equal(200);
      const { labels } = await ada.get<Catalogue>("/api/catalogue");
      expect(labels.filter((label) => /caf/i.test(label))).to.deep.equal(["caf\u00e9"]);
      const boxes = (await ada.frameNamed("rocket-pan2.jpg")).boxes;
      expect(boxes.at(-1)?.label).to.equal("caf\u00e9");
      expect((await ada.get<FrameList>("/api/frames?label=caf%C3%A9")).total).to.equal(2);
    });

    it("has no label of a save that failed", async () => {
      const frame = await ada.frameNamed("chelsea.jpg");
      const other = (await ada.frameNamed("coffee.jpg")).boxes[0];
      const boxes = [newBox({ id: other?.id ?? "", label: "stowaway" })];
      const { version } = frame;
      const path = `/api/frames/${frame.id}/annotations`;
      expect((await ada.send("PUT", path, { version, isReviewed: false, boxes })).status).to.equal(
        422,
      );
      expect((await ada.get<Catalogue>("/api/catalogue")).labels).not.to.include("stowaway");
    });
  });

  describe("in its exports", () => {
    it("gives every box its category and class, also of a label that the list of labels lost", async () => {
      await app.database.query("DELETE FROM label WHERE position = 0");
      interface Coco {
        images: { id: number; file_name: string }[];
        categories: { id: number; name: string }[];
        annotations: { image_id: number; category_id: number; bbox: number[] }[];
      }
      const coco = await ada.get<Coco>("/api/export/coco");
      const names = new Map(coco.categories.map(({ id, name }) => [id, name]));
      expect(coco.annotations.every(({ category_id: id }) => names.has(id))).to.equal(true);
      const archive = unzipSync(new Uint8Array(await ada.get<Buffer>("/api/export/yolo")));
      const text = (name: string): string => Buffer.from(archive[name] ?? []).toString();
      for (const name of ["astronaut.jpg", "coffee.jpg", "rocket.jpg"]) {
        const frame: FrameDetail = await ada.frameNamed(name);
        const lines = text(`labels/${name.replace(".jpg", ".txt")}`)
          .trim()
          .split("\n");
        const classes = [...text("data.yaml").matchAll(/^ {2}(\d+): (".*")$/gm)];
        const nameOf = new Map(classes.map(([, id, quoted = '""']) => [id, JSON.parse(quoted)]));
        const read = lines.map((line) => {
          const [id, ...shares] = line.split(" ");
          const [cx = 0, cy = 0, w = 0, h = 0] = shares.map(Number);
          const [width, height] = [w * frame.width, h * frame.height];
          const edges = [
            cx * frame.width - width / 2,
            cy * frame.height - height / 2,
            width,
            height,
          ];
          return [nameOf.get(id), ...edges.map(Math.round)];
        });
        expect(read).to.deep.equal(
          frame.boxes.map(({ label, x, y, width, height }) => [label, x, y, width, height]),
        );
      }
    });

    it("keeps frames apart whose names differ only by their number or their ending", async () => {
      const picture = (await sharp({
        create: { width: 40, height: 40, channels: 3, background: "#123" },
      })
        .png()
        .toBuffer()) as Buffer<ArrayBuffer>;
      for (const name of ["a.png", "a.png", "a-2.png", "a.jpg"]) {
        expect((await ada.upload(name, new Uint8Array(picture))).status).to.equal(200);
      }
      const { images } = await ada.get<{ images: { file_name: string }[] }>("/api/export/coco");
      const ours = images
        .map(({ file_name: name }) => name)
        .filter((name) => name.startsWith("a."));
      expect(new Set(images.map(({ file_name: name }) => name)).size).to.equal(images.length);
      expect(ours).to.include("a.png").and.include("a.jpg");
      const archive = unzipSync(new Uint8Array(await ada.get<Buffer>("/api/export/yolo")));
      const texts = Object.keys(archive).filter((name) => name.startsWith("labels/"));
      expect(texts).to.have.length(images.length);
    });
  });

  describe("in its keys", () => {
    it("re-encrypts under no key that is about to be replaced, and adds no key to a re-encryption that begins", async () => {
      const [old] = await ada.get<KeyInfo[]>("/api/keys");
      const adding = ada.post<KeyInfo[]>("/api/keys");
      while (!app.keys.isChanging) await new Promise((resolve) => setImmediate(resolve));
      for (const step of ["start", "resume"]) {
        const refused = await ada.send("POST", `/api/rotation/${step}`);
        expect([refused.status, refused.body.code]).to.deep.equal([409, "KEYS_CHANGING"]);
        expect(refused.body.message).to.include("A key is being added or retired");
      }
      const [primary] = await adding;
      expect(primary?.id).not.to.equal(old?.id);
      const start = () => ada.send("POST", "/api/rotation/start");
      const answers = [
        ...(await Promise.all([start(), start()])),
        await ada.send("POST", "/api/keys"),
      ];
      const codes = answers.map(({ status, body: { code } }) => (status === 200 ? "done" : code));
      expect(codes.toSorted()).to.deep.equal(["RUNNING", "RUNNING", "done"]);
      await untilRotated();
    });

    it("loses no key when two people add one at the same moment, and finds labels under the new one", async () => {
      const before = await ada.get<KeyInfo[]>("/api/keys");
      await Promise.all([ada.post("/api/keys"), ada.post("/api/keys")]);
      const after = await ada.get<KeyInfo[]>("/api/keys");
      expect(after).to.have.length(before.length + 2);
      expect(after.map(({ id }) => id)).to.include(before[0]?.id);
      await ada.post("/api/rotation/start");
      await untilRotated();
      for (const { id } of (await ada.get<KeyInfo[]>("/api/keys")).slice(1)) {
        await ada.post(`/api/keys/${id}/retire`);
      }
      expect((await ada.get<FrameList>("/api/frames?label=ROCKET")).total).to.be.greaterThan(2);
      expect((await ada.get<Catalogue>("/api/catalogue")).cameras).to.include("Launch pad");
      await Client.signedIn(app.url);
    });

    async function untilRotated(): Promise<void> {
      for (let tries = 0; tries < 400; tries += 1) {
        const keys = await ada.get<KeyInfo[]>("/api/keys");
        if (keys.slice(1).every(({ values, objects }) => values + objects === 0)) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await ada.post("/api/rotation/pause"); // answered once nothing runs any more
    }
  });
});
