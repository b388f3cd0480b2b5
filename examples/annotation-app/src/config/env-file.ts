// The private .env beside the application: read at start, written only to keep keys. Mode 0600, replaced as a whole.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { parseEnv } from "node:util";
import { ConfigurationError, type Environment } from "./configuration.ts";

/** Empty, a comment, or an assignment, which is what `parseEnv` reads; it passes over anything else without a word. */
const LINE = /^\s*(#.*|(export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=.*)?$/;
/** Longer than any change takes: a lock as old as this was left by a process that was killed. */
const LOCK_MS = 5_000;

export class EnvFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Empty when there is no file. @throws {@link ConfigurationError} when others may read it, or a line says nothing */
  read(): Environment {
    if (!existsSync(this.path)) return {};
    if ((statSync(this.path).mode & 0o077) !== 0 && process.platform !== "win32") {
      throw new ConfigurationError(
        `Others may read ${this.path}, and it may hold keys. Run: chmod 600 ${this.path}`,
      );
    }
    const text = readFileSync(this.path, "utf8");
    const broken = text.split("\n").findIndex((line) => !LINE.test(line));
    if (broken >= 0) {
      throw new ConfigurationError(
        `${this.path}, line ${broken + 1}: this is no NAME=value. Repair or remove the line.`,
      );
    }
    return parseEnv(text);
  }

  /** Runs `change` while no other process that shares the file runs one. */
  async alone<T>(change: () => T | Promise<T>): Promise<T> {
    const lock = `${this.path}.lock`;
    for (; ; await delay(25)) {
      try {
        mkdirSync(lock);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        // By its own age: however long one has waited, it may be that of the process whose turn came before.
        const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
        if (Date.now() - made > LOCK_MS) rmSync(lock, { recursive: true, force: true });
      }
    }
    try {
      return await change();
    } finally {
      rmdirSync(lock);
    }
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
