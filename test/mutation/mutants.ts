// Small wrong changes to a source file, each of which some test must notice.
import { parseSync } from "oxc-parser";

export interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly original: string;
  readonly replacement: string;
}

interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [property: string]: unknown;
}

const OPERATORS: Readonly<Record<string, string>> = {
  "===": "!==",
  "!==": "===",
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "&": "|",
  "|": "&",
  "^": "&",
  "<<": ">>",
  ">>": "<<",
  ">>>": "<<",
  "&&": "||",
  "||": "&&",
  "??": "&&",
  "+=": "-=",
  "-=": "+=",
  "|=": "&=",
  "&=": "|=",
};

/** All mutants of a TypeScript source; types, comments and error messages are left alone. */
export function findMutants(file: string, source: string): Mutant[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} does not parse.`);
  const mutants: Mutant[] = [];
  const replace = (start: number, end: number, replacement: string): void => {
    const original = source.slice(start, end);
    const line = source.slice(0, start).split("\n").length;
    if (original !== replacement) mutants.push({ file, line, start, end, original, replacement });
  };
  walk(program as unknown as SyntaxNode, (node) => mutate(node, source, replace));
  return mutants;
}

type Replace = (start: number, end: number, replacement: string) => void;

function mutate(node: SyntaxNode, source: string, replace: Replace): void {
  switch (node.type) {
    case "BinaryExpression":
    case "LogicalExpression":
    case "AssignmentExpression":
      mutateOperator(node, source, replace);
      break;
    case "UnaryExpression":
      if (node.operator === "!") replace(node.start, node.start + 1, "");
      break;
    case "UpdateExpression":
      replace(
        node.start,
        node.end,
        source.slice(node.start, node.end).replace(/\+\+|--/, (o) => (o === "++" ? "--" : "++")),
      );
      break;
    case "IfStatement":
    case "ConditionalExpression": {
      const { start, end } = node.test as SyntaxNode;
      replace(start, end, "true");
      replace(start, end, "false");
      break;
    }
    case "Literal":
      mutateLiteral(node, replace);
      break;
    case "ExpressionStatement":
      if (node.directive === undefined) replace(node.start, node.end, ";");
      break;
  }
}

function mutateOperator(node: SyntaxNode, source: string, replace: Replace): void {
  const other = OPERATORS[node.operator as string];
  if (other === undefined) return;
  const left = (node.left as SyntaxNode).end;
  const between = source.slice(left, (node.right as SyntaxNode).start);
  const at = left + between.indexOf(node.operator as string);
  replace(at, at + (node.operator as string).length, other);
}

function mutateLiteral(node: SyntaxNode, replace: Replace): void {
  if (typeof node.value === "number") replace(node.start, node.end, String(node.value + 1));
  if (typeof node.value === "boolean") replace(node.start, node.end, String(!node.value));
  if (typeof node.value === "string")
    replace(node.start, node.end, node.value === "" ? '"x"' : '""');
}

/** Visits what runs: no types, no imports, and no arguments of errors, whose text no behaviour depends on. */
function walk(node: SyntaxNode, visit: (node: SyntaxNode) => void): void {
  const isType =
    node.type.startsWith("TS") && !/^TS(As|NonNull|Satisfies)Expression$/.test(node.type);
  if (isType || /^(Import|ExportAll)Declaration$/.test(node.type) || isErrorConstruction(node))
    return;
  visit(node);
  for (const [name, child] of Object.entries(node)) {
    if (name === "typeAnnotation" || name === "returnType" || name === "key") continue;
    for (const item of Array.isArray(child) ? child : [child]) {
      if (isNode(item)) walk(item, visit);
    }
  }
}

function isErrorConstruction(node: SyntaxNode): boolean {
  return (
    node.type === "NewExpression" && String((node.callee as SyntaxNode).name).endsWith("Error")
  );
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}
