import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createTestDatabase, type TestDatabase } from "./support/postgres.ts";

describe("the PostgreSQL of the tests", () => {
  let first: TestDatabase;
  let second: TestDatabase;

  before(async function () {
    this.timeout(60_000);
    first = await createTestDatabase();
    second = await createTestDatabase();
  });

  after(async () => {
    await first.drop();
    await second.drop();
  });

  it("gives each caller a UTF-8 database of its own", async () => {
    await first.query("CREATE TABLE only_here (id int)");
    const found = await second.query("SELECT 1 FROM pg_tables WHERE tablename = 'only_here'");
    const [encoding] = await second.query("SHOW server_encoding");
    expect(found).to.have.length(0);
    expect(encoding).to.deep.equal({ server_encoding: "UTF8" });
  });

  for (const ending of ["success", "failure", "throw", "SIGINT", "SIGTERM"]) {
    it(`is gone, with its folder, after a run that ends by ${ending}`, async function () {
      this.timeout(60_000);
      if (process.env.DATABASE_URL) this.skip(); // the server is not ours to stop
      const { folder, port } = await runUntilEnd(ending);
      expect(existsSync(folder), "its folder").to.equal(false);
      expect(await isListening(port), "its port").to.equal(false);
    });
  }
});

/** Starts a server in a child process that then ends as asked; resolves when the child is gone. */
function runUntilEnd(ending: string): Promise<{ folder: string; port: number }> {
  const script = fileURLToPath(new URL("support/postgres-child.ts", import.meta.url));
  const child = spawn(process.execPath, [script, ending], { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (output.endsWith("\n") && ending.startsWith("SIG")) child.kill(ending as NodeJS.Signals);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(JSON.parse(output) as { folder: string; port: number }));
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => socket.end(() => resolve(true)));
    socket.on("error", () => resolve(false));
  });
}
