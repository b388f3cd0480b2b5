// Run by postgres.test.ts in a process of its own: starts the server, says where, and ends as told.
import { createTestDatabase, stopPostgres } from "./postgres.ts";

const database = await createTestDatabase();
const { port } = new URL(database.url);
process.stdout.write(`${JSON.stringify({ folder: database.dataDirectory, port: Number(port) })}\n`);

switch (process.argv[2]) {
  case "success":
    await database.drop();
    await stopPostgres();
    break;
  case "failure":
    process.exitCode = 1;
    await database.drop();
    await stopPostgres();
    break;
  case "throw":
    setTimeout(() => {
      throw new Error("thrown on purpose");
    });
    break;
  default:
    setInterval(() => {}, 1000); // until the signal
}
