// Variables from a file that was named. Never from a .env that happens to lie in the folder: a key of another
// environment would decide what production data is encrypted with.
import { readFileSync, statSync } from "node:fs";
import { parseEnv } from "node:util";
import { EXIT } from "./exit.ts";
import { CommandError } from "./failure.ts";

const OTHERS_MAY_ACCESS = 0o077;

/** @throws {@link CommandError} `CONFIG_FILE` when it cannot be read, or holds a key that others may read */
export function loadDotenv(path: string | undefined): void {
  if (path === undefined) return;
  // Editors on Windows begin a file with a byte order mark, which would be a part of the first name.
  const variables = parseEnv(read(path).replace(/^\uFEFF/, ""));
  const holdsKeys = ["ENCRYPTION_KEY", "ENCRYPTION_PREVIOUS_KEYS"].some((name) => variables[name]);
  // Windows has no such mode bits.
  if (
    holdsKeys &&
    process.platform !== "win32" &&
    (statSync(path).mode & OTHERS_MAY_ACCESS) !== 0
  ) {
    refuse(`${path} holds a key, and others may read it.`, `chmod 600 ${path}`);
  }
  for (const [name, value] of Object.entries(variables)) process.env[name] ??= value;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return refuse(
      `${path} cannot be read (${code}).`,
      "Look at the path given to --dotenv, and its owner.",
    );
  }
}

function refuse(message: string, fix: string): never {
  throw new CommandError("CONFIG_FILE", message, { exitCode: EXIT.configuration, fix });
}
