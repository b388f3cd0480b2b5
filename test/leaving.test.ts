// docs/how-to/leave-this-library.md promises that values open without our code: its program does it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { encryptString, generateRootKey, Keyring } from "@fieldseal/crypto";
import { codeBlocks } from "./support/code-blocks.ts";
import { skip } from "./support/skip.ts";

const PAGE = fileURLToPath(new URL("../docs/how-to/leave-this-library.md", import.meta.url));

describe("the Python program for leaving", () => {
  const rootKey = generateRootKey();
  const keyring = Keyring.fromKey(rootKey);
  let folder: string;
  let program: string;

  before("write it", function () {
    for (const command of ["python3", "openssl"]) {
      if (spawnSync(command, ["--help"]).error !== undefined) {
        skip(this, `${command} is not installed`);
      }
    }
    folder = mkdtempSync(join(tmpdir(), "fieldseal-leaving-"));
    const [block] = codeBlocks(readFileSync(PAGE, "utf8")).filter(
      ({ language }) => language === "python",
    );
    program = join(folder, block!.file!);
    writeFileSync(program, block!.code);
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  const run = (values: readonly string[], column = "email", key = rootKey): string =>
    execFileSync("python3", [program, key, "users", column], {
      input: values.join("\n"),
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  const seal = (text: string): string => encryptString(text, { keyring, context: "users.email" });

  it("opens text of every length around a block, and of every plane", () => {
    const texts = ["", "ada@example.org", "x".repeat(16), "é".repeat(40), "🦭 Zoë \u{10ffff}"];
    expect(run(texts.map(seal)).split("\n")).to.deep.equal([...texts, ""]);
  });

  it("refuses a value of another column, under another key, and a changed one", () => {
    const stored = seal("ada@example.org");
    const changed = Buffer.from(stored, "base64");
    changed[30]! ^= 1;
    expect(() => run([stored], "name")).to.throw("not intact");
    expect(() => run([stored], "email", generateRootKey())).to.throw("not intact");
    expect(() => run([changed.toString("base64")])).to.throw("not intact");
  });
});
