// The private .env beside the application: read at start, written only to keep keys. Mode 0600, replaced as a whole.
import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { ConfigurationError, type Environment } from "./configuration.ts";

export class EnvFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Empty when there is no file. @throws {@link ConfigurationError} when others may read it */
  read(): Environment {
    if (!existsSync(this.path)) return {};
    if ((statSync(this.path).mode & 0o077) !== 0 && process.platform !== "win32") {
      throw new ConfigurationError(
        `Others may read ${this.path}, and it may hold keys. Run: chmod 600 ${this.path}`,
      );
    }
    return parseEnv(readFileSync(this.path, "utf8"));
  }

  /** Sets these variables and keeps every other line; an empty value takes the variable out. */
  set(variables: Readonly<Record<string, string>>): void {
    const text = existsSync(this.path) ? readFileSync(this.path, "utf8") : "";
    const kept = text.split("\n").filter((line) => !Object.keys(variables).includes(nameOf(line)));
    while (kept.at(-1) === "") kept.pop();
    const added = Object.entries(variables)
      .filter(([, value]) => value !== "")
      .map(([name, value]) => `${name}=${value}`);
    const scratch = `${this.path}.${process.pid}.tmp`;
    writeFileSync(scratch, `${[...kept, ...added].join("\n")}\n`, { mode: 0o600, flush: true });
    chmodSync(scratch, 0o600);
    renameSync(scratch, this.path);
  }
}

function nameOf(line: string): string {
  return line.split("=")[0]?.trim() ?? "";
}
