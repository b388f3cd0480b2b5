// Exit codes: part of the command's contract.
import { ConfigError, EncryptionError, KeyError } from "@fieldseal/crypto";

export const EXIT = { ok: 0, findings: 1, usage: 2, configuration: 3, partial: 4 } as const;

/** Prints an error as people need it, and gives the code to end with. */
export function reportError(error: unknown, isJson: boolean): number {
  const known = error instanceof EncryptionError;
  const message = known ? error.message : (error as Error).message;
  const code = known ? error.code : ((error as { code?: string }).code ?? (error as Error).name);
  process.stderr.write(
    isJson ? `${JSON.stringify({ error: { code, message } })}\n` : `${code}: ${message}\n`,
  );
  const isConfiguration = error instanceof ConfigError || error instanceof KeyError;
  return isConfiguration ? EXIT.configuration : EXIT.findings;
}
