// `nativeUpdate` and `nativeDelete` by a short blind index: one statement reads which rows are meant, another changes them. A
// row that is encrypted anew in between, by a rotation say, is not as it was read, and left alone. Such rows are looked for
// again until there are none, and none is changed twice.
import { unsupportedQuery } from "./binding.ts";
import {
  findCandidates,
  keyText,
  metaOf,
  wrapNativeChanges,
  type NativeChange,
} from "./entity-manager-internals.ts";
import { isExactKey, keyIn, type Candidate, type Lookup } from "./index-candidates.ts";
import { keepRawKeys, keyColumnsOf, type Meta, type Row } from "./mikro-orm-internals.ts";
import { hasShortIndex, resolveChange } from "./short-index.ts";

const MAX_ATTEMPTS = 10;

let isInstalled = false;

/** Once per process and version of MikroORM. */
export function installChanges(): void {
  if (isInstalled) return;
  isInstalled = true;
  wrapNativeChanges(async (statement) => {
    const { context, entityName, where, run } = statement;
    const meta = metaOf(context.em, entityName);
    return meta && hasShortIndex(meta) ? keepRawKeys(() => change(statement, meta)) : run(where);
  });
}

/** Returns how many rows all statements together changed. */
async function change(statement: NativeChange, meta: Meta): Promise<number> {
  const { context, isDelete, run } = statement;
  let found = await resolveChange(statement, meta);
  const [first] = found.lookups;
  if (!first) return run(statement.where);
  if (!isExactKey(meta)) return run(found.where);

  const changed = new Set<string>();
  let total = 0;
  let condition = found.where;
  let owed: ReadonlySet<string> | undefined; // undefined: all that the condition means
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    let keys: readonly (string | undefined)[] = [];
    const count = await run(condition, (rows) => {
      keys = rows.map((row) => keyOf(meta, row));
    });
    total += count;
    const isOwed = ({ key }: Pick<Candidate, "key">): boolean => owed?.has(key) ?? true;
    const isDone = ({ isRequired, holding }: Lookup): boolean =>
      isRequired && holding.filter(isOwed).length === count;
    if (found.lookups.some(isDone)) return total;
    if (!isDelete && (keys.length !== count || keys.includes(undefined))) return total;
    for (const key of keys) changed.add(key as string);

    const before = versionsIn(found.lookups);
    found = await resolveChange(statement, meta);
    const anew = [...versionsIn(found.lookups)].filter(([version]) => !before.has(version));
    // A search, unlike `found`, also takes rows that lead to one which is written once more.
    const read = anew.some(([, { isRelated }]) => isRelated)
      ? await findCandidates(context, meta, { where: statement.where })
      : anew.map(([, { candidate }]) => candidate);
    const rows = read.filter((row) => isOwed(row) && !changed.has(row.key));
    if (rows.length === 0) return total;
    owed = new Set(rows.map(({ key }) => key));
    condition = { $and: [found.where, keyIn(meta, rows)] };
  }
  const problem =
    `has a short blindIndex, and rows behind it were written anew in each of ${MAX_ATTEMPTS} attempts to change them: ` +
    `${total} are changed, others are not; lock them in a transaction first, or use more bits`;
  throw unsupportedQuery(first.type, problem);
}

/** As the database returned it; undefined where it returned less. */
function keyOf(meta: Meta, row: Row): string | undefined {
  const values = keyColumnsOf(meta).map((column) => row[column]);
  return values.includes(undefined) ? undefined : keyText(values);
}

interface Version extends Pick<Lookup, "isRelated"> {
  readonly candidate: Candidate;
}

/** What was read, by what tells a row from itself at another time; by lookup, because the condition is. */
function versionsIn(lookups: readonly Lookup[]): Map<string, Version> {
  return new Map(
    lookups.flatMap(({ candidates, isRelated }, i) =>
      candidates.map((candidate) => {
        const { key, stored } = candidate;
        const text = typeof stored === "string" ? stored : stored.toString("base64");
        return [`${i} ${key} ${text}`, { candidate, isRelated }] as const;
      }),
    ),
  );
}
