// Columns as the engine reads and writes them: encrypted ones as they are, a plain one of any type by its text, or as JSON
// where it is an array.
import { exactCast, exactText } from "./exact-cast.ts";

/** A column that is read and, with `assign`, written. The slots of a row follow each other as `Table.slots` does. */
export interface Slot {
  readonly name: string;
  readonly parameter: "text" | "bytea";
  /** SQL that reads it from the row `t`. */
  readonly select: string;
  /** SQL that makes its value of a parameter; undefined when the column is read only. */
  readonly assign: ((parameter: string) => string) | undefined;
}

export interface ColumnType {
  readonly type: string;
  /** What a domain is made of; of other types themselves. */
  readonly base: string;
}

export type ArrayKind = "json" | "other";

const ARRAY = /^(?<element>.+)\[\]$/;

export function arrayOf(type = ""): ArrayKind | undefined {
  const element = ARRAY.exec(type)?.groups?.element;
  if (element === undefined) return undefined;
  return element === "json" || element === "jsonb" ? "json" : "other";
}

/** Any type is read as its text, as ISO 8601 for times; arrays as JSON. */
export function sourceSlot({
  name,
  quoted,
  type,
  base,
  isWritten,
}: ColumnType & {
  readonly name: string;
  readonly quoted: string;
  readonly isWritten: boolean;
}): Slot {
  const column = `t.${quoted}`;
  const isBytes = type === "bytea";
  const parameter = isBytes ? "bytea" : "text";
  const array = arrayOf(type) && arrayAsJson(column, type);
  const { select = isBytes ? column : `${column}::text` } = array ?? {};
  const assign =
    array?.assign ??
    ((value: string): string =>
      type.startsWith("character") ? exactText(value, type) : exactCast(value, { type, base }));
  return { name, parameter, select, assign: isWritten ? assign : undefined };
}

/** Stands for an array that JSON does not keep. JSON is never empty. */
export const NO_JSON = "";

/** JSON has arrays that begin at 1, and one null: what has other bounds, or JSON's null beside SQL's, would change. */
function arrayAsJson(
  column: string,
  type: string,
): Pick<Slot, "select"> & { assign(value: string): string } {
  const isJson = arrayOf(type) === "json";
  // As above, of what is too long.
  const element = type.startsWith("character") ? "text" : type.slice(0, -2);
  const refused = [
    `array_dims(${column}) !~ '^(\\[1:\\d+\\])+$'`,
    ...(isJson
      ? [`EXISTS (SELECT FROM unnest(${column}) AS e WHERE btrim(e::text, E' \\t\\n\\r') = 'null')`]
      : []),
  ];
  const items = isJson ? "json_array_elements" : "json_array_elements_text";
  const item = isJson ? "nullif(item::text, 'null')" : "item";
  return {
    select: `CASE WHEN ${refused.join(" OR ")} THEN '${NO_JSON}' ELSE to_json(${column})::text END`,
    assign: (value) =>
      `CASE WHEN ${value} IS NOT NULL THEN ARRAY(SELECT ${isJson ? `(${item})::${element}` : exactCast(item, { type: element, base: element })} FROM ${items}(${value}::json) AS item) END`,
  };
}
