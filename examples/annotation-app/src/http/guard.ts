// What each request must pass before its handler: a known Host, a session, the token against cross-site requests, a role.
import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Role } from "./accounts.ts";
import { Problem } from "./problem.ts";
import { csrfTokenOf, type Sessions, type Visitor } from "./sessions.ts";

declare module "fastify" {
  interface FastifyRequest {
    visitor: Visitor;
  }
  interface FastifyContextConfig {
    /** Defaults to "viewer": anybody who is signed in. */
    readonly needs?: Role | "nobody";
  }
}

export interface GuardOptions {
  readonly sessions: Sessions;
  readonly isProduction: boolean;
  readonly publicOrigins: readonly string[];
}

const LOCAL_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function guard(server: FastifyInstance, options: GuardOptions): void {
  const { sessions, publicOrigins } = options;
  const publicHosts = new Set(publicOrigins.map((origin) => new URL(origin).host));
  server.decorateRequest("visitor");
  server.addHook("onRequest", async (request, reply) => {
    refuseForeignHost(request, publicHosts);
    if (!isOfApi(request)) return;
    const cookie = request.cookies[cookieName(options)];
    request.visitor = await sessions.visitorOf(cookie);
    if (cookie !== request.visitor.token) setVisitor(request, reply, request.visitor, options);
    if (request.method !== "GET" && request.method !== "HEAD") refuseCrossSite(request);
    refuseRole(request);
  });
}

/** By the route that was found, never by the address: "/%61pi/frames" is an address of the same route. */
export function isOfApi({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.url?.startsWith("/api/") === true;
}

/** Puts the visitor into the cookie, after signing in and out. */
export function setVisitor(
  request: FastifyRequest,
  reply: FastifyReply,
  visitor: Visitor,
  options: GuardOptions,
): void {
  request.visitor = visitor;
  void reply.setCookie(cookieName(options), visitor.token, {
    path: "/",
    httpOnly: true,
    sameSite: "strict",
    secure: options.isProduction,
    ...(visitor.user ? { maxAge: options.sessions.maxAgeSeconds } : {}),
  });
}

/** The prefix makes browsers insist on Secure, path "/" and this very host. */
function cookieName({ isProduction }: GuardOptions): string {
  return isProduction ? "__Host-session" : "session";
}

/** A foreign name that points to this machine (DNS rebinding) would make a foreign page same-origin. */
function refuseForeignHost(request: FastifyRequest, publicHosts: ReadonlySet<string>): void {
  const { host = "" } = request.headers;
  const isKnown = LOCAL_NAMES.has(nameOf(host)) || publicHosts.has(host);
  if (isKnown) return;
  throw new Problem(
    421,
    "FOREIGN_HOST",
    "This server does not answer under this name. Set PUBLIC_ORIGINS.",
  );
}

function nameOf(host: string): string {
  return host.replace(/:\d+$/, "");
}

function refuseCrossSite(request: FastifyRequest): void {
  const { origin } = request.headers;
  const isForeign = origin !== undefined && hostOf(origin) !== request.host;
  const given = request.headers["x-csrf-token"];
  const expected = Buffer.from(csrfTokenOf(request.visitor));
  const actual = Buffer.from(typeof given === "string" ? given : "");
  const fits = actual.length === expected.length && timingSafeEqual(actual, expected);
  if (isForeign || !fits) {
    throw new Problem(
      403,
      "CROSS_SITE",
      "The request did not come from this page. Reload it and try again.",
    );
  }
}

function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : "";
}

function refuseRole({ visitor, routeOptions }: FastifyRequest): void {
  const needs = routeOptions.config.needs ?? "viewer";
  if (needs === "nobody") return;
  if (!visitor.user) throw new Problem(401, "SIGNED_OUT", "Sign in to go on.");
  if (needs === "annotator" && visitor.user.role !== "annotator") {
    throw new Problem(403, "ROLE", "Viewers change nothing. Sign in as an annotator.");
  }
}

/** The user of a route that needs one. */
export function userOf({ visitor }: FastifyRequest): string {
  if (!visitor.user) throw new Problem(401, "SIGNED_OUT", "Sign in to go on.");
  return visitor.user.name;
}
