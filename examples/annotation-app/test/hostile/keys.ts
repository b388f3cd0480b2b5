// Changes of keys that meet each other.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import type { Catalogue, FrameList, KeyInfo, RotationState } from "../../web/src/data/contract.ts";
import { Client } from "../client.ts";
import type { AttackedServer } from "./attacked-server.ts";

export function keys(server: AttackedServer): void {
  describe("in its keys", () => {
    it("re-encrypts under no key that is about to be replaced, and adds no key to a re-encryption that begins", async () => {
      const { app, ada } = server;
      const [old] = await ada.get<KeyInfo[]>("/api/keys");
      const adding = ada.post<KeyInfo[]>("/api/keys");
      while (!app.keys.isChanging) await new Promise((resolve) => setImmediate(resolve));
      for (const step of ["start", "resume"]) {
        const refused = await ada.send("POST", `/api/rotation/${step}`);
        expect([refused.status, refused.body.code]).to.deep.equal([409, "KEYS_CHANGING"]);
        expect(refused.body.message).to.include("A key is being added or retired");
      }
      const [primary] = await adding;
      expect(primary?.id).not.to.equal(old?.id);
      const start = () => ada.send("POST", "/api/rotation/start");
      const answers = [
        ...(await Promise.all([start(), start()])),
        await ada.send("POST", "/api/keys"),
      ];
      const codes = answers.map(({ status, body: { code } }) => (status === 200 ? "done" : code));
      expect(codes.toSorted()).to.deep.equal(["RUNNING", "RUNNING", "done"]);
      await untilRotated();
    });

    it("loses no key when two people add one at the same moment, and finds labels under the new one", async () => {
      const { app, ada } = server;
      const before = await ada.get<KeyInfo[]>("/api/keys");
      await Promise.all([ada.post("/api/keys"), ada.post("/api/keys")]);
      const after = await ada.get<KeyInfo[]>("/api/keys");
      expect(after).to.have.length(before.length + 2);
      expect(after.map(({ id }) => id)).to.include(before[0]?.id);
      await ada.post("/api/rotation/start");
      await untilRotated();
      const previous = (await ada.get<KeyInfo[]>("/api/keys")).slice(1);
      // What cannot be opened now may be under any key.
      const unreadable = join(app.folder, "data/objects/unreadable");
      writeFileSync(unreadable, "no head of an envelope");
      const refused = await ada.send("POST", `/api/keys/${previous[0]?.id}/retire`);
      expect([refused.status, refused.body.code]).to.deep.equal([409, "KEY_USE_UNKNOWN"]);
      rmSync(unreadable);
      for (const { id } of previous) {
        await ada.post(`/api/keys/${id}/retire`);
      }
      expect((await ada.get<FrameList>("/api/frames?label=ROCKET")).total).to.be.greaterThan(2);
      expect((await ada.get<Catalogue>("/api/catalogue")).cameras).to.include("Launch pad");
      await Client.signedIn(app.url);
    });

    it("remembers over a restart how much the last re-encryption moved, and how long it took", async () => {
      const { app, ada } = server;
      await ada.post("/api/rotation/start");
      const saved = async (): Promise<string | undefined> =>
        (await app.database.query<{ state: string }>("SELECT state FROM rotation"))[0]?.state;
      while ((await saved()) !== "done") await delay(20);
      const before = await ada.post<RotationState>("/api/rotation/pause");
      expect(before.total).to.be.greaterThan(100);
      expect(before.workedSeconds).to.be.greaterThan(0);
      await app.restart();
      const after = await ada.at(app.url).post<RotationState>("/api/rotation/pause");
      expect(after).to.include({ state: "done", done: before.total, total: before.total });
      expect(after.workedSeconds).to.be.closeTo(before.workedSeconds, 0.001);
    });

    async function untilRotated(): Promise<void> {
      const { ada } = server;
      for (let tries = 0; tries < 400; tries += 1) {
        const [, ...previous] = await ada.get<KeyInfo[]>("/api/keys");
        if (previous.every(({ values, objects }) => values + objects === 0)) break;
        await delay(50);
      }
      await ada.post("/api/rotation/pause"); // answered once nothing runs any more
    }
  });
}
