import { setTimeout as delay } from "node:timers/promises";
import { cancelRun, listRuns } from "@fieldseal/migrate";
import { expect } from "chai";
import pg from "pg";
import { startTestApplication, type TestApplication } from "./application.ts";
import { Client } from "./client.ts";

describe("The re-encryption of the annotation app", function () {
  this.timeout(60_000);
  let app: TestApplication;
  let ada: Client;
  let pool: pg.Pool;

  before(async () => {
    app = await startTestApplication({ ROTATION_ROWS_PER_SECOND: "5" });
    ada = await Client.signedIn(app.url);
    pool = new pg.Pool({ connectionString: app.database.url });
  });

  after(async () => {
    await pool.end();
    await app.stop();
  });

  it("is not done when an operator cancels one of its runs", async () => {
    await ada.post("/api/keys");
    await ada.post("/api/rotation/start");
    const running = async (): Promise<string | undefined> =>
      (await listRuns(pool)).find(({ state }) => state === "running")?.runId;
    let runId: string | undefined;
    while (runId === undefined) {
      await delay(20);
      runId = await running();
    }
    await cancelRun(pool, runId);
    const state = async (): Promise<string | undefined> =>
      (await app.database.query<{ state: string }>("SELECT state FROM rotation"))[0]?.state;
    while ((await state()) === "running") await delay(20);
    expect(await state()).to.equal("failed");
  });
});
