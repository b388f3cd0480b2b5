// The pages: built by Vite when they are older than their sources, and served as static files.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

const FOLDER = join(import.meta.dirname, "../..");
const SOURCES = join(FOLDER, "web");
const BUILT = join(FOLDER, "dist/web");

/** @returns whether there was anything to do */
export async function buildPages(): Promise<boolean> {
  const index = join(BUILT, "index.html");
  if (existsSync(index) && statSync(index).mtimeMs > newestIn(SOURCES)) return false;
  // Only now: it takes longer to load than to see that there is nothing to do.
  const { build } = await import("vite");
  await build({ configFile: join(SOURCES, "vite.config.ts"), logLevel: "error" });
  return true;
}

export async function servePages(server: FastifyInstance): Promise<void> {
  await server.register(fastifyStatic, {
    root: BUILT,
    // Names of built files change with their contents; index.html names them.
    setHeaders: (reply, path) => {
      const isNamedByContent = path.includes("/assets/");
      void reply.header(
        "Cache-Control",
        isNamedByContent ? "public, max-age=31536000, immutable" : "no-cache",
      );
    },
  });
}

function newestIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith("test"))
    .reduce((newest, name) => Math.max(newest, statSync(join(folder, name)).mtimeMs), 0);
}
