import { isDeepStrictEqual } from "node:util";
import { ValueTypeError } from "../errors.ts";
import { readUtf8, type ValueCodec } from "./codec.ts";

/** Deeper values overflow the stack of some JSON parsers. */
export const MAX_JSON_DEPTH = 1000;

/** Any JSON value, as the UTF-8 of its JSON text. */
export const jsonCodec: ValueCodec<unknown> = {
  content: "json",
  storage: "text",
  encode: encodeJson,
  read: readJson,
  encodeLegacy: encodeJson,
  readLegacy: readJson,
  // JSON has one zero and no undefined: what is stored the same is equal.
  isEqual: (a, b) => isDeepStrictEqual(a, b) || JSON.stringify(a) === JSON.stringify(b),
};

function encodeJson(value: unknown, where: string): string {
  const problem = findProblem(value, 0);
  if (problem !== undefined) {
    const path = `$${problem.path}`;
    throw new ValueTypeError(
      "ERR_VALUE_ENCODING",
      `${where} was given JSON that would not come back equal: ${path} ${problem.what}.`,
    );
  }
  return JSON.stringify(value);
}

function readJson(buffer: Buffer, start: number, end: number): unknown {
  const text = readUtf8(buffer, start, end);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined; // the parser's message quotes its input
  }
}

interface JsonProblem {
  readonly path: string;
  readonly what: string;
}

/** The first part that `JSON.parse(JSON.stringify(value))` would change, drop or refuse. */
function findProblem(value: unknown, depth: number): JsonProblem | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : { path: "", what: "is NaN or infinite" };
    case "object":
      return value === null ? undefined : findProblemInside(value, depth);
    default:
      return { path: "", what: `is a value of type ${typeof value}` };
  }
}

function findProblemInside(value: object, depth: number): JsonProblem | undefined {
  if (depth === MAX_JSON_DEPTH) {
    return { path: "", what: `is nested more than ${MAX_JSON_DEPTH} levels deep, or is a cycle` };
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    return { path: "", what: "has a toJSON method; convert it first" };
  }
  if (Array.isArray(value)) return findProblemInArray(value, depth);
  if (!isPlainObject(value)) return { path: "", what: "is no plain object; convert it first" };
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue; // JSON leaves such a property out, and reading it gives undefined again
    const problem = findProblem(item, depth + 1);
    if (problem) return under(propertyPath(key), problem);
  }
  return undefined;
}

function findProblemInArray(items: readonly unknown[], depth: number): JsonProblem | undefined {
  for (let i = 0; i < items.length; i++) {
    const problem = findProblem(items[i], depth + 1);
    if (problem) return under(`[${i}]`, problem);
  }
  return undefined;
}

/** Own realm or another one's (vm contexts, test runners): the prototype chain has one step at most. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function propertyPath(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

const MAX_PATH_LENGTH = 200;

function under(step: string, problem: JsonProblem): JsonProblem {
  const path = step + problem.path;
  return {
    path: path.length > MAX_PATH_LENGTH ? `${path.slice(0, MAX_PATH_LENGTH)}…` : path,
    what: problem.what,
  };
}
