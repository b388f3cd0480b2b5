// Could the columns hold what is written to them? A narrow one passes every other check, and fails at the first INSERT.
import { findUnfitColumns } from "@fieldseal/migrate";
import type { Check } from "./check.ts";
import { counted } from "./output.ts";
import type { Session } from "./session.ts";

export async function columnChecks({ pool, columns }: Session): Promise<Check[]> {
  const name = "columns";
  const unfit = await findUnfitColumns(pool, columns);
  if (unfit.length === 0) {
    const detail = `${counted(columns.length, "column")} can hold ciphertext`;
    return [{ name, state: "ok", detail }];
  }
  return unfit.map(({ schema, table, message, fix }) => ({
    name,
    state: "failure",
    detail: `${schema === undefined ? table : `${schema}.${table}`}: ${message}`,
    fix,
  }));
}
