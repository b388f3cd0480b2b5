// The labels in use. They are few, encrypted so that equal ones are found, and never taken away.
import { randomUUID } from "node:crypto";
import { QueryTypes, type Transaction } from "sequelize";
import type { AnnotationBox } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";

/** What two spellings of one label share: the search tokens take them for equal, too (column-options.ts). */
export function labelKey(label: string): string {
  return label.normalize("NFKC").toLowerCase();
}

/**
 * The boxes with their labels as they were first spelt; labels that are new are added, in the transaction of the boxes
 * that bring them. Case or composition alone makes no second label, with a colour and an export category of its own.
 */
export async function spellAsKnown(
  database: Database,
  boxes: readonly AnnotationBox[],
  transaction: Transaction,
): Promise<AnnotationBox[]> {
  const wanted = new Map(boxes.map(({ label }) => [labelKey(label), label]));
  let known = await knownLabels(database, transaction);
  if ([...wanted.keys()].some((key) => !known.has(key))) {
    // While keys are rotated, one name is stored in two forms and UNIQUE does not see it: one adds at a time.
    await database.sequelize.query("LOCK TABLE label IN SHARE ROW EXCLUSIVE MODE", {
      type: QueryTypes.RAW,
      transaction,
    });
    known = await knownLabels(database, transaction);
    const added = [...wanted].filter(([key]) => !known.has(key));
    await addLabels(
      database,
      added.map(([, name]) => name),
      transaction,
    );
    for (const [key, name] of added) known.set(key, name);
  }
  return boxes.map((box) => ({ ...box, label: known.get(labelKey(box.label)) ?? box.label }));
}

async function knownLabels(
  { models }: Database,
  transaction: Transaction,
): Promise<Map<string, string>> {
  const rows = await models.Label.findAll({ order: [["position", "DESC"]], transaction });
  // Of two that an older database has, the first stays.
  return new Map(rows.map(({ name }) => [labelKey(name), name]));
}

async function addLabels(
  { models: { Label } }: Database,
  names: readonly string[],
  transaction: Transaction,
): Promise<void> {
  const last = await Label.max<number, InstanceType<typeof Label>>("position", { transaction });
  const first = (last ?? -1) + 1;
  const rows = names.map((name, i) => ({ id: randomUUID(), name, position: first + i }));
  await Label.bulkCreate(rows, { transaction });
}
