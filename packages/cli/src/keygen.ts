// A new key: printed once because it was asked for, or in a new file that others cannot read. Or the keys that there are,
// moved from variables into a keyset file.
import {
  generateRootKey,
  Keyring,
  keyringFromEnvironment,
  type KeyWrapper,
} from "@fieldseal/crypto";
import type { FieldsealConfig } from "./config.ts";
import { EXIT } from "./exit.ts";
import { CommandError } from "./failure.ts";
import { writeNew, writeNewKeyset } from "./keyset-file.ts";
import type { Output } from "./output.ts";

export interface KeygenOptions {
  /** A file to write the key to; refused if it exists. */
  readonly out?: string;
  /** A keyset file to make, with the key as its primary. */
  readonly keyset?: string;
  /** As a line of an environment file. */
  readonly env?: boolean;
  /** The keyset's key wrapped by the configured keyWrapper. */
  readonly wrap?: boolean;
  /** The keyset holds the keys of the environment, and no new one. */
  readonly fromEnvironment?: boolean;
}

export async function keygen(
  options: KeygenOptions,
  config: FieldsealConfig | undefined,
  output: Output,
): Promise<number> {
  refuseMixed(options);
  const { out, keyset, env = false, wrap = false, fromEnvironment = false } = options;
  const wrapper = wrap ? requireWrapper(config) : undefined;
  if (keyset !== undefined && fromEnvironment) return importKeys(keyset, wrapper, output);
  const key = generateRootKey();
  const keyring = Keyring.fromKey(key);
  const { id } = keyring.primary;
  const text = env ? `ENCRYPTION_KEY=${key}` : key;
  const path = out ?? keyset;
  if (path === undefined) {
    output.line(text);
    output.note(`Key ${id}. It is shown this once; without it nothing opens.`);
    output.json({ id, key });
    return EXIT.ok;
  }
  if (keyset === undefined) writeNew(path, `${text}\n`);
  else await writeNewKeyset(path, { keyring, wrapper, createdAt: new Date() });
  output.line(
    `Key ${id} was written to ${path} (mode 0600). Keep a copy apart from the data: without it nothing opens.`,
  );
  output.json({ id, path });
  return EXIT.ok;
}

/** From variables to a keyset: the same keys and ids, so that nothing has to be encrypted anew. */
async function importKeys(
  path: string,
  wrapper: KeyWrapper | undefined,
  output: Output,
): Promise<number> {
  const variables = VARIABLES.filter((name) => process.env[name]?.trim());
  if (wrapper === undefined && variables.includes("ENCRYPTION_KEYSET_FILE")) {
    refuse(
      "The keys of ENCRYPTION_KEYSET_FILE stand in a keyset already.",
      "Copy that file; or have its keys wrapped: --wrap.",
    );
  }
  const keyring = keyringFromEnvironment();
  await writeNewKeyset(path, { keyring, wrapper });
  const keys = keyring.keys.map(({ id, status }) => ({ id, status }));
  output.table([["key", "status"], ...keys.map(({ id, status }) => [id, status])]);
  const next =
    wrapper === undefined
      ? `set ENCRYPTION_KEYSET_FILE=${path}`
      : "load it with wrappedKeysetSource";
  output.line(
    `Written to ${path} (mode 0600). Now ${next}, take out ${variables.join(" and ")}, and deploy. Nothing is to be encrypted anew.`,
  );
  output.json({ id: keyring.primary.id, path, keys });
  return EXIT.ok;
}

const VARIABLES = [
  "ENCRYPTION_KEY",
  "ENCRYPTION_KEY_FILE",
  "ENCRYPTION_PREVIOUS_KEYS",
  "ENCRYPTION_KEYSET_FILE",
];

function refuseMixed({ out, keyset, env = false, wrap, fromEnvironment }: KeygenOptions): void {
  if (keyset !== undefined && (out !== undefined || env)) {
    refuse("--keyset makes a file of its own.", "Leave out --out and --env.");
  }
  if (keyset !== undefined) return;
  const [option] = [
    ...(wrap ? ["--wrap"] : []),
    ...(fromEnvironment ? ["--from-environment"] : []),
  ];
  if (option !== undefined) refuse(`${option} is for keysets.`, "Add --keyset <file>.");
}

function requireWrapper(config: FieldsealConfig | undefined): KeyWrapper {
  return (
    config?.keyWrapper ??
    refuse(
      "--wrap needs a service that wraps keys.",
      "Name it: keyWrapper in the configuration file.",
    )
  );
}

function refuse(message: string, fix: string): never {
  throw new CommandError("USAGE", message, { exitCode: EXIT.usage, fix });
}
