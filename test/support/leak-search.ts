// Looks for a marker in everything that a database server keeps: files, write-ahead log, its own log, statistics.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { TestDatabase } from "./postgres.ts";
import { skip } from "./skip.ts";

/** The byte strings under which text could stand somewhere, by encoding. */
export function encodingsOf(marker: string): ReadonlyMap<string, Buffer> {
  const utf8 = Buffer.from(marker);
  const utf16 = Buffer.from(marker, "utf16le");
  const encodings = new Map<string, Buffer>([
    ["UTF-8", utf8],
    ["UTF-16 LE", utf16],
    ["UTF-16 BE", Buffer.from(utf16).swap16()],
    ["hex", Buffer.from(utf8.toString("hex"))],
    ["HEX", Buffer.from(utf8.toString("hex").toUpperCase())],
  ]);
  // Base64 depends on what stands before: three alignments, without the characters that neighbours share.
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), utf8])
      .toString("base64")
      .replaceAll("=", "");
    const clean = text.slice(before === 0 ? 0 : before + 1, -2);
    encodings.set(`base64 at ${before}`, Buffer.from(clean));
  }
  return encodings;
}

/** Skips a test that searches the server, where only the database's tables can be reached. */
export function skipUnlessSearchable(context: Mocha.Context, database: TestDatabase): void {
  if (database.dataDirectory === undefined)
    skip(context, "log, statistics and files of the server of DATABASE_URL are out of reach");
}

/** Makes the server log all it can: every statement, with parameters, also of errors. */
export async function logEverything(database: TestDatabase): Promise<void> {
  if (database.dataDirectory === undefined) return; // nobody could read it here
  const settings = {
    log_statement: "all",
    log_parameter_max_length: "-1",
    log_parameter_max_length_on_error: "-1",
    log_error_verbosity: "verbose",
    log_min_error_statement: "debug5",
  };
  for (const [name, value] of Object.entries(settings)) {
    await database.query(`ALTER DATABASE ${database.name} SET ${name} = '${value}'`);
  }
  await database.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
}

/** Where a marker is found, as "place (encoding)"; empty when nowhere. Of a server of DATABASE_URL only its statistics are seen. */
export async function findInServer(database: TestDatabase, marker: string): Promise<string[]> {
  const isOurs = database.dataDirectory !== undefined;
  const statistics = await database.query(
    `${isOurs ? "SELECT query AS text FROM pg_stat_statements UNION ALL" : ""}
     SELECT most_common_vals::text || coalesce(histogram_bounds::text, '') AS text FROM pg_stats
     UNION ALL SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()`,
  );
  if (isOurs) await database.query("CHECKPOINT");
  const hits = [
    ...findIn("the server's log", Buffer.from(await database.completeServerLog()), marker),
    ...findIn(
      "statistics",
      Buffer.from(statistics.map(({ text }) => String(text)).join("\n")),
      marker,
    ),
  ];
  if (database.dataDirectory === undefined) return hits;
  return [
    ...hits,
    ...filesBelow(database.dataDirectory).flatMap((file) => findIn(file, contentOf(file), marker)),
  ];
}

/** A running server replaces files of its own while others are read: what is gone holds nothing. */
function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

export function findIn(place: string, content: Buffer, marker: string): string[] {
  return [...encodingsOf(marker)].flatMap(([encoding, bytes]) =>
    content.includes(bytes) ? [`${place} (${encoding})`] : [],
  );
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
