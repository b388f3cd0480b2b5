import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import pg from "pg";
import type {
  ActivityPage,
  Catalogue,
  FrameDetail,
  FrameList,
  ImportResult,
  KeyInfo,
  RawRow,
  RawTable,
  SaveConflict,
  TamperResult,
} from "../web/src/data/contract.ts";
import { startTestApplication, type TestApplication } from "./application.ts";
import { Client, newBox } from "./client.ts";

describe("The annotation server", () => {
  let app: TestApplication;
  let ada: Client;

  before(async function () {
    this.timeout(60_000);
    app = await startTestApplication();
    ada = await Client.signedIn(app.url);
  });

  after(() => app.stop());

  describe("at its first start", () => {
    it("shows how it encrypts the older data, and says what it verified", () => {
      expect(app.said.join("\n")).to.match(/Encrypting frame \d+\/\d+/);
      expect(app.said.join("\n")).to.match(/\d+ values in \d+ columns open, and none is plaintext/);
      expect(app.said.join("\n")).to.match(/52 files open to their last byte/);
    });

    it("leaves PostgreSQL refusing plaintext in every encrypted column", async () => {
      const columns = await app.database.query<{ table: string; column: string }>(
        `SELECT conrelid::regclass::text AS table, conname AS column FROM pg_constraint
         WHERE conname LIKE '%\\_encrypted'`,
      );
      expect(columns.length).to.be.greaterThan(15);
      const write = app.database.query("UPDATE frame SET name = 'in the clear'");
      expect(await write.catch((error: Error) => error.message)).to.include("violates check");
    });
  });

  describe("its doors", () => {
    it("answers nobody who is not signed in", async () => {
      for (const path of ["/api/frames", "/api/catalogue", "/api/activity", "/api/export/coco"]) {
        expect((await new Client(app.url).send("GET", path)).status, path).to.equal(401);
      }
    });

    it("refuses a wrong password, and stops counting guesses at ten", async () => {
      const guesser = new Client(app.url);
      await guesser.send("GET", "/api/session");
      const statuses: number[] = [];
      for (let i = 0; i < 11; i++) {
        const { status } = await guesser.send("POST", "/api/session", {
          name: "Eve",
          password: "x",
        });
        statuses.push(status);
      }
      expect(statuses.slice(0, 10)).to.deep.equal(Array.from({ length: 10 }, () => 401));
      expect(statuses[10]).to.equal(429);
    });

    it("ends a session for good when somebody signs out", async () => {
      const leaving = await Client.signedIn(app.url, "Vera");
      const [before] = await app.database.query("SELECT count(*)::int AS n FROM session");
      await leaving.send("DELETE", "/api/session");
      const [after] = await app.database.query("SELECT count(*)::int AS n FROM session");
      expect(Number(after?.n)).to.equal(Number(before?.n) - 1);
      expect((await leaving.send("GET", "/api/frames")).status).to.equal(401);
    });

    it("refuses changes without the token of the page, or from another site", async () => {
      const bare = { "x-csrf-token": "" };
      expect((await ada.send("POST", "/api/keys", {}, bare)).status).to.equal(403);
      const foreign = { origin: "https://elsewhere.example" };
      expect((await ada.send("POST", "/api/keys", {}, foreign)).status).to.equal(403);
    });

    it("lets a viewer look and change nothing", async () => {
      const vera = await Client.signedIn(app.url, "Vera");
      const frame = await vera.frameNamed("coffee.jpg");
      const save = { version: frame.version, boxes: [], isReviewed: true };
      const path = `/api/frames/${frame.id}/annotations`;
      expect((await vera.send("PUT", path, save)).status).to.equal(403);
      expect((await vera.upload("a.jpg", new Uint8Array(20))).status).to.equal(403);
      expect((await vera.send("POST", "/api/rotation/start")).status).to.equal(403);
    });

    it("keeps decrypted answers out of every cache, and scripts of others out of the pages", async () => {
      const { headers } = await ada.send("GET", "/api/frames");
      expect(headers.get("cache-control")).to.equal("no-store");
      const page = await ada.send("GET", "/");
      expect(page.headers.get("content-security-policy")).to.include("default-src 'none'");
      expect(page.headers.get("content-security-policy")).not.to.include("unsafe");
    });

    it("says nothing of a request that it does not understand", async () => {
      const { status, body } = await ada.send("PUT", "/api/frames/x/annotations", { secret: 1 });
      expect(status).to.equal(422);
      expect(JSON.stringify(body)).not.to.include("secret");
    });
  });

  describe("frames", () => {
    it("are filtered by label through tokens, and the label is not in the question", async () => {
      const { frames, search } = await ada.get<FrameList>("/api/frames?label=CUP");
      expect(frames.map(({ name }) => name)).to.include("coffee.jpg");
      expect(frames.every(({ camera }) => camera === "Canteen")).to.equal(true);
      expect(search?.tokens).to.have.length(1);
      expect(search?.tokens[0]).to.match(/^[0-9a-f]{2}$/);
    });

    it("are not taken for having a label because they have its token", async () => {
      const before = await ada.get<FrameList>("/api/frames?label=cup");
      const token = before.search?.tokens[0];
      const [row] = await app.database.query<{ id: string; label_index: string }>(
        `SELECT id, label_index FROM annotation_example WHERE frame_id NOT IN
          (SELECT frame_id FROM annotation_example WHERE label_index = $1) LIMIT 1`,
        [token],
      );
      const setToken = "UPDATE annotation_example SET label_index = $2 WHERE id = $1";
      await app.database.query(setToken, [row?.id, token]);
      const { frames, search } = await ada.get<FrameList>("/api/frames?label=cup");
      await app.database.query(setToken, [row?.id, row?.label_index]);
      expect(frames).to.deep.equal(before.frames);
      expect(search?.falsePositives).to.equal((before.search?.falsePositives ?? 0) + 1);
    });

    it("are filtered by camera, day and state together", async () => {
      const path = "/api/frames?camera=Suit%20room&from=2026-11-18&to=2026-11-18&state=reviewed";
      const { frames } = await ada.get<FrameList>(path);
      expect(frames.map(({ name }) => name)).to.deep.equal(["astronaut.jpg"]);
      const none = await ada.get<FrameList>("/api/frames?to=2026-11-17");
      expect(none.total).to.equal(0);
    });

    it("have a catalogue of what can be asked for", async () => {
      const catalogue = await ada.get<Catalogue>("/api/catalogue");
      expect(catalogue.cameras).to.include("Launch pad");
      expect(catalogue.labels.slice(0, 2)).to.deep.equal(["person", "face"]);
      expect(catalogue).to.include({ firstDay: "2026-11-18", lastDay: "2026-11-20" });
    });

    it("are saved as ciphertext, and only the rows that differ are written", async () => {
      const frame = await ada.frameNamed("chelsea.jpg");
      const [first, ...rest] = frame.boxes;
      if (!first) throw new Error("no boxes");
      const added = newBox({ label: "whisker", note: "Left side" });
      const boxes = [{ ...first, note: "Renamed to Chelsea" }, ...rest, added];
      const stored = (): Promise<Record<string, unknown>[]> =>
        app.database.query(
          "SELECT id, box, note, label FROM annotation_example WHERE frame_id = $1 ORDER BY position",
          [frame.id],
        );
      const before = await stored();
      const path = `/api/frames/${frame.id}/annotations`;
      const { status } = await ada.send("PUT", path, {
        version: frame.version,
        boxes,
        isReviewed: true,
      });
      expect(status).to.equal(200);
      const after = await stored();
      expect(after[1]).to.deep.equal(before[1]);
      expect(after[0]?.note).not.to.equal(before[0]?.note);
      expect(after).to.have.length(before.length + 1);
      expect(after.every((row) => String(row.box).startsWith("9V6h"))).to.equal(true);
      const again = await ada.frameNamed("chelsea.jpg");
      expect(again.boxes).to.deep.equal(boxes);
      expect(again.detections).to.deep.equal(frame.detections);
      expect((await ada.get<Catalogue>("/api/catalogue")).labels).to.include("whisker");
    });

    it("refuse a stale save, and give what is there instead", async () => {
      const frame = await ada.frameNamed("rocket.jpg");
      const path = `/api/frames/${frame.id}/annotations`;
      const save = { version: frame.version, boxes: frame.boxes.slice(1), isReviewed: false };
      expect((await ada.send("PUT", path, save)).status).to.equal(200);
      const { status, body } = await ada.send<SaveConflict>("PUT", path, save);
      expect(status).to.equal(409);
      expect(body.current.version).to.equal(frame.version + 1);
      expect(body.current.boxes).to.have.length(frame.boxes.length - 1);
      expect(body.savedBy).to.equal("Ada");
    });

    it("are read as they were at one moment: no boxes from before a save under the version after it", async () => {
      const before = await ada.frameNamed("chelsea.jpg");
      const saver = new pg.Client(app.database.url);
      await saver.connect();
      await saver.query("BEGIN; LOCK TABLE frame_review");
      const reading = ada.get<FrameDetail>(`/api/frames/${before.id}`);
      const waits = (): Promise<unknown[]> =>
        app.database.query(
          "SELECT FROM pg_locks WHERE relation = 'frame_review'::regclass AND NOT granted",
        );
      while ((await waits()).length === 0) await delay(10);
      await delay(200); // whatever else is read at that moment is read
      const saved = "UPDATE annotation_example SET position = 1000 - position WHERE frame_id = $1";
      await saver.query(saved, [before.id]);
      const version = "UPDATE frame_review SET version = version + 1 WHERE frame_id = $1";
      await saver.query(version, [before.id]);
      await saver.query("COMMIT");
      await saver.end();
      const after = await ada.get<FrameDetail>(`/api/frames/${before.id}`);
      expect(after.boxes).to.deep.equal(before.boxes.toReversed());
      const { version: read, boxes } = await reading;
      expect({ version: read, boxes }).to.deep.equal({
        version: before.version,
        boxes: before.boxes,
      });
    });

    it("refuse boxes outside of the picture and ids of other frames", async () => {
      const [frame, other] = [
        await ada.frameNamed("coffee.jpg"),
        await ada.frameNamed("camera.jpg"),
      ];
      const path = `/api/frames/${frame.id}/annotations`;
      const save = (box: object): Promise<{ status: number }> =>
        ada.send("PUT", path, { version: frame.version, boxes: [box], isReviewed: false });
      expect((await save(newBox({ x: 590 }))).status).to.equal(422);
      expect((await save(newBox({ id: other.boxes[0]?.id ?? "" }))).status).to.equal(422);
      expect((await ada.frameNamed("coffee.jpg")).boxes).to.deep.equal(frame.boxes);
    });
  });

  describe("what the database sees", () => {
    const isEncrypted = (table: RawTable | undefined, name: string): boolean | undefined =>
      table?.columns.find((column) => column.name === name)?.isEncrypted;

    it("is told truly: envelopes here, values there", async () => {
      const tables = await ada.get<RawTable[]>("/api/database/tables");
      const names = tables.map(({ name }) => name);
      expect(names).to.include.members(["frame", "annotation_example", "activity"]);
      expect(names).not.to.include("account");
      const examples = tables.find(({ name }) => name === "annotation_example");
      expect(examples?.writtenBy).to.equal("Sequelize");
      expect(isEncrypted(examples, "label")).to.equal(true);
      expect(isEncrypted(examples, "frame_id")).to.equal(false);
      const rows = await ada.get<RawRow[]>("/api/database/rows?table=frame");
      expect(rows[0]?.cells.name?.stored).to.match(/^9V6h/);
      expect(rows[0]?.cells.name?.opened).to.match(/\.jpg$/);
    });

    it("is refused once a bit differs; a box of another row is, too; a label of another row is not", async () => {
      const [one, two] = await ada.get<RawRow[]>("/api/database/rows?table=annotation_example");
      const cell = { table: "annotation_example", id: one?.id };
      const flipped = await ada.post<TamperResult>("/api/database/flip-byte", {
        ...cell,
        column: "label",
      });
      expect(flipped.error?.code).to.equal("ERR_DECRYPT_FAILED");
      expect(flipped.opened).to.equal(null);
      expect(flipped.changedByte).to.be.greaterThan(8);
      const swap = (column: string): Promise<TamperResult> =>
        ada.post("/api/database/swap", { ...cell, otherId: two?.id, column });
      expect((await swap("box")).error?.code).to.equal("ANNOTATION_OTHER_ROW");
      expect((await swap("label")).opened).to.equal(two?.cells.label?.opened);
    });

    it("is never asked for by a name that came with the request", async () => {
      const evil = encodeURIComponent('frame"; DROP TABLE frame; --');
      expect((await ada.send("GET", `/api/database/rows?table=${evil}`)).status).to.equal(404);
      expect((await ada.send("GET", "/api/database/rows?table=account")).status).to.equal(404);
    });
  });

  describe("COCO files", () => {
    interface Coco {
      images: { id: number; file_name: string }[];
      annotations: { image_id: number; category_id: number; bbox: number[]; area: number }[];
      categories: { id: number; name: string }[];
    }

    it("hold what was drawn, and come back in", async () => {
      const frame = await ada.frameNamed("astronaut-pan1.jpg");
      const coco = await ada.get<Coco>("/api/export/coco");
      const image = coco.images.find((known) => known.file_name === frame.name);
      const drawn = coco.annotations.filter((known) => known.image_id === image?.id);
      expect(drawn.map(({ bbox }) => bbox)).to.deep.equal(
        frame.boxes.map(({ x, y, width, height }) => [x, y, width, height]),
      );
      const path = `/api/frames/${frame.id}/annotations`;
      await ada.send("PUT", path, { version: frame.version, boxes: [], isReviewed: false });
      const result = await ada.post<ImportResult>("/api/import/coco", coco);
      expect(result).to.deep.equal({ frames: 1, boxes: frame.boxes.length, skipped: [] });
      const shapes = ({ boxes }: FrameDetail): object[] =>
        boxes.map(({ x, y, width, height, label, confidence }) => [
          x,
          y,
          width,
          height,
          label,
          confidence,
        ]);
      expect(shapes(await ada.frameNamed(frame.name))).to.deep.equal(shapes(frame));
      expect((await ada.post<ImportResult>("/api/import/coco", coco)).boxes).to.equal(0);
    });

    it("say which of their files are not here", async () => {
      const file = {
        images: [{ id: 1, file_name: "nowhere.jpg" }],
        annotations: [],
        categories: [],
      };
      const { skipped } = await ada.post<ImportResult>("/api/import/coco", file);
      expect(skipped).to.deep.equal([{ file: "nowhere.jpg", reason: "no frame has this name" }]);
      const bad = await ada.send("POST", "/api/import/coco", { images: "none" });
      expect(bad.status).to.equal(422);
    });
  });

  describe("the activity log", () => {
    it("knows who looked, saved and exported, and is encrypted", async () => {
      const { entries } = await ada.get<ActivityPage>("/api/activity");
      const actions = entries.map(({ action }) => action);
      expect(actions).to.include.members([
        "frame.open",
        "frame.save",
        "export.coco",
        "import.coco",
      ]);
      expect(entries.every(({ isIntact }) => isIntact)).to.equal(true);
      const rows = await app.database.query("SELECT user_name, detail FROM activity");
      for (const { user_name: user, detail } of rows) {
        for (const stored of [user, detail]) expect(stored).to.match(/^9V6h/);
      }
      expect(JSON.stringify(rows)).not.to.include("coffee.jpg");
    });

    it("shows that an entry is missing or was put in the place of another", async () => {
      const [middle] = await app.database.query<{ id: string }>(
        "SELECT id FROM activity ORDER BY id DESC OFFSET 3 LIMIT 1",
      );
      const id = Number(middle?.id);
      await app.database.query("DELETE FROM activity WHERE id = $1", [id]);
      const { entries } = await ada.get<ActivityPage>("/api/activity");
      const broken = entries.filter(({ isIntact }) => !isIntact);
      expect(broken.map((entry) => entry.id)).to.deep.equal([id + 1]);
    });
  });

  describe("keys", () => {
    it("are listed with what is stored under them, and not retired while something is", async () => {
      const [primary] = await ada.get<KeyInfo[]>("/api/keys");
      expect(primary?.status).to.equal("primary");
      expect(primary?.values).to.be.greaterThan(500);
      expect(primary?.objects).to.equal(52);
      const { status, body } = await ada.send("POST", `/api/keys/${primary?.id}/retire`);
      expect(status).to.equal(409);
      expect(body.message).to.include("Add another first");
    });
  });
});
