// What a package exports, read from its emitted declarations: name, documentation and declaration of each.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSync, type Comment, type Statement } from "oxc-parser";

export type Kind = "function" | "class" | "constant" | "type";

export interface Declaration {
  readonly name: string;
  readonly kind: Kind;
  /** The TSDoc comment in front of it, without its frame. */
  readonly comment: string;
  /** As it would stand in a declaration file; of an overloaded function, all of them. */
  readonly code: string;
}

interface DeclarationFile {
  readonly path: string;
  readonly text: string;
  readonly body: readonly Statement[];
  readonly comments: readonly Comment[];
}

/** Everything that the declaration file exports, in its order. */
export function exportedDeclarations(path: string): Declaration[] {
  const file = parse(path);
  return file.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration") return [];
    const names =
      statement.declaration === null
        ? statement.specifiers.map(({ local, exported }) => [nameOf(local), nameOf(exported)])
        : namesOf(statement.declaration).map((name) => [name, name]);
    const source = statement.source === null ? path : join(dirname(path), statement.source.value);
    return names.map(([local, exported]) =>
      describe(declarationFile(source), local!, exported!, path),
    );
  });
}

function describe(path: string, local: string, exported: string, from: string): Declaration {
  const file = parse(path);
  const statements = file.body.filter((statement) => declares(statement, local));
  const [first] = statements;
  if (first === undefined) {
    const again = exportedDeclarations(path).find(({ name }) => name === local);
    if (again !== undefined) return { ...again, name: exported };
    throw new Error(`${from} exports ${exported}, which ${path} does not declare.`);
  }
  const code = statements.map(({ start, end }) => file.text.slice(start, end)).join("\n");
  return { name: exported, kind: kindOf(first), comment: commentBefore(file, first), code };
}

function declares(statement: Statement, name: string): boolean {
  const declaration = declarationOf(statement);
  return declaration !== undefined && namesOf(declaration).includes(name);
}

function declarationOf(statement: Statement): object | undefined {
  if (statement.type !== "ExportNamedDeclaration") return statement;
  return statement.declaration ?? undefined;
}

interface Named {
  readonly type: string;
  readonly id?: { readonly name: string } | null;
  readonly declarations?: readonly { readonly id: { readonly name: string } }[];
}

function namesOf(declaration: object): string[] {
  const { id, declarations } = declaration as Named;
  if (declarations !== undefined) return declarations.map((one) => one.id.name);
  return id === undefined || id === null ? [] : [id.name];
}

function nameOf(name: { readonly type: string }): string {
  return (name as unknown as { readonly name: string }).name;
}

const KINDS: Readonly<Record<string, Kind>> = {
  TSDeclareFunction: "function",
  FunctionDeclaration: "function",
  ClassDeclaration: "class",
  VariableDeclaration: "constant",
  TSInterfaceDeclaration: "type",
  TSTypeAliasDeclaration: "type",
};

function kindOf(statement: Statement): Kind {
  const { type } = declarationOf(statement) as Named;
  const kind = KINDS[type];
  if (kind === undefined) throw new Error(`A ${type} is exported; say here what it is.`);
  return kind;
}

/** The last doc comment between the statement and the one in front of it. */
function commentBefore({ text, comments }: DeclarationFile, { start }: Statement): string {
  const comment = comments.findLast(
    ({ type, value, end }) =>
      type === "Block" &&
      value.startsWith("*") &&
      end <= start &&
      text.slice(end, start).trim() === "",
  );
  return comment === undefined ? "" : unframe(comment.value);
}

function unframe(comment: string): string {
  return comment
    .slice(1)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
    .join("\n")
    .trim();
}

function declarationFile(source: string): string {
  return source.replace(/(?<!\.d)\.ts$/, ".d.ts");
}

function parse(path: string): DeclarationFile {
  const text = readFileSync(path, "utf8");
  const { program, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  return { path, text, body: program.body as Statement[], comments };
}
