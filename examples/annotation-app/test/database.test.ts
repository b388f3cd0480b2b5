import { createServer, type AddressInfo, type Server } from "node:net";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { openDatabase } from "../src/database/database.ts";

/** A message of PostgreSQL's protocol: its kind, its length, itself. */
function message(kind: string, content: string): Buffer {
  const bytes = Buffer.from(content, "latin1");
  const head = Buffer.alloc(5);
  head.write(kind, "latin1");
  head.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

describe("The database of the annotation app", () => {
  let server: Server;
  after(() => server.close());

  it("may end connections as they open: queries fail, and the process goes on", async () => {
    const opensAndEnds = Buffer.concat([
      message("R", "\0\0\0\0"), // authenticated
      message("Z", "I"), // ready
      message("E", "SFATAL\0C57P01\0Mterminating connection\0\0"),
    ]);
    server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(opensAndEnds));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const database = await openDatabase({
      url: `postgres://ada:secret@127.0.0.1:${port}/app`,
      keyring: Keyring.fromKey(generateRootKey()),
      plaintext: "accept",
    });
    for (const query of [
      () => database.sequelize.query("SELECT 1"),
      () => database.pool.query("SELECT 1"),
      () => database.orm.em.fork().execute("SELECT 1"),
    ]) {
      expect(await query().catch((error: unknown) => error)).to.be.an("error");
    }
    await database.close();
  });
});
