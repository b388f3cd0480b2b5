// Is all set up? Machine, configuration, keys, database, data and files in one go; what is wrong, and what to do.
import { writeCanary } from "./canary.ts";
import { columnChecks } from "./column-checks.ts";
import { databaseChecks } from "./database-checks.ts";
import { dataChecks } from "./data-checks.ts";
import { failed, type Check, type CheckState } from "./check.ts";
import { EXIT } from "./exit.ts";
import { namingDatabase } from "./failure.ts";
import { keyChecks, machineChecks, storageCheck } from "./machine-checks.ts";
import { bad, caution, counted, dim, good, type Output } from "./output.ts";
import { withSession, type Session, type SessionOptions } from "./session.ts";

export interface DoctorCommand {
  /** Stores a value under the primary key, for later checks to open. */
  readonly canary?: boolean;
}

export async function doctor(
  options: SessionOptions,
  { canary = false }: DoctorCommand,
  output: Output,
): Promise<number> {
  const checks: Check[] = [...machineChecks()];
  try {
    await withSession(options, async (session) => {
      const keys = keyChecks(session);
      checks.push(configurationCheck(session), ...keys);
      if (session.storage !== undefined) checks.push(await storageCheck(session));
      const { database } = session;
      const before = await checksOf("database", () => databaseChecks(session), database);
      checks.push(...before);
      if (before.some(({ state }) => state === "failure")) return;
      checks.push(...(await checksOf("columns", () => columnChecks(session))));
      if (keys.some(({ state }) => state === "failure")) {
        checks.push({ name: "data", state: "skipped", detail: "there is no key to open it with" });
        return;
      }
      const data = (): Promise<readonly Check[]> =>
        checksOf("data", () => dataChecks(session), database);
      const found = await data();
      if (!canary || found.some(({ state }) => state === "failure")) {
        checks.push(...found, ...(canary ? [NOT_STORED] : []));
        return;
      }
      const stored = await checksOf("key canary", () => storeCanary(session), database);
      checks.push(...stored, ...(await data()));
    });
  } catch (error) {
    checks.push(failed("configuration", error));
  }
  printChecks(checks, output);
  const isOk = checks.every(({ state }) => state !== "failure");
  output.json({ isOk, checks });
  return isOk ? EXIT.ok : EXIT.findings;
}

/** A canary of wrong keys would vouch for them from then on. */
const NOT_STORED: Check = {
  name: "new canary",
  state: "skipped",
  detail: "none was stored: these keys do not open what is there",
};

function configurationCheck({ columns, storage }: Session): Check {
  const files = storage === undefined ? "no storage" : "and a storage";
  const detail = `${counted(columns.length, "encrypted column")}, ${files}`;
  return { name: "configuration", state: "ok", detail };
}

async function storeCanary({ pool }: Session): Promise<readonly Check[]> {
  await writeCanary(pool);
  return [];
}

async function checksOf(
  name: string,
  run: () => Promise<readonly Check[]>,
  database = "",
): Promise<readonly Check[]> {
  try {
    return await run();
  } catch (error) {
    return [failed(name, namingDatabase(error, `The database ${database}`.trim()))];
  }
}

const LABELS: Readonly<Record<CheckState, (text: string) => string>> = {
  ok: good,
  warning: caution,
  failure: bad,
  skipped: dim,
};

function label(state: CheckState): string {
  return LABELS[state](state === "failure" ? "fails" : state);
}

function printChecks(checks: readonly Check[], output: Output): void {
  output.table([
    ["", "", ""],
    ...checks.flatMap(({ name, state, detail, fix }) => [
      [name, label(state), detail],
      ...(fix === undefined ? [] : [["", "", dim(fix)]]),
    ]),
  ]);
  const wrong = checks.filter(({ state }) => state === "failure").length;
  const doubtful = checks.filter(({ state }) => state === "warning").length;
  const also = doubtful > 0 ? `, ${counted(doubtful, "warning")}` : "";
  output.line(
    wrong > 0 ? bad(`${counted(wrong, "check")} failed${also}.`) : good(`All is well${also}.`),
  );
}
