// keys list, add, promote, retire. Bytes of keys never reach the terminal; they stand in keyset files of mode 0600.
import {
  defaultKeyring,
  generateRootKey,
  type Key,
  type Keyring,
  type KeyStatus,
} from "@fieldseal/crypto";
import type { FieldsealConfig } from "./config.ts";
import { EXIT } from "./exit.ts";
import { CommandError } from "./failure.ts";
import { columnsWithStaleTokens, countKeyUses, type KeyUse, type KeyUses } from "./key-uses.ts";
import { showVariableSteps, type VariableStep } from "./key-variables.ts";
import { changeKeyset, readKeyset } from "./keyset-file.ts";
import { bad, caution, counted, good, type Output } from "./output.ts";
import type { Session } from "./session.ts";

/** The keyset file that is meant; undefined where keys come from variables or from the configuration's own source. */
export function keysetPath(option: string | undefined): string | undefined {
  return option ?? (process.env.ENCRYPTION_KEYSET_FILE?.trim() || undefined);
}

const COUNTING = "Counting the values and files of each key ...";

export async function listKeys(
  path: string | undefined,
  { config, session }: { readonly config: FieldsealConfig | undefined; readonly session?: Session },
  output: Output,
): Promise<number> {
  const wrapper = config?.keyWrapper ?? session?.keyWrapper;
  const { keys } =
    path === undefined ? defaultKeyring() : (await readKeyset(path, wrapper)).keyring;
  if (session !== undefined) output.note(COUNTING);
  const uses = session && (await countKeyUses(session));
  const missing = missingKeys(uses, keys);
  output.table([
    ["key", "status", "since", ...(uses ? ["used by"] : [])],
    ...keys.map((key) => [
      key.id,
      statusText(key),
      since(key),
      ...(uses ? [usesText(uses, key.id)] : []),
    ]),
    ...missing.map((id) => [id, bad("missing"), "unknown", usesText(uses as KeyUses, id)]),
  ]);
  for (const one of uses?.unknown ?? []) output.line(caution(`Not counted: ${one}.`));
  if (missing.length > 0) {
    output.line(
      "Values of missing keys cannot be read: add them to ENCRYPTION_PREVIOUS_KEYS, or to the keyset.",
    );
  }
  output.json({
    keys: keys.map((key) => ({
      id: key.id,
      status: key.status,
      since: key.createdAt?.toISOString() ?? null,
      ...(uses && { uses: uses.byKey.get(key.id) ?? [] }),
    })),
    ...(uses && {
      missing: missing.map((id) => ({ id, uses: uses.byKey.get(id) ?? [] })),
      notCounted: uses.unknown,
    }),
  });
  return EXIT.ok;
}

function statusText({ status }: Key): string {
  return status === "primary" ? good(status) : status;
}

function since({ createdAt }: Key): string {
  return createdAt?.toISOString().slice(0, 10) ?? "unknown";
}

/** Keys that stored values name, and that are not among these. */
function missingKeys(uses: KeyUses | undefined, keys: readonly Key[]): string[] {
  return [...(uses?.byKey.keys() ?? [])].filter((id) => keys.every((key) => key.id !== id));
}

function usesText({ byKey }: KeyUses, id: string): string {
  const uses = byKey.get(id) ?? [];
  return uses.length === 0 ? "nothing" : uses.map(useText).join(", ");
}

function useText({ where, kind, count: uses }: KeyUse): string {
  return kind === "files" ? counted(uses, "stored file") : `${where} (${counted(uses, "value")})`;
}

export interface KeyCommand {
  readonly path: string | undefined;
  readonly config: FieldsealConfig | undefined;
}

export async function addKey({ path, config }: KeyCommand, output: Output): Promise<number> {
  if (path === undefined) return explainVariables("add", config, output);
  const added = generateRootKey();
  let before: Keyring | undefined;
  const after = await changeKeyset({
    path,
    wrapper: config?.keyWrapper,
    change: (keyring) => {
      before = keyring;
      return { after: keyring.add(added), added };
    },
  });
  const { id } = after.keys.find((key) => before?.get(key.id) === undefined) as Key;
  output.line(`Key ${id} was added as enabled: it decrypts, and encrypts nothing yet.`);
  output.line(`Deploy the keyset everywhere, then: fieldseal keys promote ${id}`);
  output.json({ id, status: "enabled", path });
  return EXIT.ok;
}

export async function promoteKey(
  id: string,
  { path, config }: KeyCommand,
  output: Output,
): Promise<number> {
  if (path === undefined) return explainVariables("promote", config, output);
  await changeKeyset({
    path,
    wrapper: config?.keyWrapper,
    change: (keyring) => {
      refuseDemoted(keyring, id, path);
      return { after: keyring.promote(id) };
    },
  });
  output.line(`Key ${id} encrypts from now on. Deploy the keyset, then: fieldseal rotate`);
  output.json({ id, status: "primary", path });
  return EXIT.ok;
}

/** Keys that were replaced, or came from variables: somebody has to say that they may encrypt again. */
function refuseDemoted(keyring: Keyring, id: string, path: string): void {
  const status = keyring.get(id)?.status;
  if (status !== "decrypt-only" && status !== "disabled") return;
  refuse(
    `Key ${id} is ${status}, and only an enabled key can become the primary one.`,
    `If it is to encrypt again, set its "status" to "enabled" in ${path}, deploy, then promote it. For a new key: fieldseal keys add`,
  );
}

export interface Retirement {
  readonly path: string | undefined;
  readonly isDestroyed: boolean;
  /** Somebody says that no file is stored under these keys. */
  readonly isWithoutStorage: boolean;
}

/** Disables or destroys a key that no value and no stored file needs any more. */
export async function retireKey(
  id: string,
  { path, isDestroyed, isWithoutStorage }: Retirement,
  { session, output }: { readonly session: Session; readonly output: Output },
): Promise<number> {
  const status: KeyStatus = isDestroyed ? "destroyed" : "disabled";
  const wrapper = session.keyWrapper;
  const keyring = path === undefined ? defaultKeyring() : (await readKeyset(path, wrapper)).keyring;
  keyring.setStatus(id, status); // refuses the primary, and keys that are not there, before anything is counted
  if (isDestroyed && session.storage === undefined && !isWithoutStorage) {
    refuse(
      "The configuration names no storage: files that need this key would be lost.",
      "Name it in the configuration, or say that there is none: --without-storage.",
    );
  }
  output.note(COUNTING);
  const checked = await refuseWhileUsed(id, session);
  if (path === undefined && session.keySource !== undefined) {
    output.line(`${checked} Retire it in ${session.keySource}.`);
    output.json({ id, status: "unused" });
    return EXIT.ok;
  }
  if (path === undefined) {
    const entry = keyring.keys.findIndex((key) => key.id === id);
    output.line(`${checked} Take entry ${entry} out of ENCRYPTION_PREVIOUS_KEYS, and deploy.`);
    output.json({ id, status: "unused", entryOfPreviousKeys: entry });
    return EXIT.ok;
  }
  await changeKeyset({ path, wrapper, change: (now) => ({ after: now.setStatus(id, status) }) });
  output.line(`Key ${id} is ${status}. ${checked}`);
  output.json({ id, status, path });
  return EXIT.ok;
}

async function refuseWhileUsed(id: string, session: Session): Promise<string> {
  const uses = await countKeyUses(session);
  if (uses.columns === 0 && !uses.hasStorage) {
    refuse(
      "The configuration names no column and no storage: nothing shows that the key is unused.",
    );
  }
  const using = uses.byKey.get(id) ?? [];
  if (using.length > 0) {
    refuse(`Key ${id} is still used by ${using.map(useText).join(", ")}.`, "fieldseal rotate", {
      uses: using,
    });
  }
  if (uses.unknown.length > 0)
    refuse(`It is unknown whether key ${id} is used: ${uses.unknown.join("; ")}.`);
  const stale = await columnsWithStaleTokens(session);
  if (stale.length > 0) {
    refuse(`Key ${id} may still be needed to search ${stale.join(", ")}.`, "fieldseal rotate");
  }
  return whatWasChecked(uses);
}

/** Claims no more than was looked at. */
function whatWasChecked({ columns, hasStorage }: KeyUses): string {
  const values = `No value of ${counted(columns, "column")}`;
  if (columns === 0) return "No stored file uses it; the configuration names no column.";
  return hasStorage
    ? `${values} and no stored file uses it.`
    : `${values} uses it; stored files were not looked at, because the configuration names no storage.`;
}

function refuse(message: string, fix?: string, details?: object): never {
  throw new CommandError("REFUSED", message, { exitCode: EXIT.findings, fix, details });
}

function explainVariables(
  step: VariableStep,
  config: FieldsealConfig | undefined,
  output: Output,
): number {
  if (config?.keys !== undefined) {
    throw new CommandError("REFUSED", "The keys come from a source that the configuration names.", {
      exitCode: EXIT.configuration,
      fix: "Change them there; or name the keyset file that it reads: --keyset <file>.",
    });
  }
  showVariableSteps(step, output);
  return EXIT.configuration;
}
