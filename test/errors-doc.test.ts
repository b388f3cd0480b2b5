import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, "utf8");

/** What errors.md says about one code. */
interface Section {
  readonly code: string;
  readonly classes: readonly string[];
  readonly when: string;
  readonly remedy: string;
}

const sections: readonly Section[] = read("docs/reference/errors.md")
  .split(/^(?=##)/m)
  .filter((part) => part.startsWith("### ERR_"))
  .map((part) => {
    const item = (name: string): string =>
      new RegExp(`^- ${name}: ([^]*?)(?=^- |\\s*$(?![^]))`, "m").exec(part)?.[1]?.trim() ?? "";
    return {
      code: /^### (\w+)\n/.exec(part)?.[1] ?? part,
      classes: [...item("class").matchAll(/`(\w+)`/g)].map((match) => match[1]!).toSorted(),
      when: item("when"),
      remedy: item("do"),
    };
  });

const union =
  /export type ErrorCode =[^;]*;/.exec(read("packages/crypto/src/errors.ts"))?.[0] ?? "";
const codes = codesIn(union).toSorted();

const source = globSync("packages/*/src/**/*.ts", { cwd: root }).map(read).join("\n");
/** Each error class's own source, by name. */
const classes = new Map(
  [...source.matchAll(/^export class (\w+Error) extends [^]*?^}$/gm)].map((match) => [
    match[1]!,
    match[0],
  ]),
);
/** The source without the union and the classes: where errors are made. */
const callers = [union, ...classes.values()].reduce((rest, part) => rest.replace(part, ""), source);

function codesIn(text: string): string[] {
  return [...text.matchAll(/"(ERR_\w+)"/g)].map((match) => match[1]!);
}

/** The classes that carry a code: those that fix or default it, and those that are given it. */
function classesOf(code: string): string[] {
  const given = [...callers.matchAll(/new (\w+Error)\(\s*"(ERR_\w+)"/g)]
    .filter((match) => match[2] === code)
    .map((match) => match[1]!);
  const fixing = [...classes]
    .filter(([, body]) => codesIn(body).includes(code))
    .map(([name]) => name);
  return [...new Set([...given, ...fixing])].toSorted();
}

describe("the error codes", () => {
  it("are the headings of docs/reference/errors.md, each once", () => {
    expect(sections.map(({ code }) => code).toSorted()).to.deep.equal(codes);
    expect(codes.length).to.be.greaterThan(15);
  });

  it("are named by area and what happened", () => {
    for (const code of codes) expect(code).to.match(/^ERR_[A-Z]+(_[A-Z]+)+$/);
  });

  it("have no copies outside the union", () => {
    expect(codesIn(source).filter((code) => !codes.includes(code))).to.deep.equal([]);
  });

  for (const code of codes) {
    it(`${code} is thrown, by the classes that the page names, and explained`, () => {
      const section = sections.find((one) => one.code === code)!;
      expect(section.classes).to.deep.equal(classesOf(code));
      expect(section.when).to.match(/\.$/);
      expect(section.remedy).to.match(/\.$/);
      // A code that only a class fixes is thrown where that class is made.
      const isThrown =
        codesIn(callers).includes(code) ||
        section.classes.some((name) => callers.includes(`new ${name}(`));
      expect(isThrown, "thrown").to.equal(true);
    });
  }

  it("belong to classes that the crypto package exports", () => {
    const exported = read("packages/crypto/src/index.ts");
    for (const name of sections.flatMap((section) => section.classes)) {
      expect(exported).to.match(new RegExp(`\\b${name},`));
    }
  });
});
