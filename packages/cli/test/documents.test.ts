// The JSON of each command holds what docs/reference/cli.md says: no property more, none less.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createProject, json, specifier, USERS_CONFIG, type Project } from "./project.ts";

const page = readFileSync(
  fileURLToPath(new URL("../../../docs/reference/cli.md", import.meta.url)),
  "utf8",
);

/** Properties of an interface on the page, those of the first level. */
function documented(name: string): { readonly all: string[]; readonly required: string[] } {
  const [, body = ""] = new RegExp(`^interface ${name} \\{\\n([^]*?)^\\}`, "m").exec(page) ?? [];
  const properties = [...body.matchAll(/^ {2}(\w+)(\??):/gm)];
  const names = (of: RegExpExecArray[]): string[] => of.map((match) => match[1]!);
  return { all: names(properties), required: names(properties.filter((match) => match[2] === "")) };
}

describe("The JSON of fieldseal", function () {
  this.timeout(60_000);
  let project: Project;

  before(async () => {
    project = await createProject();
    project.write(
      "fieldseal.config.ts",
      `${USERS_CONFIG.replace("export default", "const usersOnly =")}
       import { EncryptedLocalStorage } from ${specifier("@fieldseal/storage")};
       export default { columns, storage: () => new EncryptedLocalStorage({ path: "files" }) };`,
    );
    await project.database.query("create table users (id int primary key, email text)");
    await project.database.query("insert into users values (1, 'a')");
  });
  after(() => project.remove());

  const commands: readonly [name: string, words: readonly string[]][] = [
    ["Keygen", ["keygen"]],
    ["Keygen", ["keygen", "--out", "new.key"]],
    ["KeysList", ["keys", "list", "--uses"]],
    ["Doctor", ["doctor"]],
    ["Verify", ["verify"]],
    ["MigrateRun", ["migrate", "run"]],
    ["MigrateStatus", ["migrate", "status"]],
    ["MigrateFinalize", ["migrate", "finalize"]],
    ["Rotate", ["rotate"]],
    ["Verify", ["verify", "--only", "columns"]],
  ];
  for (const [name, words] of commands) {
    it(`of ${words.join(" ")} is a ${name}`, async () => {
      const { all, required } = documented(name);
      expect(required).to.have.length.above(0);
      const result = await project.run([...words, "--json"]);
      const keys = Object.keys(json(result) as object);
      expect(all).to.include.members(keys);
      expect(keys).to.include.members(required);
      expect(result.err).to.equal("");
      const lines = (await project.run([...withNewName(words), "--ndjson"])).out.trim().split("\n");
      const documents = lines.map((line) => JSON.parse(line) as { readonly type: string });
      expect(documents.slice(0, -1).every(({ type }) => type === "progress")).to.equal(true);
      expect(Object.keys(documents.at(-1)!)).to.have.members(["type", ...keys]);
    });
  }

  /** A key is written to a new file only. */
  function withNewName(words: readonly string[]): string[] {
    return words.map((word) => (word === "new.key" ? "newer.key" : word));
  }
});
