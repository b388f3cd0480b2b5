// README and tutorial as a newcomer follows them: every file written, every shell block run, in their order and in an empty
// folder; what the page says they print is what they print ("…" stands for anything).
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { codeBlocks, type CodeBlock } from "./support/code-blocks.ts";
import { pack, root } from "./support/packed-project.ts";
import { freePort } from "./support/free-port.ts";
import { createTestDatabase, type TestDatabase } from "./support/postgres.ts";

const pages = ["README.md", ...globSync("docs/tutorial/*.md", { cwd: root }).toSorted()];

/** This suite is inside of it. */
const RUN_BY_CI = "npm ci && npm test\n";

describe("shell blocks", function () {
  this.timeout(180_000);
  let base: string;
  let environment: NodeJS.ProcessEnv;
  let database: TestDatabase;

  before("pack", async () => {
    base = mkdtempSync(join(tmpdir(), "fieldseal-pages-"));
    chmodSync(base, 0o755); // as root, PostgreSQL runs as another user, who must come through
    database = await createTestDatabase();
    environment = { ...(await newcomersEnvironment(base)), DATABASE_URL: database.url };
  });
  after(async () => {
    rmSync(base, { recursive: true, force: true });
    await database.drop();
  });

  for (const page of pages) {
    const blocks = codeBlocks(readFileSync(join(root, page), "utf8"));
    const shellBlocks = blocks.filter(isRun);

    describe(`of ${page}`, () => {
      let outputs: ReadonlyMap<number, string>;
      let complaints = "";

      before("run", () => {
        const cwd = mkdtempSync(join(base, "page-"));
        chmodSync(cwd, 0o755);
        const result = spawnSync("bash", ["-c", script(blocks)], {
          cwd,
          encoding: "utf8",
          env: environment,
        });
        outputs = outputsByLine(result.stdout);
        complaints = result.stderr;
      });

      it("were found", () => expect(shellBlocks.length).to.be.greaterThan(0));

      for (const block of shellBlocks) {
        const expected = expectedOutput(blocks, block);
        it(`line ${block.line} runs${expected === undefined ? "" : " and prints what the page says"}`, () => {
          const output = outputs.get(block.line);
          if (output === undefined) expect.fail(`It was not reached, or failed:\n${complaints}`);
          if (expected !== undefined) expect(normalize(output)).to.match(pattern(expected));
        });
      }
    });
  }
});

function isRun({ language, code }: CodeBlock): boolean {
  return language === "sh" && code !== RUN_BY_CI;
}

/** The text block that follows a shell block directly, or undefined. */
function expectedOutput(blocks: readonly CodeBlock[], block: CodeBlock): string | undefined {
  const next = blocks[blocks.indexOf(block) + 1];
  return next?.language === "text" ? next.code : undefined;
}

/** One shell for the page: variables and folders stay from block to block. A line after each says that it is done. */
function script(blocks: readonly CodeBlock[]): string {
  const steps = blocks.map((block) => {
    if (block.file !== undefined)
      return `cat > ${block.file} <<'END_OF_FILE'\n${block.code}END_OF_FILE`;
    return isRun(block) ? `${block.code}\necho "@@ ${block.line}"` : "";
  });
  return `set -euo pipefail\n${steps.join("\n")}`;
}

function outputsByLine(stdout: string): Map<number, string> {
  const parts = stdout.split(/^@@ (\d+)\n/m);
  return new Map(
    parts.flatMap((output, index) =>
      index % 2 === 0 && index + 1 < parts.length
        ? [[Number(parts[index + 1]), output] as const]
        : [],
    ),
  );
}

/** Columns may be wider or narrower than on the page. */
function normalize(text: string): string {
  return text.trim().replaceAll(/ +/g, " ").replaceAll(/ $/gm, "");
}

function pattern(expected: string): RegExp {
  return new RegExp(
    `^${normalize(expected)
      .split("…")
      .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
      .join(".*")}$`,
  );
}

/** Nothing of this repository but Node, and an npm that takes packages from it. */
async function newcomersEnvironment(base: string): Promise<NodeJS.ProcessEnv> {
  const [nodeFolder, npmFolder] = ["node", "npm"].map((name) => join(base, `bin-${name}`));
  mkdirSync(nodeFolder!);
  mkdirSync(npmFolder!);
  symlinkSync(process.execPath, join(nodeFolder!, "node"));
  const program = join(root, "test/support/offline-npm.ts");
  writeFileSync(join(npmFolder!, "npm"), `#!/bin/sh\nexec node '${program}' "$@"\n`, {
    mode: 0o755,
  });
  const packed = pack(base);
  const folders = (process.env.PATH ?? "").split(":");
  const path = [nodeFolder, ...folders.filter((folder) => !folder.includes("node_modules"))].join(
    ":",
  );
  const filenames = Object.fromEntries([...packed].map(([name, { filename }]) => [name, filename]));
  return {
    HOME: process.env.HOME,
    PATH: `${npmFolder}:${path}`,
    PGPORT: String(await freePort()),
    FIELDSEAL_OFFLINE_NPM: JSON.stringify({ folder: base, filenames, path }),
  };
}
