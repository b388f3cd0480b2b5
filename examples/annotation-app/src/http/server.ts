// The HTTP server that all services share: headers, limits, sessions, log. Routes come from the services.
import { createWriteStream, type WriteStream } from "node:fs";
import { join } from "node:path";
import cookie from "@fastify/cookie";
import { fastify, type FastifyInstance } from "fastify";
import type { Configuration } from "../config/configuration.ts";
import { answerFailures } from "./failures.ts";
import { guard, type GuardOptions, isOfApi } from "./guard.ts";

/** Nothing inline, nothing from elsewhere, no frame around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "media-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

const BODY_LIMIT_BYTES = 16 * 1024 * 1024;

export async function createServer(
  configuration: Configuration,
  guardOptions: GuardOptions,
): Promise<FastifyInstance> {
  const path = join(configuration.dataDirectory, "server.log");
  const server = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    logger: {
      level: configuration.logLevel,
      stream: logTo(path),
      // Paths only: what people look for stands in the query. Addresses of persons are left out.
      serializers: { req: ({ method, url }) => ({ method, path: url.split("?")[0] }) },
    },
  });
  server.addHook("onRequest", async (request, reply) => {
    void reply.headers(HEADERS);
    if (isOfApi(request)) void reply.header("Cache-Control", "no-store");
    if (configuration.isProduction) {
      void reply.header("Strict-Transport-Security", "max-age=31536000");
    }
  });
  answerFailures(server);
  await server.register(cookie);
  guard(server, guardOptions);
  return server;
}

/** An error that nobody hears would end the process: a full disk must not take the server down with its log. */
function logTo(path: string): WriteStream {
  const log = createWriteStream(path, { flags: "a", mode: 0o600 });
  log.on("error", ({ code }: NodeJS.ErrnoException) =>
    process.emitWarning(`${path} is not written until the next start (${code}).`),
  );
  return log;
}
