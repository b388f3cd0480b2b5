// From errors to answers, and to the log. Neither holds a message of a database, a driver or a parser: those quote values.
import { EncryptionError } from "@fieldseal/crypto";
import type { FastifyInstance, FastifyError } from "fastify";
import { z } from "zod";
import { Problem } from "./problem.ts";

export function answerFailures(server: FastifyInstance): void {
  server.setErrorHandler<FastifyError | Error>(async (error, request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500) request.log.error(describe(error), "request failed");
    return reply
      .code(problem.status)
      .header("Cache-Control", "no-store")
      .send({ code: problem.code, message: problem.message });
  });
  server.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).send({ code: "NOT_FOUND", message: "There is nothing at this address." }),
  );
}

function problemOf(error: Error): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof z.ZodError) return invalid(error);
  if (error instanceof EncryptionError) return unreadable(error);
  const { statusCode = 500, code = "FAILED" } = error as Partial<FastifyError>;
  if (statusCode === 413) return new Problem(413, "TOO_LARGE", "This is too large.");
  if (statusCode < 500) return new Problem(statusCode, code, "The request cannot be understood.");
  return new Problem(500, "FAILED", "The server failed. Its log says more.");
}

function invalid({ issues }: z.ZodError): Problem {
  const [first] = issues;
  const where = first?.path.length ? `${first.path.join(".")}: ` : "";
  return new Problem(422, "INVALID", `${where}${first?.message ?? "invalid"}`);
}

/** Where the value stands helps the operator; why it does not open is not said to anyone. */
function unreadable(error: EncryptionError): Problem {
  const { table, column } = error as { readonly table?: unknown; readonly column?: unknown };
  const where =
    typeof table === "string" && typeof column === "string" ? ` (${table}.${column})` : "";
  return new Problem(
    500,
    error.code,
    `A stored value${where} failed authentication: it was changed outside of the application, or its key is missing. ` +
      "Nothing of it is shown.",
  );
}

/** Name, code and stack without the message. */
export function describe(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { kind: typeof error };
  const { code, table, column } = error as unknown as Readonly<Record<string, unknown>>;
  // Cut off behind the message, which may have lines that look like frames.
  const end = (error.stack ?? "").lastIndexOf(error.message) + error.message.length;
  const stack = error.stack
    ?.slice(end)
    .split("\n")
    .filter((line) => /^\s+at /.test(line));
  return { kind: error.name, code, table, column, stack };
}
