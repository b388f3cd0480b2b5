import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Models } from "../database/models.ts";
import type { Session } from "../../web/src/data/contract.ts";
import { authenticate, DEMO_ACCOUNTS, isAccount } from "./accounts.ts";
import { describe } from "./failures.ts";
import { type GuardOptions, setVisitor } from "./guard.ts";
import { plainText } from "./plain-text.ts";
import { Problem } from "./problem.ts";
import { csrfTokenOf, type Visitor } from "./sessions.ts";
import { SignInLimit } from "./sign-in-limit.ts";

const Credentials = z.object({ name: plainText(200), password: plainText(1000) });

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
  const recordRefusal = async (name: string): Promise<void> => {
    if (await isAccount(models, name)) await record(name, "session.refused", "Wrong password");
  };
  const config = { needs: "nobody" } as const;

  server.get("/api/session", { config }, ({ visitor }) => answer(visitor));

  server.post("/api/session", { config }, async (request, reply) => {
    const { name, password } = Credentials.parse(request.body);
    const account = await limit.limit(name, () => authenticate(models, name, password));
    if (!account) {
      // Not waited for: how long an answer takes must not tell which names there are.
      void recordRefusal(name).catch((error: unknown) =>
        request.log.error(describe(error), "a refused sign-in was not recorded"),
      );
      throw new Problem(401, "CREDENTIALS", "This name and password do not belong together.");
    }
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
