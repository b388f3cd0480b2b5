// Kysely. Without `convertValues` plaintext for encrypted columns is refused. With it MikroORM converts the values of comparisons as it converts what is written. Behind it,
// this plugin finds the cells that ended up in comparisons: deterministic ones become a list of stored forms, one per
// live key; others are refused, because they would silently find nothing.
import { cipherOf, unsupportedQuery, type BoundType } from "./binding.ts";
import type { KyselyLike } from "./driver-internals.ts";
import { Cell } from "./cell.ts";
import { refusePlaintext } from "./kysely-plaintext.ts";
import { isNode, tablesOf, type Node } from "./kysely-scope.ts";

const LIST_OPERATORS: Readonly<Record<string, string>> = {
  "=": "in",
  "==": "in",
  in: "in",
  "!=": "not in",
  "<>": "not in",
  "not in": "not in",
};

export function guardKysely(kysely: KyselyLike, metadata: { getAll(): unknown }): KyselyLike {
  const tables = tablesOf(metadata);
  if (tables === undefined) return kysely;
  return kysely.withPlugin({
    transformQuery: ({ node }) => {
      const query = guarded(node);
      refusePlaintext(query, tables);
      return query as never;
    },
    transformResult: async ({ result }) => result,
  });
}

/** Nodes are immutable: what changes is copied. */
function guarded(value: unknown): unknown {
  if (Array.isArray(value)) return mapped(value);
  if (!isNode(value)) return value;
  if (value.kind === "BinaryOperationNode") {
    const cells = cellsOf(value.rightOperand);
    if (cells.length > 0) return comparison(value, cells);
  }
  const entries = Object.entries(value).map(([key, child]) => [key, guarded(child)] as const);
  return entries.every(([key, child]) => child === value[key])
    ? value
    : Object.fromEntries(entries);
}

function mapped(items: readonly unknown[]): readonly unknown[] {
  const results = items.map(guarded);
  return results.every((result, i) => result === items[i]) ? items : results;
}

/** The cells of a value, or of a list of values. */
function cellsOf(operand: unknown): Cell[] {
  if (!isNode(operand)) return [];
  const { value, values } = operand as { value?: unknown; values?: readonly unknown[] };
  const candidates = values ?? [value];
  return candidates
    .map((item) => (isNode(item) ? item.value : item))
    .filter((item) => item instanceof Cell);
}

function comparison(node: Node, cells: readonly Cell[]): Node {
  const type = (cells[0] as Cell).type as unknown as BoundType;
  const { operator } = node.operator as { readonly operator: string };
  const list = LIST_OPERATORS[operator];
  const cipher = cipherOf(type);
  if (!cipher.isDeterministic || list === undefined) {
    throw unsupportedQuery(type, `cannot be compared by "${operator}" in Kysely`);
  }
  const values = cells.flatMap((cell) => cipher.searchTerms(type.fromCanonical(cell.canonical)));
  return {
    ...node,
    operator: { kind: "OperatorNode", operator: list },
    rightOperand: { kind: "PrimitiveValueListNode", values },
  };
}
