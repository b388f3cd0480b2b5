// One page of docs/reference/api/ for each package: what its declarations say, as Markdown.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { publishedPackages, root, type PublishedPackage } from "../support/packed-project.ts";
import { exportedDeclarations, type Declaration, type Kind } from "./declarations.ts";

/** Relative to the repository. */
export const FOLDER = "docs/reference/api";

export interface Page {
  readonly path: string;
  readonly markdown: string;
}

/** All pages, as they ought to be. The packages must be built. */
export function apiPages(): Page[] {
  const packages = publishedPackages().filter(({ specifiers }) => specifiers.length > 0);
  const places = new Map<string, string>();
  for (const one of packages) {
    for (const { name } of entries(one).flatMap(({ declarations }) => declarations)) {
      if (!places.has(name)) places.set(name, pageName(one));
    }
  }
  return packages.map((one) => ({
    path: `${FOLDER}/${pageName(one)}`,
    markdown: page(one, places),
  }));
}

interface Entry {
  readonly specifier: string;
  readonly declarations: readonly Declaration[];
}

function entries({ folder, manifest }: PublishedPackage): Entry[] {
  return Object.entries(manifest.exports).flatMap(([subpath, target]) => {
    if (typeof target === "string" || target.types === undefined) return [];
    const declarations = exportedDeclarations(join(root, folder, target.types));
    return [{ specifier: manifest.name + subpath.slice(1), declarations }];
  });
}

function pageName({ manifest }: PublishedPackage): string {
  return `${manifest.name.replace("@fieldseal/", "")}.md`;
}

const TITLES: readonly (readonly [Kind, string])[] = [
  ["function", "Functions"],
  ["class", "Classes"],
  ["constant", "Constants"],
  ["type", "Types"],
];

function page(one: PublishedPackage, places: ReadonlyMap<string, string>): string {
  const link = linker(pageName(one), places);
  const sections = entries(one).map(({ specifier, declarations }) => {
    const groups = TITLES.flatMap(([kind, title]) => {
      const members = declarations
        .filter((declaration) => declaration.kind === kind)
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
      if (members.length === 0) return [];
      return [`### ${title}`, ...members.map((member) => section(member, link))];
    });
    return [`## ${specifier}`, headOf(one, specifier), ...groups].join("\n\n");
  });
  const title = `# API of ${one.manifest.name}`;
  const note = `<!-- Written by \`npm run api\` from the TSDoc of the source. -->`;
  return `${[title, note, `${one.manifest.description}.`, ...sections].join("\n\n")}\n`;
}

/** What the file itself says at its top. */
function headOf({ folder, manifest }: PublishedPackage, specifier: string): string {
  const target = manifest.exports[`.${specifier.slice(manifest.name.length)}`];
  const source = typeof target === "string" ? "" : (target?.["@fieldseal/source"] ?? "");
  const lines = readFileSync(join(root, folder, source), "utf8").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^\/\/ ?/, ""))
    .join("\n");
}

type Link = (name: string) => string;

function linker(page: string, places: ReadonlyMap<string, string>): Link {
  return (name) => {
    const place = places.get(name);
    if (place === undefined) return `\`${name}\``;
    return `[\`${name}\`](${place === page ? "" : place}#${name.toLowerCase()})`;
  };
}

function section({ name, comment, code }: Declaration, link: Link): string {
  // A line in front, so that a comment that is all tags has an empty text before them.
  const [text = "", ...tags] = `\n${comment}`.split(/^(?=@\w+)/m);
  const parts = [`#### ${name}`, withLinks(text.trim(), link), block(code)];
  return [...parts, ...tags.map((tag) => tagText(tag, link))]
    .filter((part) => part !== "")
    .join("\n\n");
}

const TAG_TITLES: Readonly<Record<string, string>> = {
  "@throws": "Throws",
  "@see": "See",
  "@returns": "Gives",
  "@param": "Parameter",
};

function tagText(tag: string, link: Link): string {
  const [, name = "", rest = ""] = /^(@\w+)\s*([^]*)$/.exec(tag) ?? [];
  if (name === "@example") {
    const code = rest
      .trim()
      .replaceAll(/^```\w*$/gm, "")
      .trim();
    return `Example:\n\n\`\`\`typescript\n${code}\n\`\`\``;
  }
  return `${TAG_TITLES[name] ?? name.slice(1)}: ${withLinks(rest.trim(), link)}`;
}

function withLinks(text: string, link: Link): string {
  return text.replaceAll(/\{@link\s+([^}|\s]+)[^}]*\}/g, (_, name: string) => link(name));
}

/** Not "ts": such blocks are compiled as code that a reader would write. */
function block(code: string): string {
  const shown = code
    .replaceAll(/^export |^declare /gm, "")
    .replaceAll(/^declare /gm, "")
    .replaceAll(/^ +(#private|\[inspect\].*);\n/gm, "")
    .replaceAll(/\{@link\s+([^}|\s]+)[^}]*\}/g, "$1")
    .replaceAll(/^( +)/gm, (indent) => " ".repeat(indent.length / 2));
  return `\`\`\`typescript\n${shown}\n\`\`\``;
}
