// A new key: printed once because it was asked for, or in a new file that others cannot read.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
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
}

export async function keygen(
  { out, keyset, env = false, wrap = false }: KeygenOptions,
  config: FieldsealConfig | undefined,
  output: Output,
): Promise<number> {
  if (keyset !== undefined && (out !== undefined || env)) {
    refuse("--keyset makes a file of its own.", "Leave out --out and --env.");
  }
  if (wrap && keyset === undefined)
    refuse("Only keysets hold wrapped keys.", "Add --keyset <file>.");
  const wrapper = config?.keyWrapper;
  if (wrap && wrapper === undefined) {
    refuse(
      "--wrap needs a service that wraps keys.",
      "Name it: keyWrapper in the configuration file.",
    );
  }
  const key = generateRootKey();
  const { id } = Keyring.fromKey(key).primary;
  const text = env ? `ENCRYPTION_KEY=${key}` : key;
  const path = out ?? keyset;
  if (path === undefined) {
    output.line(text);
    output.note(`Key ${id}. It is shown this once; without it nothing opens.`);
    output.json({ id, key });
    return EXIT.ok;
  }
  if (keyset === undefined) writeNew(path, `${text}\n`);
  else await writeNewKeyset(path, { key, wrapper: wrap ? wrapper : undefined });
  output.line(
    `Key ${id} was written to ${path} (mode 0600). Keep a copy apart from the data: without it nothing opens.`,
  );
  output.json({ id, path });
  return EXIT.ok;
}

function refuse(message: string, fix: string): never {
  throw new CommandError("USAGE", message, { exitCode: EXIT.usage, fix });
}
