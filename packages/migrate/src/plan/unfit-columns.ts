// Only whether the columns could hold what is written to them: by the catalogs, without a look at a row.
import type { EncryptedColumn } from "@fieldseal/crypto";
import type { Pool } from "pg";
import { withClient } from "../connections.ts";
import { findRelation } from "../relation.ts";
import { groupByTable } from "../table.ts";
import { shapeFindings } from "./columns.ts";
import type { Finding } from "./contract.ts";

export interface UnfitColumn extends Finding {
  readonly schema: string | undefined;
  readonly table: string;
}

/**
 * What a plan refuses of the columns themselves, with a fix each: types that ciphertext does not fit into, columns and
 * companion columns of blind indexes that are not there. Tables that do not exist are left out. Changes nothing.
 */
export async function findUnfitColumns(
  pool: Pool,
  columns: readonly EncryptedColumn[],
): Promise<UnfitColumn[]> {
  return withClient(pool, async (client) => {
    const found: UnfitColumn[] = [];
    for (const { schema, table, columns: own } of groupByTable(columns)) {
      const relation = await findRelation(client, { schema, table });
      if (relation === undefined) continue;
      const findings = own.flatMap((column) => shapeFindings({ relation, column }));
      found.push(...findings.map((finding) => ({ ...finding, schema, table })));
    }
    return found;
  });
}
