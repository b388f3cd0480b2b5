import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { startTestApplication, type TestApplication } from "./application.ts";
import { Client } from "./client.ts";

describe("The log of the annotation server", function () {
  this.timeout(60_000);
  let app: TestApplication;

  before(async () => {
    app = await startTestApplication({ SEED: "none" });
  });

  after(() => app.stop());

  it("may be impossible to write: that is said once, and the server goes on", async () => {
    const path = join(app.folder, "data/server.log");
    await rm(path);
    await mkdir(path);
    const warnings: string[] = [];
    const listen = ({ message }: Error): void => void warnings.push(message);
    process.on("warning", listen);
    await app.restart();
    const ada = await Client.signedIn(app.url);
    expect(await ada.get("/api/frames")).to.deep.include({ total: 0 });
    process.off("warning", listen);
    const ofLog = warnings.filter((message) => message.includes(path));
    expect(ofLog).to.have.length(1);
    expect(ofLog[0]).to.include("EISDIR");
  });
});
