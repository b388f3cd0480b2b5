// The application as a command of its own, as people start it: a process group, a folder, what it said.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Environment } from "../src/config/configuration.ts";

const ROOT = join(import.meta.dirname, "../../..");
const START = join(import.meta.dirname, "../src/start.ts");

/** Where a started application keeps its .env and its data. */
export class CommandFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<CommandFolder> {
    const path = await mkdtemp(join(tmpdir(), "fieldseal-start-"));
    // The user that PostgreSQL runs as, when root starts it, must get through.
    await chmod(path, 0o711);
    return new CommandFolder(path);
  }

  get envFile(): string {
    return join(this.path, ".env");
  }

  get data(): string {
    return join(this.path, "data");
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export class StartedCommand {
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  #said = "";

  /** @param by `npm` as in the README; `node` where only the application itself is of interest */
  constructor(folder: CommandFolder, environment: Environment = {}, by: "npm" | "node" = "node") {
    const [command, ...parameters] =
      by === "npm" ? ["npm", "start"] : [process.execPath, "--conditions=@fieldseal/source", START];
    const { PATH, HOME } = process.env;
    this.#process = spawn(command ?? "", parameters, {
      cwd: ROOT,
      env: {
        PATH,
        HOME,
        // Compiled once for all starts of a test run: half of what a start takes.
        NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/compiled"),
        ENV_FILE: folder.envFile,
        DATA_DIRECTORY: folder.data,
        PORT: "0",
        ...environment,
      },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.#said += chunk.toString()));
    }
    this.#ended = new Promise((resolve) => this.#process.once("close", resolve));
  }

  get said(): string {
    return this.#said;
  }

  /** The address that it prints once everything is ready. */
  async url(): Promise<string> {
    return (await this.untilItSays(/is at (http:\S+)/))[1] ?? "";
  }

  async untilItSays(pattern: RegExp): Promise<RegExpExecArray> {
    let isOver = false;
    void this.#ended.then(() => (isOver = true));
    for (;;) {
      const found = pattern.exec(this.#said);
      if (found) return found;
      if (isOver) throw new Error(`It ended without saying ${pattern}:\n${this.#said}`);
      await delay(20);
    }
  }

  /** @returns the exit code; null when a signal ended it */
  end(): Promise<number | null> {
    return this.#ended;
  }

  /** As a terminal does on Ctrl-C: every process of the group gets it. */
  interrupt(signal: NodeJS.Signals = "SIGINT"): void {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, signal);
  }

  /** As a supervisor does: only the process that was started gets it. */
  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Command lines of the processes that are left of it: of its group, and of its database. */
  left(folder: CommandFolder): string[] {
    const { stdout } = spawnSync("ps", ["-eo", "pgid=,args="], { encoding: "utf8" });
    const group = String(this.#process.pid);
    return stdout
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line.startsWith(`${group} `) || line.includes(folder.path));
  }

  /** Waits for the last process to be gone. */
  async untilGone(folder: CommandFolder): Promise<void> {
    for (let tries = 0; this.left(folder).length > 0; tries += 1) {
      if (tries > 400) throw new Error(`Still there:\n${this.left(folder).join("\n")}`);
      await delay(25);
    }
  }
}
