// The activity log, and what the log of the server must not hold.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import type { ActivityPage, FrameList, VideoSummary } from "../../web/src/data/contract.ts";
import { Client } from "../client.ts";
import type { AttackedServer } from "./attacked-server.ts";

export function records(server: AttackedServer): void {
  describe("in what it remembers", () => {
    it("logs who watched a clip, once for a sitting, however it was asked for", async () => {
      const { ada, vera } = server;
      const [video] = await vera.get<VideoSummary[]>("/api/videos");
      for (const range of ["bytes=5000-5999", "bytes=0-", "bytes=100-199"]) {
        await vera.send("GET", `/api/videos/${video?.id}/media`, undefined, { range });
      }
      const { entries } = await ada.get<ActivityPage>("/api/activity");
      const watched = entries.filter(({ action }) => action === "video.open");
      expect(watched.map(({ user, detail }) => [user, detail])).to.deep.equal([
        ["Vera", video?.name],
      ]);
    });

    it("logs who took a picture without opening its frame", async () => {
      const { ada, vera } = server;
      const { frames } = await vera.get<FrameList>("/api/frames");
      const last = frames.at(-1);
      await vera.send("GET", `/api/frames/${last?.id}/image`);
      const { entries } = await ada.get<ActivityPage>("/api/activity");
      expect(entries.filter(({ detail }) => detail === last?.name)[0]).to.include({
        user: "Vera",
        action: "frame.picture",
      });
    });

    it("logs experiments on stored values, and failed sign-ins of people it knows", async () => {
      const { app, ada, vera } = server;
      const [row] = await app.database.query<{ id: string }>("SELECT id FROM frame LIMIT 1");
      const cell = { table: "frame", id: row?.id, column: "name" };
      await vera.post("/api/database/flip-byte", cell);
      await vera.post("/api/database/swap", { ...cell, otherId: row?.id });
      const visitor = new Client(app.url);
      await visitor.send("GET", "/api/session");
      await visitor.send("POST", "/api/session", { name: "Vera", password: "wrong" });
      const lastActions = async (): Promise<string[]> => {
        const { entries } = await ada.get<ActivityPage>("/api/activity");
        return entries.slice(0, 3).map(({ action }) => action);
      };
      let actions = await lastActions();
      // A refusal is written after its answer.
      for (let tries = 0; actions[0] !== "session.refused" && tries < 100; tries += 1) {
        await delay(20);
        actions = await lastActions();
      }
      expect(actions).to.deep.equal(["session.refused", "database.swap", "database.flip"]);
    });

    it("has none of it in its log in the clear", async () => {
      const { app, ada } = server;
      await ada.send("GET", "/api/frames?label=Xenophanes&camera=Anaximander");
      await ada.send("PUT", "/api/frames/x/annotations", { note: "Parmenides" });
      await app.database.query("UPDATE frame_review SET version = version");
      const log = readFileSync(join(app.folder, "data/server.log"), "utf8");
      expect(log).to.include("/api/frames");
      for (const word of ["Xenophanes", "Anaximander", "Parmenides", "coffee.jpg", 'annotate"']) {
        expect(log, word).not.to.include(word);
      }
    });
  });
}
