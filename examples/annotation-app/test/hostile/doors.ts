// Sessions, roles, paths, names and passwords: who gets in, and where.
import { request as rawRequest } from "node:http";
import { expect } from "chai";
import { Client } from "../client.ts";
import type { AttackedServer } from "./attacked-server.ts";

const UUID = "00000000-0000-4000-8000-000000000000";
/** Every route, with who may use it. */
const ROUTES: readonly (readonly [string, string, "viewer" | "annotator"])[] = [
  ["GET", "/api/catalogue", "viewer"],
  ["GET", "/api/frames", "viewer"],
  ["GET", `/api/frames/${UUID}`, "viewer"],
  ["GET", `/api/frames/${UUID}/image`, "viewer"],
  ["GET", `/api/frames/${UUID}/thumbnail`, "viewer"],
  ["GET", "/api/videos", "viewer"],
  ["GET", `/api/videos/${UUID}/events`, "viewer"],
  ["GET", `/api/videos/${UUID}/media`, "viewer"],
  ["GET", "/api/activity", "viewer"],
  ["GET", "/api/database/tables", "viewer"],
  ["GET", "/api/database/rows?table=frame", "viewer"],
  ["GET", "/api/keys", "viewer"],
  ["GET", "/api/export/coco", "viewer"],
  ["GET", "/api/export/yolo", "viewer"],
  ["POST", "/api/database/flip-byte", "viewer"],
  ["POST", "/api/database/swap", "viewer"],
  ["PUT", `/api/frames/${UUID}/annotations`, "annotator"],
  ["POST", "/api/uploads", "annotator"],
  ["POST", "/api/keys", "annotator"],
  ["POST", "/api/keys/0badc0de/retire", "annotator"],
  ["POST", "/api/rotation/start", "annotator"],
  ["POST", "/api/import/coco", "annotator"],
];

/** A request as it is, without the tidying of paths that `fetch` does. */
function raw(base: string, path: string, headers: Record<string, string> = {}): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path, headers, setHost: headers.host !== "" };
    if (headers.host === "") delete headers.host;
    const request = rawRequest(options, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    request.on("error", reject).end();
  });
}

export function doors(server: AttackedServer): void {
  describe("at its doors", () => {
    it("asks for a session at every route, and for an annotator where something changes", async () => {
      const { app, vera } = server;
      const visitor = new Client(app.url);
      await visitor.send("GET", "/api/session");
      for (const [method, path, role] of ROUTES) {
        expect((await visitor.send(method, path)).status, `${method} ${path}`).to.equal(401);
        const { status, headers } = await vera.send(method, path);
        const isRefused = status === 403;
        expect(isRefused, `viewer: ${method} ${path}: ${status}`).to.equal(role === "annotator");
        expect(headers.get("cache-control"), path).to.equal("no-store");
      }
    });

    it("is not walked around by another spelling of a path", async () => {
      const { app } = server;
      for (const path of [
        "/%61pi/frames",
        "/api%2Fframes",
        "//api/frames",
        "/API/frames",
        "/./api/frames",
        "/x/../api/frames",
        "/api/./frames",
        "/%2561pi/frames",
        "/;/api/frames",
      ]) {
        expect(await raw(app.url, path), path).to.match(/^(401|404|400|403) (?!.*coffee)/s);
      }
    });

    it("serves no file but the built pages", async () => {
      const { app } = server;
      for (const path of [
        "/.env",
        "/../.env",
        "/..%2f..%2f.env",
        "/assets/..%2f..%2f..%2fpackage.json",
        "/%00",
      ]) {
        expect(await raw(app.url, path), path).to.match(/^(400|403|404) (?!.*ENCRYPTION)/s);
      }
    });

    it("answers under no foreign name, and to no request without one", async () => {
      const { app } = server;
      const port = new URL(app.url).port;
      expect(await raw(app.url, "/api/session", { host: `evil.example:${port}` })).to.match(/^421/);
      expect(await raw(app.url, "/api/session", { host: "" })).to.match(/^4\d\d /);
    });

    it("counts guesses that are made at the same moment", async () => {
      const { app } = server;
      const guesser = new Client(app.url);
      await guesser.send("GET", "/api/session");
      const guess = async (): Promise<number> =>
        (await guesser.send("POST", "/api/session", { name: "Mallory", password: "x" })).status;
      const statuses = await Promise.all(Array.from({ length: 40 }, guess));
      expect(statuses.filter((status) => status === 401).length).to.be.at.most(10);
      expect(new Set(statuses)).to.deep.equal(new Set([401, 429]));
    });

    it("keeps one who guesses with many names from taking all memory and time", async () => {
      const { app } = server;
      const guesser = new Client(app.url);
      await guesser.send("GET", "/api/session");
      const guess = async (_: unknown, i: number): Promise<number> =>
        (await guesser.send("POST", "/api/session", { name: `Mallory ${i}`, password: "x" }))
          .status;
      const statuses = await Promise.all(Array.from({ length: 40 }, guess));
      expect(statuses).to.include(429);
      await Client.signedIn(app.url);
    });

    it("sets a cookie that scripts and other sites cannot use, and a new one at sign-in", async () => {
      const { app } = server;
      const visitor = new Client(app.url);
      const before = await visitor.send("GET", "/api/session");
      const first = before.headers.getSetCookie()[0] ?? "";
      expect(first)
        .to.match(/HttpOnly/)
        .and.match(/SameSite=Strict/);
      const after = await visitor.send("POST", "/api/session", {
        name: "Ada",
        password: "annotate",
      });
      expect(after.headers.getSetCookie()[0]?.split(";")[0]).not.to.equal(first.split(";")[0]);
    });
  });
}
