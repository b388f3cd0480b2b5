// The header of one stored value: what it says about itself, without opening it.
import { defaultKeyring, formatKeyId, parseEnvelope, type Keyring } from "@fieldseal/crypto";
import type { Output } from "./output.ts";

/** True when the value is an envelope. */
export function inspectValue(text: string, output: Output): boolean {
  const stored = text.startsWith("\\x") ? Buffer.from(text.slice(2), "hex") : text;
  const parsed = parseEnvelope(stored);
  if (parsed === undefined) {
    output.line("This is no envelope: plaintext, a value of another system, or one that was cut.");
    output.json({ isEnvelope: false });
    return false;
  }
  const { header, bytes } = parsed;
  const keyId = formatKeyId(header.keyId);
  const status = keyStatus(keyId);
  output.table([
    ["", ""],
    ["suite", header.suite],
    ["key", `${keyId} (${status})`],
    ["content", header.content + (header.isPadded ? ", padded" : "")],
    ["bytes", String(bytes.length)],
  ]);
  output.json({ isEnvelope: true, ...header, keyId, keyStatus: status, bytes: bytes.length });
  return true;
}

function keyStatus(keyId: string): string {
  let keyring: Keyring;
  try {
    keyring = defaultKeyring();
  } catch {
    return "no keyring is configured";
  }
  return keyring.get(keyId)?.status ?? "not in the keyring";
}
