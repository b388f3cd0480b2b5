import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { generateRootKey } from "@fieldseal/crypto";
import { expect } from "chai";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { Client } from "./client.ts";
import { CommandFolder, StartedCommand } from "./started-command.ts";

const COMMAND = join(import.meta.dirname, "../src/add-account.ts");

describe("The account command", function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let folder: CommandFolder;
  let server: StartedCommand;
  let production: Record<string, string>;

  before(async () => {
    database = await createTestDatabase({ name: "account" });
    folder = await CommandFolder.make();
    production = {
      NODE_ENV: "production",
      ENCRYPTION_KEY: generateRootKey(),
      DATABASE_URL: database.url,
      DATA_DIRECTORY: folder.data,
      ENV_FILE: folder.envFile,
    };
    server = new StartedCommand(folder, production);
    await server.url();
  });

  after(async () => {
    server.interrupt();
    await server.untilGone(folder);
    await folder.remove();
    await database.drop();
  });

  const add = (parameters: readonly string[], password: string) =>
    spawnSync(process.execPath, ["--conditions=@fieldseal/source", COMMAND, ...parameters], {
      encoding: "utf8",
      input: password,
      env: { PATH: process.env.PATH, ...production },
    });

  it("lets somebody in where there are no demo accounts, and says so at the start", async () => {
    expect(server.said).to.include("Nobody can sign in yet");
    const { status, stdout, stderr } = add(["Grace Hopper", "annotator"], "a long password\n");
    expect([status, stdout], stderr).to.deep.equal([0, "Grace Hopper can sign in as annotator.\n"]);
    const grace = new Client(await server.url());
    const before = await grace.send<{ demoAccounts: unknown[] }>("GET", "/api/session");
    expect(before.body.demoAccounts).to.deep.equal([]);
    const cookie = before.headers.getSetCookie()[0] ?? "";
    expect(cookie).to.match(/^__Host-session=.*Secure/);
    const credentials = { name: "Grace Hopper", password: "a long password" };
    expect((await grace.send("POST", "/api/session", credentials)).status).to.equal(200);
    expect((await grace.send("GET", "/api/frames")).status).to.equal(200);
    const rows = await database.query("SELECT name, password_hash FROM account");
    expect(JSON.stringify(rows))
      .not.to.include("Grace Hopper")
      .and.not.to.include("a long password");
  });

  it("ends the sessions of an account that gets a new password", async () => {
    const signIn = async (password: string): Promise<Client> => {
      const client = new Client(await server.url());
      await client.send("GET", "/api/session");
      const credentials = { name: "Alan Turing", password };
      expect((await client.send("POST", "/api/session", credentials)).status).to.equal(200);
      return client;
    };
    expect(add(["Alan Turing", "annotator"], "a first password\n").status).to.equal(0);
    const thief = await signIn("a first password");
    expect((await thief.send("GET", "/api/frames")).status).to.equal(200);
    expect(add(["Alan Turing", "annotator"], "another password\n").status).to.equal(0);
    expect((await thief.send("GET", "/api/frames")).status).to.equal(401);
    const alan = await signIn("another password");
    expect((await alan.send("GET", "/api/frames")).status).to.equal(200);
    expect(add(["Alan Turing", "annotator"], "another password\n").status).to.equal(0);
    expect((await alan.send("GET", "/api/frames")).status, "the same password").to.equal(200);
  });

  it("refuses short passwords and roles that there are not", () => {
    const short = add(["Eve", "viewer"], "short");
    expect([short.status, short.stderr]).to.deep.equal([
      1,
      "The password needs 12 characters at least.\n",
    ]);
    const role = add(["Eve", "owner"], "a long password");
    expect(role.status).to.equal(1);
    expect(role.stderr).to.match(/^Usage/);
  });
});
