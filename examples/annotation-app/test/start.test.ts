// `npm start` as a newcomer meets it: the first start, the second, each way to stop, each thing that can be wrong.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { generateRootKey } from "@fieldseal/crypto";
import { expect } from "chai";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import type { FrameList } from "../web/src/data/contract.ts";
import { Client, newBox } from "./client.ts";
import { CommandFolder, StartedCommand } from "./started-command.ts";

const TELL_LOADED = { NODE_OPTIONS: `--import=${join(import.meta.dirname, "tell-loaded.ts")}` };

describe("npm start", function () {
  this.timeout(120_000);
  const folders: CommandFolder[] = [];
  const commands: { command: StartedCommand; folder: CommandFolder }[] = [];

  const makeFolder = async (): Promise<CommandFolder> => {
    const folder = await CommandFolder.make();
    folders.push(folder);
    return folder;
  };
  const start = (
    folder: CommandFolder,
    environment: Record<string, string> = {},
    by: "npm" | "node" = "node",
  ): StartedCommand => {
    const command = new StartedCommand(folder, environment, by);
    commands.push({ command, folder });
    return command;
  };

  afterEach(async () => {
    const started = commands.splice(0);
    for (const { command } of started) command.interrupt();
    for (const { command, folder } of started) await command.untilGone(folder);
  });

  after(async () => {
    for (const folder of folders) await folder.remove();
  });

  describe("with a PostgreSQL of its own", () => {
    let folder: CommandFolder;
    let boxes = 0;

    before(async () => {
      folder = await makeFolder();
    });

    it("makes a private key, a database and first data, encrypts and verifies all of it, and says so", async () => {
      const command = start(folder, {}, "npm");
      const url = await command.url();
      const steps = [
        /Made the encryption key [0-9a-f]{8} and wrote it to .*\.env \(mode 0600\)/,
        /Created the tables/,
        /Filled the database with photographs and clips, in the clear/,
        /Encrypting annotation_example +█+ 100 %/,
        /Verified: \d{3,} values in 20 columns open, and none is plaintext/,
        /Encrypting files +█+ 100 %/,
        /Verified: 52 files open to their last byte, and none is plaintext/,
        /is at http:\/\/127\.0\.0\.1:\d+/,
      ];
      const places = steps.map((step) => command.said.search(step));
      expect(
        places.every((place) => place >= 0),
        command.said,
      ).to.equal(true);
      expect(places).to.deep.equal(places.toSorted((a, b) => a - b));
      expect(statSync(folder.envFile).mode & 0o777).to.equal(0o600);
      expect(command.said).not.to.include(readFileSync(folder.envFile, "utf8").slice(15, 40));

      const ada = await Client.signedIn(url);
      const frame = await ada.frameNamed("coffee.jpg");
      boxes = frame.boxes.length + 1;
      await ada.send("PUT", `/api/frames/${frame.id}/annotations`, {
        version: frame.version,
        isReviewed: true,
        boxes: [...frame.boxes, newBox()],
      });
      command.interrupt();
      await command.end();
      await command.untilGone(folder);
      expect(existsSync(`${folder.data}/postgres/postmaster.pid`)).to.equal(false);
    });

    it("keeps the data when it is started again, and ends on SIGTERM to npm, its database too", async () => {
      const before = readFileSync(folder.envFile, "utf8");
      const command = start(folder, {}, "npm");
      const ada = await Client.signedIn(await command.url());
      expect((await ada.frameNamed("coffee.jpg")).boxes).to.have.length(boxes);
      expect(command.said).not.to.match(/Made the encryption key|Encrypting|Filled/);
      expect(readFileSync(folder.envFile, "utf8")).to.equal(before);
      command.signal("SIGTERM");
      await command.untilGone(folder);
    });

    it("refuses a second start over the same data, and leaves the first alone", async () => {
      const first = start(folder);
      const url = await first.url();
      const second = start(folder);
      expect(await second.end()).to.equal(1);
      expect(second.said).to.match(
        /Another process uses the database in .*set another DATA_DIRECTORY/,
      );
      expect((await fetch(url)).status).to.equal(200);
      first.interrupt();
      expect(await first.end(), first.said).to.equal(0);
    });

    it("takes over from one that was killed, whose database still runs", async () => {
      const killed = start(folder);
      await killed.url();
      killed.signal("SIGKILL");
      await killed.end();
      expect(killed.left(folder)).not.to.deep.equal([]);
      const next = start(folder);
      const ada = await Client.signedIn(await next.url());
      expect((await ada.frameNamed("coffee.jpg")).boxes).to.have.length(boxes);
      next.interrupt();
      expect(await next.end(), next.said).to.equal(0);
    });

    it("refuses another key than the data is stored under, and writes nothing with it", async () => {
      const command = start(folder, { ENCRYPTION_KEY: generateRootKey(), ...TELL_LOADED });
      expect(await command.end()).to.equal(1);
      // The control of the refusals below: where an ORM is needed, its loading is seen.
      expect(command.said)
        .to.match(/^loads sequelize$/m)
        .and.match(/^loads @mikro-orm\/core$/m);
      expect(command.said).to.match(
        /values under keys that are not configured:\n {2}[0-9a-f]{8}: \d+ values/,
      );
      expect(command.said).not.to.match(/\n\s+at /);
      const right = start(folder);
      const ada = await Client.signedIn(await right.url());
      const [key, ...others] = await ada.get<{ status: string }[]>("/api/keys");
      expect([key?.status, others.length]).to.deep.equal(["primary", 0]);
    });

    it("makes no second key beside the data when the file with the first is gone", async () => {
      const text = readFileSync(folder.envFile, "utf8");
      await writeFile(folder.envFile, "", { mode: 0o600 });
      const command = start(folder);
      expect(await command.end()).to.equal(1);
      expect(command.said).to.include("there is a database from before");
      expect(readFileSync(folder.envFile, "utf8")).to.equal("");
      await writeFile(folder.envFile, text, { mode: 0o600 });
    });
  });

  describe("that is broken off", () => {
    let database: TestDatabase;

    before(async () => {
      database = await createTestDatabase({ name: "broken_off" });
    });

    after(() => database.drop());

    // After a kill its own PostgreSQL would still run: that is a test above.
    for (const [how, signal, hasOwn] of [
      ["by SIGTERM", "SIGTERM", true],
      ["by a kill", "SIGKILL", false],
    ] as const) {
      it(`${how} in the middle of the encryption goes on at the next start`, async () => {
        const folder = await makeFolder();
        const environment = hasOwn ? {} : { DATABASE_URL: database.url };
        const first = start(folder, environment);
        await first.untilItSays(/Encrypting frame_data/);
        first.signal(signal);
        expect(await first.end()).to.equal(signal === "SIGTERM" ? 0 : null);
        await first.untilGone(folder);
        const second = start(folder, environment);
        const ada = await Client.signedIn(await second.url());
        expect(second.said).to.match(/Verified: \d{3,} values in 20 columns open/);
        expect(second.said).to.include("Verified: 52 files").and.not.include("Filled");
        expect((await ada.get<FrameList>("/api/frames")).total).to.equal(25);
      });
    }

    it("by Ctrl-C while PostgreSQL is made leaves nothing that hinders the next start", async () => {
      const folder = await makeFolder();
      const first = start(folder, { SEED: "none" });
      await first.untilItSays(/Made the encryption key/);
      while (!existsSync(`${folder.data}/postgres.new/PG_VERSION`)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      first.interrupt();
      expect(await first.end(), first.said).to.equal(0);
      await first.untilGone(folder);
      expect(await start(folder, { SEED: "none" }).url()).to.match(/^http/);
    });
  });

  describe("that cannot be", () => {
    let database: TestDatabase;
    let folder: CommandFolder;

    before(async () => {
      database = await createTestDatabase({ name: "start" });
      folder = await makeFolder();
    });

    after(() => database.drop());

    const refusal = async (environment: Record<string, string>): Promise<string> => {
      const command = start(folder, { DATABASE_URL: database.url, ...TELL_LOADED, ...environment });
      expect(await command.end(), command.said).to.equal(1);
      expect(command.said).not.to.match(/\n\s+at /);
      // Said at once: what takes long to load is not there yet.
      expect(command.said).not.to.match(/^loads /m);
      return command.said;
    };

    it("in production: without a key, without a database, with a key that is none", async () => {
      const production = { NODE_ENV: "production" };
      expect(await refusal(production)).to.include("in production none is made by itself");
      expect(existsSync(folder.envFile)).to.equal(false);
      expect(await refusal({ ...production, DATABASE_URL: "" })).to.include(
        "DATABASE_URL must be set in production",
      );
      const key = "correct horse battery staple 1234";
      const said = await refusal({ ...production, ENCRYPTION_KEY: key });
      expect(said).to.include("ENCRYPTION_KEY").and.not.include("horse battery");
    });

    it("because its port is taken, before anything else is done", async () => {
      const other = createServer();
      const port = await new Promise<number>((resolve) =>
        other.listen(0, "127.0.0.1", () => resolve((other.address() as { port: number }).port)),
      );
      const said = await refusal({ PORT: String(port) });
      other.close();
      expect(said).to.include(`Another program listens on 127.0.0.1:${port}`);
      expect(said).not.to.include("Created the tables");
    });

    it("because its .env is open to others, broken, misspelt or out of range", async () => {
      const cases: readonly (readonly [string, RegExp])[] = [
        ["ENCRYPTION_KEY=abc\n", /ENCRYPTION_KEY/],
        ["# ours\nthis is not an assignment\n", /line 2: this is no NAME=value/],
        [
          `ENCRYPTON_KEY=${"ab".repeat(32)}\n`,
          /sets ENCRYPTON_KEY, which this application does not read/,
        ],
        ["SESSION_HOURS=999\n", /SESSION_HOURS: .*168/],
        ["SERVICES=ingest,annotation\n", /SERVICES: /],
        ["HOST=0.0.0.0\n", /passwords of demo accounts/],
        ["STORAGE_TYPE=s3\n", /S3_BUCKET is not set/],
      ];
      for (const [text, expected] of cases) {
        await writeFile(folder.envFile, text, { mode: 0o600 });
        await chmod(folder.envFile, 0o600);
        const key = text.includes("ENCRYPT") ? {} : { ENCRYPTION_KEY: generateRootKey() };
        expect(await refusal(key)).to.match(expected);
      }
      await chmod(folder.envFile, 0o644);
      expect(await refusal({})).to.match(/Others may read .*chmod 600/);
      await writeFile(folder.envFile, "");
      await chmod(folder.envFile, 0o600);
    });

    it("because the database does not answer, does not exist, or does not let it in", async () => {
      const password = randomBytes(8).toString("hex");
      const { host, port, database: name } = database.connection;
      const at = (place: string): string => `postgres://postgres:${password}@${place}`;
      const unreachable = await refusal({ DATABASE_URL: at("127.0.0.1:1/none") });
      expect(unreachable).to.include("postgres at 127.0.0.1:1/none: nothing answers there");
      const wrong = await refusal({ DATABASE_URL: at(`${host}:${port}/${name}`) });
      expect(wrong).to.include("the password is wrong");
      const missing = new URL(database.url);
      missing.pathname = "/no_such_database";
      const said = await refusal({ DATABASE_URL: missing.href });
      expect(said).to.include("there is no such database");
      for (const text of [unreachable, wrong]) expect(text).not.to.include(password);
      expect(said).not.to.include(database.connection.password);
    });
  });
});
