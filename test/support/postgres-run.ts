// A test run in miniature, which postgres.test.ts starts with real Mocha: it uses the server, and ends as told.
import { createTestDatabase } from "./postgres.ts";

describe("a run", () => {
  it("uses the server", async function () {
    this.timeout(60_000);
    const ending = process.env.ENDING ?? "";
    if (ending === "SIGINT during the start") {
      setTimeout(() => process.stdout.write("ready\n"), 100);
    }
    const { connection, dataDirectory } = await createTestDatabase();
    process.stdout.write(`${JSON.stringify({ dataDirectory, port: connection.port })}\n`);
    switch (ending) {
      case "success":
        return;
      case "a failing test":
        throw new Error("failed on purpose");
      case "an uncaught exception":
        setTimeout(() => {
          throw new Error("thrown on purpose");
        });
        break;
      case "process.exit":
        process.exit(3);
    }
    process.stdout.write("ready\n");
    await new Promise(() => {}); // until the signal, or Mocha ends the test
  });
});
