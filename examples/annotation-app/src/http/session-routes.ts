import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Models } from "../database/models.ts";
import type { Session } from "../../web/src/data/contract.ts";
import { authenticate, DEMO_ACCOUNTS } from "./accounts.ts";
import { type GuardOptions, setVisitor } from "./guard.ts";
import { Problem } from "./problem.ts";
import { csrfTokenOf, type Visitor } from "./sessions.ts";
import { SignInLimit } from "./sign-in-limit.ts";

const Credentials = z.object({ name: z.string().max(200), password: z.string().max(1000) });

export interface SessionRouteOptions extends GuardOptions {
  readonly models: Models;
  readonly record: (user: string, action: string, text: string) => Promise<void>;
}

export function sessionRoutes(server: FastifyInstance, options: SessionRouteOptions): void {
  const { models, sessions, record, isProduction } = options;
  const limit = new SignInLimit();
  const answer = (visitor: Visitor): Session => ({
    user: visitor.user,
    csrfToken: csrfTokenOf(visitor),
    demoAccounts: isProduction ? [] : DEMO_ACCOUNTS,
  });
  const config = { needs: "nobody" } as const;

  server.get("/api/session", { config }, ({ visitor }) => answer(visitor));

  server.post("/api/session", { config }, async (request, reply) => {
    const { name, password } = Credentials.parse(request.body);
    limit.check(name);
    const account = await authenticate(models, name, password);
    if (!account) {
      limit.countFailure(name);
      throw new Problem(401, "CREDENTIALS", "This name and password do not belong together.");
    }
    limit.forget(name);
    setVisitor(request, reply, await sessions.open(account), options);
    await record(account.name, "session.start", "Signed in");
    return answer(request.visitor);
  });

  server.delete("/api/session", { config }, async (request, reply) => {
    const { user } = request.visitor;
    setVisitor(request, reply, await sessions.end(request.visitor), options);
    if (user) await record(user.name, "session.end", "Signed out");
    return answer(request.visitor);
  });
}
