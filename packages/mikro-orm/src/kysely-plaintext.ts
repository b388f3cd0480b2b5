// Plaintext on its way into SQL through Kysely. Its queries are trees, so what is written to, or compared with, an
// encrypted column of an entity's table can be seen; what cannot: raw SQL, views, INSERT ... SELECT, functions.
import { parseEnvelope, UnsupportedQueryError } from "@fieldseal/crypto";
import { bindingOf, cipherOf, refusedTarget, unsupportedQuery, type BoundType } from "./binding.ts";
import { Cell } from "./cell.ts";
import { companionOf } from "./companion.ts";
import {
  isInDocument,
  isNode,
  KyselyScope,
  nameIn,
  type Node,
  type Tables,
} from "./kysely-scope.ts";
import { columnOf, propertiesOf, type Property } from "./mikro-orm-internals.ts";

/** @throws {@link UnsupportedQueryError} for values of encrypted columns that are neither encrypted nor will be */
export function refusePlaintext(query: unknown, tables: Tables): void {
  inspect(query, new KyselyScope(tables, query));
}

const QUERIES: ReadonlySet<string> = new Set(
  ["Select", "Insert", "Update", "Delete", "Merge"].map((name) => `${name}QueryNode`),
);

function inspect(value: unknown, outer: KyselyScope): void {
  if (Array.isArray(value)) for (const item of value) inspect(item, outer);
  if (!isNode(value)) return;
  const scope = QUERIES.has(value.kind) ? outer.inside(value) : outer;
  if (value.kind === "InsertQueryNode") checkRows(value, scope);
  if (Array.isArray(value.updates)) checkTokens(value.updates as readonly Node[], scope);
  if (value.kind === "ColumnUpdateNode") checkWrite(nameIn(value.column), value.value, scope);
  if (value.kind === "OrderByItemNode") refuseOrder(value.orderBy, scope, "sorted");
  if (value.kind === "GroupByItemNode") refuseOrder(value.groupBy, scope, "grouped");
  if (value.kind === "CaseNode") checkCase(value, scope);
  if (value.kind === "BinaryOperationNode") {
    checkComparison(value.leftOperand, value.rightOperand, scope);
    checkComparison(value.rightOperand, value.leftOperand, scope);
  }
  for (const child of Object.values(value)) inspect(child, scope);
}

/** `case email when ... then ...` */
function checkCase({ value, when }: Node, scope: KyselyScope): void {
  for (const branch of (when ?? []) as readonly Node[]) {
    checkComparison(value, branch.condition, scope);
  }
}

/** Nothing here makes tokens: left out, those of the value before would stay. */
function checkTokens(written: readonly Node[], scope: KyselyScope): void {
  const columns = written.map((node) => nameIn(node.column));
  for (const column of columns) {
    const type = scope.written(column);
    if (type?.options.blindIndex === undefined) continue;
    const { label, meta } = bindingOf(type) ?? {};
    const companion = companionOf(type);
    const index = columnOf(propertiesOf(meta)[companion] as Property);
    if (columns.includes(index)) continue;
    throw new UnsupportedQueryError(
      `${label} has a blind index, and this Kysely query would leave its tokens as they are. Write "${companion}" too, with what ` +
        "searchValues() gives first, or null.",
      refusedTarget(type),
    );
  }
}

function checkRows({ columns, values }: Node, scope: KyselyScope): void {
  const named = (columns ?? []) as readonly Node[];
  checkTokens(named, scope);
  const rows = isNode(values) && Array.isArray(values.values) ? (values.values as Node[]) : [];
  for (const row of rows) {
    const given = (row.values ?? []) as readonly unknown[];
    named.forEach((column, i) => checkWrite(nameIn(column), given[i], scope));
  }
}

function checkWrite(column: string, value: unknown, scope: KyselyScope): void {
  const type = scope.written(column);
  if (type === undefined) return;
  for (const reference of referencesIn(value)) {
    const from = scope.copied(reference);
    if (from && isInDocument(from) === isInDocument(type) && isSameContext(from, type)) continue;
    throw unsupportedQuery(type, "cannot be copied from a column of another context");
  }
  if (!isInDocument(type)) return check(type, value);
  const given = isNode(value) && value.kind === "ValueNode" ? value.value : value;
  if (given === null || given === undefined || isNode(given)) return;
  throw new UnsupportedQueryError(
    `${bindingOf(type)?.label} is encrypted, and this Kysely query would write the document around it as it is. Write the entity.`,
    refusedTarget(type),
  );
}

/** The columns that a value is taken from; what a CASE compares is none of it. */
function referencesIn(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (!isNode(value) || QUERIES.has(value.kind) || value.kind === "CaseNode") return [];
  const isReference = value.kind === "ReferenceNode" || value.kind === "ColumnNode";
  return isReference ? [value] : Object.values(value).flatMap(referencesIn);
}

function isSameContext(a: BoundType, b: BoundType): boolean {
  const [one, other] = [cipherOf(a).context, cipherOf(b).context];
  return one.table === other.table && one.column === other.column;
}

/** Ciphertext has no order, and other forms for equal values. */
function refuseOrder(operand: unknown, scope: KyselyScope, done: string): void {
  const isColumn = isNode(operand) && /^(Reference|Column)Node$/.test(operand.kind);
  const type = isColumn ? scope.read(operand) : undefined;
  if (type) throw unsupportedQuery(type, `cannot be ${done} by`);
}

function checkComparison(side: unknown, other: unknown, scope: KyselyScope): void {
  if (!isNode(side) || QUERIES.has(side.kind)) return;
  if (side.kind === "ReferenceNode" || side.kind === "ColumnNode") {
    check(scope.read(side), other);
    return;
  }
  // `lower(email)`; a number beside `length(email)` tells nothing.
  const children = Object.values(side).flatMap((child): unknown[] => [child].flat());
  for (const child of children) checkComparison(child, isNumeric(other) ? undefined : other, scope);
}

function isNumeric(operand: unknown): boolean {
  return isNode(operand) && ["number", "bigint"].includes(typeof operand.value);
}

function check(type: BoundType | undefined, operand: unknown): void {
  // The layout of others has no mark to know it by.
  if (type === undefined || cipherOf(type).suite === "aes-256-cbc" || isSafe(operand)) return;
  const { label } = bindingOf(type) ?? {};
  throw new UnsupportedQueryError(
    `${label} is encrypted, and this Kysely query would put its value into SQL. Use getKysely({ convertValues: true }), ` +
      "or encryptValue() and searchValues().",
    refusedTarget(type),
  );
}

function isSafe(operand: unknown): boolean {
  if (Array.isArray(operand)) return operand.every(isSafe);
  if (!isNode(operand)) return isSafeValue(operand);
  switch (operand.kind) {
    case "ValueNode":
      return [operand.value].flat().every(isSafeValue);
    case "RawNode":
      // A literal has a quote, a dollar or a digit; `sql.ref()` and `null` have none.
      return (
        !(operand.sqlFragments as readonly string[]).some((sql) => /['$\d]/.test(sql)) &&
        isSafe(operand.parameters)
      );
    default:
      return QUERIES.has(operand.kind) || childrenOf(operand).every(isSafe);
  }
}

/** Of names and operators there are no values. */
function childrenOf({ kind, ...parts }: Node): unknown[] {
  if (kind === "PrimitiveValueListNode") return [parts.values];
  return Object.values(parts).filter((part) => isNode(part) || Array.isArray(part));
}

function isSafeValue(value: unknown): boolean {
  if (value === null || value === undefined || value instanceof Cell) return true;
  const isStored = typeof value === "string" || value instanceof Uint8Array;
  return isStored && parseEnvelope(value) !== undefined;
}
