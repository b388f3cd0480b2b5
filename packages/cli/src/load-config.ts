// Finding and loading the configuration file, and what is said when that fails: the user's file and line, not ours.
import { existsSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { EncryptionError } from "@fieldseal/crypto";
import type { FieldsealConfig } from "./config.ts";
import { EXIT } from "./exit.ts";
import { CommandError } from "./failure.ts";

const NAMES = ["ts", "mts", "mjs", "js"].map((extension) => `fieldseal.config.${extension}`);
const OPTIONS: readonly string[] = [
  "columns",
  "sources",
  "previous",
  "databaseUrl",
  "storage",
  "keys",
  "keyWrapper",
  "close",
] satisfies readonly (keyof FieldsealConfig)[];

const EXAMPLE =
  'Write fieldseal.config.ts, for example: import { encryptedColumns } from "@fieldseal/sequelize"; ' +
  'import { sequelize } from "./db.ts"; export default { columns: () => encryptedColumns(sequelize) };';

/** The file that would be loaded; undefined when there is none here. */
export function findConfig(path: string | undefined): string | undefined {
  return path ?? NAMES.find((name) => existsSync(name));
}

/** @throws {@link CommandError} `CONFIG_FILE` when there is no usable configuration */
export async function loadConfig(path: string | undefined): Promise<FieldsealConfig> {
  const file = findConfig(path);
  if (file === undefined)
    refuse(
      "There is no configuration file in this folder.",
      `${EXAMPLE} Or name one: --config <file>`,
    );
  if (!existsSync(file)) refuse(`${file} does not exist.`, "Correct the path given to --config.");
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as typeof module;
  } catch (error) {
    throw explainImport(error, file);
  }
  const config = module.default;
  if (typeof config !== "object" || config === null) {
    refuse(`${file} has no default export of an object.`, EXAMPLE);
  }
  checkOptions(config as Record<string, unknown>, file);
  return config;
}

function checkOptions(config: Record<string, unknown>, file: string): void {
  const unknown = Object.keys(config).filter((name) => !OPTIONS.includes(name));
  if (unknown.length > 0) {
    refuse(
      `${file} has an unknown option: ${unknown.join(", ")}.`,
      `It takes ${OPTIONS.join(", ")}.`,
    );
  }
  const { columns, storage } = config;
  if (columns === undefined && storage === undefined) {
    refuse(`${file} names neither columns nor a storage.`, EXAMPLE);
  }
  if (columns !== undefined && !Array.isArray(columns) && typeof columns !== "function") {
    refuse(`${file}: columns must be an array, or a function that gives one.`, EXAMPLE);
  }
}

/** Errors of Fieldseal stay what they are; others are told with the place in the user's own code. */
export function explainConfigCode(error: unknown, what: string, fix?: string): unknown {
  const isDriver = typeof (error as { code?: unknown } | null)?.code === "string";
  if (error instanceof EncryptionError || error instanceof CommandError || isDriver) return error;
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const at = ownPlace(stack);
  return new CommandError("CONFIG_FILE", `${what} threw ${name}: ${message}${at && ` (${at})`}`, {
    exitCode: EXIT.configuration,
    fix,
  });
}

function explainImport(error: unknown, file: string): unknown {
  const { code, message, stack } = error as NodeJS.ErrnoException;
  const known = IMPORT_ERRORS.find(([pattern]) => pattern.test(code ?? message ?? ""));
  if (known === undefined && !(error instanceof SyntaxError)) {
    return explainConfigCode(
      error,
      file,
      `Correct it there; "node ${file}" shows the whole stack.`,
    );
  }
  // A syntax error's stack begins with the place, "/app/models.ts:12", where Node knows it.
  const [place = ""] = /^(?:file:\/\/|\/|[A-Z]:)[^\n]+:\d+$/m.exec(stack ?? "") ?? [];
  const where = place === "" ? file : shorten(place);
  const text = `${where}: ${(message ?? "").replaceAll(`${process.cwd()}/`, "").split("\n", 1)[0]}`;
  return new CommandError("CONFIG_FILE", text, {
    exitCode: EXIT.configuration,
    fix: known?.[1] ?? `"node ${file}" shows the line, in it or in what it imports.`,
  });
}

const IMPORT_ERRORS: readonly (readonly [RegExp, string])[] = [
  [
    /^ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX$/,
    "Node strips types only. For enums, decorators and the like load the compiled files, or start with " +
      "NODE_OPTIONS='--import tsx'.",
  ],
  [/^ERR_UNKNOWN_FILE_EXTENSION$/, "TypeScript needs Node 22.18 or later; or write a .mjs file."],
  [
    /^ERR_(?:MODULE_NOT_FOUND|UNSUPPORTED_DIR_IMPORT)$/,
    "Is the package installed? Imports of files need the extension: ./db.ts",
  ],
  [/^ERR_INVALID_TYPESCRIPT_SYNTAX$/, "Correct the syntax there."],
  [
    /outside a module|Unexpected token 'export'/,
    "package.json says commonjs: call the file fieldseal.config.mts or .mjs.",
  ],
];

/** The first place outside of Node and of packages. */
function ownPlace(stack = ""): string {
  const places = stack.matchAll(/(?:file:\/\/[^\s)]+|\/[^\s():]+):\d+:\d+/g);
  const own = [...places].map(([place]) => place).find((place) => !place.includes("node_modules"));
  return own === undefined ? "" : shorten(own);
}

function shorten(place: string): string {
  const [, path = place, line = ""] = /^(.*?)((?::\d+)+)$/.exec(place) ?? [];
  const plain = path.startsWith("file://") ? fileURLToPath(path) : path;
  const near = relative(process.cwd(), plain);
  return `${near.startsWith("..") ? plain : near}${line}`;
}

function refuse(message: string, fix: string): never {
  throw new CommandError("CONFIG_FILE", message, { exitCode: EXIT.configuration, fix });
}
