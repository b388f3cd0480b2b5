// A folder with a configuration and a database of its own, in which the command is started as a user starts it.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WriteStream } from "node:tty";
import { fileURLToPath } from "node:url";
import { configure, generateRootKey, Keyring } from "@fieldseal/crypto";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { run } from "../src/program.ts";

const command = fileURLToPath(new URL("../src/fieldseal.ts", import.meta.url));
const NODE = ["--conditions=@fieldseal/source", "--no-warnings", command];
/** For configurations: the packages lie elsewhere than their folder. */
export const specifier = (name: string): string => JSON.stringify(import.meta.resolve(name));

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Environment {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** Within this process: a terminal of so many columns. Defaults to a pipe. */
  readonly columns?: number;
}

export interface Project {
  readonly database: TestDatabase;
  readonly folder: string;
  readonly key: string;
  readonly keyring: Keyring;
  /** All that was printed so far. */
  readonly printed: string[];
  path(name: string): string;
  write(name: string, content: string): void;
  fieldseal(parameters: readonly string[], environment?: Environment): Promise<Result>;
  /** The same within this process: faster, and one after the other. */
  run(parameters: readonly string[], environment?: Omit<Environment, "input">): Promise<Result>;
  /** For signals and pipes. */
  start(parameters: readonly string[], environment?: Environment): ChildProcess;
  remove(): Promise<void>;
}

/** The configuration of one text column that still takes plaintext: users.email. */
export const USERS_CONFIG = `
import { ColumnCipher, textCodec } from ${specifier("@fieldseal/crypto")};
const cipher = new ColumnCipher({ codec: textCodec, label: "User.email",
  options: { plaintext: "accept" }, defaultContext: { table: "users", column: "email" } });
export const columns = [{ model: "User", field: "email", schema: undefined, table: "users",
  column: "email", primaryKey: ["id"], isNullable: true, cipher }];
export default { columns: () => columns };
`;

export async function createProject(): Promise<Project> {
  const database = await createTestDatabase({ name: "cli" });
  const folder = mkdtempSync(join(tmpdir(), "fieldseal-"));
  const key = generateRootKey();
  const printed: string[] = [];
  const environmentOf = (env: Environment["env"] = {}): NodeJS.ProcessEnv => ({
    PATH: process.env.PATH,
    DATABASE_URL: database.url,
    ENCRYPTION_KEY: key,
    ...env,
  });
  const path = (name: string): string => join(folder, name);
  return {
    database,
    folder,
    key,
    keyring: Keyring.fromKey(key),
    printed,
    path,
    write: (name, content) => writeFileSync(path(name), content, { mode: 0o600 }),
    fieldseal: (parameters, { env, input = "" } = {}) =>
      new Promise((resolve) => {
        const options = { cwd: folder, env: environmentOf(env) };
        const end = (error: Error | null, out: string, err: string): void => {
          printed.push(out, err);
          const { code = 0 } = (error ?? {}) as { readonly code?: number };
          resolve({ code, out, err });
        };
        execFile(process.execPath, [...NODE, ...parameters], options, end).stdin!.end(input);
      }),
    run: async (parameters, { env, columns } = {}) => {
      const here = { folder, env: environmentOf(env), columns };
      const result = await runHere(parameters, here);
      printed.push(result.out, result.err);
      return result;
    },
    start: (parameters, { env } = {}) =>
      spawn(process.execPath, [...NODE, ...parameters], { cwd: folder, env: environmentOf(env) }),
    remove: async () => {
      rmSync(folder, { recursive: true });
      await database.drop();
    },
  };
}

/** The command's function, with what it writes caught, and with the environment that a process would have. */
async function runHere(
  parameters: readonly string[],
  {
    folder,
    env,
    columns,
  }: {
    readonly folder: string;
    readonly env: NodeJS.ProcessEnv;
    readonly columns: number | undefined;
  },
): Promise<Result> {
  const before = { env: process.env, folder: process.cwd() };
  const text = { stdout: "", stderr: "" };
  const writes = (["stdout", "stderr"] as const).map((name) => {
    const stream = process[name];
    const { write, isTTY, columns: width } = stream;
    // Standard error stays a pipe: a progress bar moves the cursor of a terminal.
    if (name === "stdout") {
      const getColorDepth = (): number => WriteStream.prototype.getColorDepth.call(stream);
      Object.assign(stream, { isTTY: columns !== undefined, columns, getColorDepth });
    }
    stream.write = (chunk: unknown) => {
      text[name] += String(chunk);
      return true;
    };
    return () => Object.assign(stream, { write, isTTY, columns: width });
  });
  configure({ keyring: undefined }); // read from the environment anew
  process.env = env;
  process.chdir(folder);
  try {
    const code = await run(parameters);
    return { code, out: text.stdout, err: text.stderr };
  } finally {
    process.chdir(before.folder);
    process.env = before.env;
    configure({ keyring: undefined });
    for (const restore of writes) restore();
  }
}

export function json({ out }: Result): unknown {
  return JSON.parse(out);
}
