// What goes over the wire, written down where every ORM hands it to `pg`: an ORM's own log leaves out or redacts.
import type pg from "pg";

interface Query {
  readonly text?: string;
  readonly values?: readonly unknown[];
}

/** A list that grows by each statement, with its parameters, that clients of these copies of `pg` send from now on. */
export function recordStatements(
  ...drivers: readonly Pick<typeof pg, "Client">[]
): readonly string[] {
  const sent: string[] = [];
  for (const { Client } of drivers) {
    const { prototype } = Client as unknown as { prototype: { query(...all: unknown[]): unknown } };
    const { query } = prototype;
    prototype.query = function record(this: unknown, ...all: unknown[]): unknown {
      const [first, second] = all as [string | Query, unknown];
      const { text = "", values } = typeof first === "string" ? { text: first } : first;
      const parameters = Array.isArray(second) ? second : (values ?? []);
      sent.push([text, ...parameters.map(shown)].join("\n"));
      return query.apply(this, all);
    };
  }
  return sent;
}

function shown(parameter: unknown): string {
  if (parameter instanceof Uint8Array) return Buffer.from(parameter).toString("hex");
  if (typeof parameter === "bigint") return String(parameter);
  return typeof parameter === "string" ? parameter : JSON.stringify(parameter);
}
