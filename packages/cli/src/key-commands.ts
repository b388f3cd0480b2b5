// keygen, keys ...: names, options and help.
import type { Command } from "commander";
import { addKey, keygen, listKeys, promoteKey, retireKey, type KeygenOptions } from "./keys.ts";
import type { Context } from "./program.ts";
import { EXIT } from "./exit.ts";

export function addKeyCommands(program: Command, { output, inSession }: Context): void {
  program
    .command("keygen")
    .description("make a key: print it once, or write it to a file of mode 0600")
    .option("--out <file>", "write the key to this file")
    .option("--keyset <file>", "make a keyset file with the key as its primary")
    .option("--env", "as a line ENCRYPTION_KEY=...")
    .action((options: KeygenOptions) => keygen(options, output()));
  const keys = program.command("keys").description("keys and their statuses; never bytes");
  keys
    .command("list [keyset]")
    .description("of a keyset file, or of the environment")
    .action((path?: string) => listKeys(path, output()));
  keys
    .command("add <keyset>")
    .description("add a new key as enabled: it decrypts, and encrypts once promoted")
    .action((path: string) => addKey(path, output()));
  keys
    .command("promote <keyset> <id>")
    .description("encrypt with this key from now on")
    .action((path: string, id: string) => promoteKey(path, id, output()));
  keys
    .command("retire <keyset> <id>")
    .description("disable a key that no value uses any more; refused while one does")
    .option("--destroy", "drop its bytes for good")
    .action((path: string, id: string, options: { destroy?: boolean }) =>
      inSession(async (session, out) => {
        await retireKey({ path, id, isDestroyed: options.destroy === true }, session, out);
        return EXIT.ok;
      }),
    );
}
