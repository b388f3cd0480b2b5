// The labels in use. They are few, encrypted so that equal ones are found, and never taken away.
import { randomUUID } from "node:crypto";
import type { Database } from "../database/database.ts";

export async function addLabels(
  { sequelize, models }: Database,
  labels: ReadonlySet<string>,
): Promise<void> {
  const { Label } = models;
  const known = new Set((await Label.findAll()).map(({ name }) => name));
  const added = [...labels].filter((name) => !known.has(name));
  if (added.length === 0) return;
  await sequelize.transaction(async (transaction) => {
    const last = await Label.max<number, InstanceType<typeof Label>>("position", { transaction });
    const rows = added.map((name, i) => ({
      id: randomUUID(),
      name,
      position: (last ?? -1) + 1 + i,
    }));
    await Label.bulkCreate(rows, { ignoreDuplicates: true, transaction });
  });
}
