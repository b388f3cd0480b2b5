// What stands on a terminal of 80 columns: essential lines, whole; and the same without colour, and in a pipe.
import { stripVTControlCharacters } from "node:util";
import {
  ColumnCipher,
  encryptString,
  generateRootKey,
  Keyring,
  textCodec,
} from "@fieldseal/crypto";
import { expect } from "chai";
import { createProject, USERS_CONFIG, type Project } from "./project.ts";

describe("The screen of fieldseal", function () {
  this.timeout(60_000);
  let project: Project;
  let run: Project["run"];
  const old = Keyring.fromKey(generateRootKey());
  const id = (): string => project.keyring.primary.id;

  before(async () => {
    project = await createProject();
    ({ run } = project);
    project.write(
      "fieldseal.config.ts",
      `${USERS_CONFIG.replace("export default", "const usersOnly =")}
      const nameCipher = new ColumnCipher({ codec: textCodec, label: "User.name",
        options: { plaintext: "accept", blindIndex: { column: "name_index" } },
        defaultContext: { table: "users", column: "name" } });
      export default { columns: [...columns, { ...columns[0], field: "name", column: "name", cipher: nameCipher }] };`,
    );
    await project.database.query(
      "create table users (id int primary key, email text, name varchar(200), name_index text)",
    );
    const { keyring } = project;
    const name = new ColumnCipher({
      codec: textCodec,
      label: "name",
      options: { keyring, blindIndex: { column: "name_index" } },
      defaultContext: { table: "users", column: "name" },
    });
    for (let i = 1; i <= 12; i++) {
      await project.database.query("insert into users values ($1, $2, $3, $4)", [
        i,
        i < 8
          ? `plain ${i}`
          : encryptString("x", { context: "users.email", keyring: i === 12 ? old : keyring }),
        name.seal(i === 9 ? "x".repeat(79) : "short"),
        i === 3 ? "stale" : name.indexToken(i === 9 ? "x".repeat(79) : "short"),
      ]);
    }
    await project.database.query("update users set email = name where id = 11");
  });
  after(() => project.remove());

  it("shows a verification with everything in it", async () => {
    const { out, err } = await run(["verify"], { columns: 80, env: { NO_COLOR: "1" } });
    expect(out, err).to.equal(`users.email  12 rows  findings
  key ${id()}  3  primary
  plaintext     7  not encrypted
                   id 1; id 2; id 3; id 4; id 5; and 2 more
  moved         1  a value of another column
                   id 11 of users.name
  unreadable    1  does not open here with these keys
                   id 12 [ERR_KEY_UNKNOWN, key ${old.primary.id}]
  Key ${old.primary.id} is not configured here: add it to ENCRYPTION_PREVIOUS_KEYS, or to
  the keyset.
  "fieldseal migrate run" brings it into form.
users.name  12 rows  findings
  key ${id()}   12  primary
  index drift     1  the search token is not that of the value
                     id 3
  longest       184  characters of 200: make the column text
  "fieldseal migrate run" brings it into form.
`);
  });

  it("wraps at 80 and at 120 columns, below the column it belongs to, and never in a pipe", async () => {
    const command = ["verify", "--limit", "30"];
    await project.database.query("update users set email = 'plain' || id where id < 12");
    for (const columns of [80, 120]) {
      const { out } = await run(command, { columns });
      const widths = stripVTControlCharacters(out)
        .split("\n")
        .map((line) => line.length);
      expect(Math.max(...widths), out)
        .to.be.greaterThan(60)
        .and.be.lessThan(columns + 1);
    }
    const { out } = await run(command, { columns: 80, env: { NO_COLOR: "1" } });
    expect(out).to.match(/^ {18}id 1; id 2; [^]*?;\n {18}id \d/m);
    const piped = await run(command);
    expect(piped.out).to.match(/^ {18}id 1; id 2; id 3; .*id 11$/m);
  });

  it("colours terminals, unless NO_COLOR asks for none; pipes only where FORCE_COLOR asks for it", async () => {
    const coloured = async (
      columns: number | undefined,
      env: Record<string, string>,
    ): Promise<boolean> => {
      const { out } = await run(["verify"], { ...(columns !== undefined && { columns }), env });
      return out !== stripVTControlCharacters(out);
    };
    expect(await coloured(80, { TERM: "xterm-256color" })).to.equal(true);
    expect(await coloured(80, { NO_COLOR: "1" })).to.equal(false);
    expect(await coloured(undefined, {})).to.equal(false);
    expect(await coloured(undefined, { FORCE_COLOR: "1" })).to.equal(true);
  });

  it("lets no name of a row reach the terminal as a command to it", async () => {
    await project.database.query("create table notes (id text primary key, email text)");
    await project.database.query("insert into notes values ($1, 'plain')", ["\u001b[2J\u202eevil"]);
    project.write("notes.config.ts", USERS_CONFIG.replaceAll('"users"', '"notes"'));
    const { out } = await run(["verify", "--config", "notes.config.ts"]);
    expect(out).to.include("id \ufffd[2J\ufffdevil");
    for (const character of ["\u001b", "\u202e"]) expect(out).not.to.include(character);
  });

  it("shows a plan, a run and its status", async () => {
    await project.database.query("alter table users alter name type text");
    await project.database.query("delete from users where id = 12");
    const plan = await run(["migrate", "plan"], { columns: 80, env: { NO_COLOR: "1" } });
    const lines = plan.out.split("\n");
    expect(lines[0]).to.match(/^Database postgres@127\.0\.0\.1:\d+\/\w+$/);
    expect(lines[1]).to.match(/^users {2}11 rows, [\d.]+ KB, indexes [\d.]+ KB$/);
    expect(plan.out).to.match(/^ {2}email {2}text {2}plaintext 11 -> key \w{8} A256CBC-HS256$/m);
    expect(
      lines.every((line) => line.length <= 80),
      plan.out,
    ).to.equal(true);
    const done = await run(["migrate", "run"], { columns: 80, env: { NO_COLOR: "1" } });
    expect(done.out)
      .to.match(/^users: 0 of 11 rows$/m)
      .and.match(/^users: done, 11 rows written$/m);
    const status = await run(["migrate", "status"], { columns: 80, env: { NO_COLOR: "1" } });
    expect(status.out).to.equal(
      "run  table         state  seen         written  left\n  1  public.users  done   100 % of 11       11\n",
    );
    const paused = await run(["migrate", "pause", "1"]);
    expect(paused.err).to.match(
      /^error {2}Run 1 .*\[ERR_MIGRATE_STATE\]\nfix {4}fieldseal migrate status/,
    );
  });

  it("says how a column turns strict: readers first, then the database", async () => {
    const { out } = await run(["verify"], { columns: 120, env: { NO_COLOR: "1" } });
    expect(out.replaceAll(/\n +/g, " ")).to.include(
      'It can turn strict: take plaintext: "accept" out of the options of User.email and deploy, then "fieldseal migrate finalize".',
    );
  });

  it("claims no count in a plan that is refused before anything was counted", async () => {
    project.write("emial.config.ts", USERS_CONFIG.replaceAll('"email"', '"emial"'));
    const column = await run(["migrate", "plan", "--config", "emial.config.ts"]);
    expect(column.out).to.match(/^users {2}rows not counted, [\d.]+ KB/m);
    expect(column.out).to.match(/^ {2}emial {2}missing {2}not counted -> key/m);
    project.write("gone.config.ts", USERS_CONFIG.replaceAll('"users"', '"gone"'));
    const table = await run(["migrate", "plan", "--config", "gone.config.ts"]);
    expect(table.out)
      .to.match(/^gone$/m)
      .and.not.include("0 rows");
  });

  it("shows what remains after a migration, and takes VACUUM FULL when told", async () => {
    const scrubbed = await run(["migrate", "scrub"], { columns: 80, env: { NO_COLOR: "1" } });
    expect(scrubbed.out).to.match(/^users: VACUUM$/m);
    expect(scrubbed.out).to.match(/^ {2}backup +yours +Backups/m);
    expect(scrubbed.out).to.include('"fieldseal migrate scrub --rewrite"');
    expect(scrubbed.out.split("\n").every((line) => line.length <= 80)).to.equal(true);
    const rewritten = await run(["migrate", "scrub", "--rewrite", "--json"]);
    expect(rewritten).to.include({ code: 0 });
    expect(JSON.parse(rewritten.out))
      .to.have.nested.property("tables[0].steps")
      .that.includes("rewrite");
  });
});
