// UPDATE, DELETE and increment by a short blind index: one statement reads which rows are meant, another changes them. A row
// that is encrypted anew in between, by a rotation say, is not as it was read, and left alone. Such rows are looked for again
// until there are none, and none is changed twice.
import { Op } from "sequelize";
import { ChangedRows, keyText, type ChangeMethod, type ChangeOptions } from "./changed-rows.ts";
import {
  isExactKey,
  primaryKeyIn,
  STORED,
  type Lookup,
  type ReadContext,
  type Row,
} from "./index-candidates.ts";
import { refuse } from "./search.ts";
import { returnsRows, type ModelClass } from "./sequelize-internals.ts";
import { resolveChange } from "./short-index.ts";

const MAX_ATTEMPTS = 10;

interface Change {
  readonly model: ModelClass | undefined;
  readonly where: unknown;
  readonly options: ChangeOptions | undefined;
  readonly context: ReadContext;
  run(where: unknown, options: ChangeOptions | undefined): Promise<unknown>;
}

/** @returns what the method gives, for all statements together */
export async function change(
  method: ChangeMethod,
  { model, where, options, context, run }: Change,
): Promise<unknown> {
  let found = await resolveChange(where, model, context);
  const [first] = found.lookups;
  const primaryKeys = Object.values(model?.primaryKeys ?? {});
  if (!model || !first || !tellsRows(model)) return run(found.where, options);

  const changed = new ChangedRows(method, options ?? {}, primaryKeys);
  const keyOf = (row: Row): string => keyText(primaryKeys, row);
  let condition = found.where;
  let owed: ReadonlySet<string> | undefined; // undefined: all that the condition means
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const count = changed.add(await run(condition, changed.options));
    const isOwed = (row: Row): boolean => owed?.has(keyOf(row)) ?? true;
    const isDone = ({ isRequired, holding }: Lookup): boolean =>
      isRequired && holding.filter(isOwed).length === count;
    if (changed.isOver || found.lookups.some(isDone)) return changed.result;

    const before = versionsIn(found.lookups, keyOf);
    found = await resolveChange(where, model, context);
    const rows = [...versionsIn(found.lookups, keyOf)]
      .filter(([version, row]) => !before.has(version) && isOwed(row) && !changed.has(keyOf(row)))
      .map(([, row]) => row);
    if (rows.length === 0) return changed.result;
    owed = new Set(rows.map(keyOf));
    condition = { [Op.and]: [found.where, { [Op.or]: primaryKeyIn(primaryKeys, rows, "") }] };
  }
  return refuse(
    first.attribute,
    `has a short blindIndex, and rows behind it were written anew in each of ${MAX_ATTEMPTS} attempts to change them: ` +
      `${changed.count} are changed, others are not; lock them in a transaction first, or use more bits`,
  );
}

/** Whether rows can be told from one another, and those that are changed from the others. */
function tellsRows({ primaryKeys, sequelize }: ModelClass): boolean {
  return isExactKey(Object.values(primaryKeys)) && returnsRows(sequelize);
}

/** What was read, by what tells a row from itself at another time; by lookup, because the condition is. */
function versionsIn(lookups: readonly Lookup[], keyOf: (row: Row) => string): Map<string, Row> {
  return new Map(
    lookups.flatMap(({ candidates }, i) =>
      candidates.map((row) => {
        const { [STORED]: stored } = row;
        const text = Buffer.isBuffer(stored) ? stored.toString("base64") : String(stored);
        return [`${i} ${keyOf(row)} ${text}`, row] as const;
      }),
    ),
  );
}
