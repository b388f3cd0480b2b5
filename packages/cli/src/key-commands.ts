// keygen, keys ...: names, options and help.
import type { Command } from "commander";
import { addKey, keysetPath, listKeys, promoteKey, retireKey } from "./key-changes.ts";
import { keygen, type KeygenOptions } from "./keygen.ts";
import type { Context } from "./program.ts";

interface KeysetFlag {
  readonly keyset?: string;
}

interface RetireFlags extends KeysetFlag {
  readonly destroy?: boolean;
  readonly withoutStorage?: boolean;
}

export function addKeyCommands(program: Command, context: Context): void {
  program
    .command("keygen")
    .description("make a key: print it once, or write it to a new file of mode 0600")
    .option("--out <file>", "write the key to this file")
    .option("--env", "as a line of a .env file: ENCRYPTION_KEY=<key>")
    .option("--keyset <file>", "make a keyset file with the key as its primary")
    .option("--from-environment", "with --keyset: the keys of the variables, no new one")
    .option("--wrap", "with --keyset: wrapped by the keyWrapper of the configuration")
    .addHelpText(
      "after",
      `
Examples:
  fieldseal keygen --env --out .env
  fieldseal keygen --keyset keyset.json
  fieldseal keygen --keyset keyset.json --from-environment`,
    )
    .action((options: KeygenOptions) =>
      options.wrap === true
        ? context.withConfig((config, output) => keygen(options, config, output))
        : context.plainly((_, output) => keygen(options, undefined, output)),
    );
  const keys = program
    .command("keys")
    .description("ids and statuses of keys, and their changes; never bytes");
  addListCommand(keys, context);
  addChangeCommands(keys, context);
}

const KEYSET = "default: ENCRYPTION_KEYSET_FILE";

function addListCommand(keys: Command, { withConfig, inSession }: Context): void {
  keys
    .command("list")
    .description("id, status and age of each key; of a keyset file, or as the application has them")
    .option("--keyset <file>", KEYSET)
    .option("--uses", "count the values and files under each key")
    .action(({ keyset, uses }: KeysetFlag & { readonly uses?: boolean }) => {
      const path = keysetPath(keyset);
      return uses === true
        ? inSession((session, output) => listKeys(path, { config: undefined, session }, output))
        : withConfig((config, output) => listKeys(path, { config }, output));
    });
}

function addChangeCommands(keys: Command, { withConfig, inSession }: Context): void {
  keys
    .command("add")
    .description("add a new key as enabled: it decrypts, and encrypts once promoted")
    .option("--keyset <file>", KEYSET)
    .action(({ keyset }: KeysetFlag) =>
      withConfig((config, output) => addKey({ path: keysetPath(keyset), config }, output)),
    );
  keys
    .command("promote")
    .argument("<id>", "of the key, as keys list shows it")
    .description("encrypt with this key from now on")
    .option("--keyset <file>", KEYSET)
    .action((id: string, { keyset }: KeysetFlag) =>
      withConfig((config, output) => promoteKey(id, { path: keysetPath(keyset), config }, output)),
    );
  keys
    .command("retire")
    .argument("<id>", "of the key, as keys list shows it")
    .description("disable a key that nothing uses any more; refused while a value or file does")
    .option("--keyset <file>", KEYSET)
    .option("--destroy", "drop its bytes for good")
    .option("--without-storage", "with --destroy: no file is stored under these keys")
    .addHelpText(
      "after",
      `
Columns and stored files of the configuration are counted; nothing else is.
Retire a key only when every process has the keyset in which another one is
primary, and keep it apart for as long as a backup needs it.`,
    )
    .action((id: string, { keyset, destroy = false, withoutStorage = false }: RetireFlags) =>
      inSession((session, output) => {
        const retirement = {
          path: keysetPath(keyset),
          isDestroyed: destroy,
          isWithoutStorage: withoutStorage,
        };
        return retireKey(id, retirement, { session, output });
      }),
    );
}
