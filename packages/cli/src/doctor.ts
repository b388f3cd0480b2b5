// Configuration, keys and database in one go: what is wrong, and what to do.
import { ColumnCipher, defaultKeyring, generateRootKey, textCodec } from "@fieldseal/crypto";
import { withSession } from "./config.ts";
import { EXIT } from "./exit.ts";
import { bad, good, type Output } from "./output.ts";

interface Check {
  readonly name: string;
  readonly isOk: boolean;
  readonly detail: string;
}

const LEAST_NODE = [22, 17] as const;

export async function doctor(config: string | undefined, output: Output): Promise<number> {
  const checks: Check[] = [
    check("Node.js", () => {
      const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
      const isOld = major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1]);
      if (isOld) throw new Error(`${process.version} is too old; 22.17 or later is needed.`);
      return process.version;
    }),
    check("keys", () => {
      const { primary, keys } = defaultKeyring();
      return `primary ${primary.id}, ${keys.length} in all`;
    }),
    check("encryption", () => {
      const cipher = new ColumnCipher({
        codec: textCodec,
        label: "doctor",
        defaultContext: { table: "doctor", column: "canary" },
      });
      const canary = generateRootKey();
      if (cipher.open(cipher.seal(canary)) !== canary)
        throw new Error("A value did not come back.");
      return "a value was encrypted and came back";
    }),
  ];
  checks.push(...(await databaseChecks(config)));
  output.table([
    ["", "", ""],
    ...checks.map(({ name, isOk, detail }) => [name, isOk ? good("ok") : bad("fails"), detail]),
  ]);
  output.json(checks);
  return checks.every(({ isOk }) => isOk) ? EXIT.ok : EXIT.findings;
}

function check(name: string, run: () => string): Check {
  try {
    return { name, isOk: true, detail: run() };
  } catch (error) {
    return { name, isOk: false, detail: (error as Error).message };
  }
}

async function databaseChecks(config: string | undefined): Promise<Check[]> {
  try {
    return await withSession(config, async ({ pool, columns }) => {
      const { rows } = await pool.query<{ version: string }>(
        "SELECT current_setting('server_version') AS version",
      );
      return [
        { name: "configuration", isOk: true, detail: `${columns.length} encrypted columns` },
        { name: "database", isOk: true, detail: `PostgreSQL ${rows[0]?.version}` },
      ];
    });
  } catch (error) {
    return [{ name: "configuration and database", isOk: false, detail: (error as Error).message }];
  }
}
