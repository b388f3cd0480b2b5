// docs/reference/cli.md is the help that the command prints, for every command, and names what its JSON holds.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { Command } from "commander";
import { createOutput } from "../src/output.ts";
import { createProgram } from "../src/program.ts";

const page = readFileSync(
  fileURLToPath(new URL("../../../docs/reference/cli.md", import.meta.url)),
  "utf8",
);

/** Title, and all up to the next title. */
const sections = new Map(
  [...page.matchAll(/^##+ (.+)\n([^]*?)(?=^##+ |$(?![^]))/gm)].map(
    (match) => [match[1]!, match[2]!] as const,
  ),
);

function commandsOf(command: Command, path: readonly string[] = []): [string, Command][] {
  return [
    [path.join(" ") || command.name(), command],
    ...command.commands.flatMap((child) => commandsOf(child, [...path, child.name()])),
  ];
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text.trimEnd();
}

describe("docs/reference/cli.md", () => {
  const program = createProgram(createOutput("text"), () => {});
  const commands = commandsOf(program).filter(([name]) => name !== "help");

  for (const [name, command] of commands) {
    it(`shows the help of ${name}`, () => {
      const block = /```text\n([^]*?)\n```/.exec(sections.get(name) ?? "")?.[1];
      expect(block, `section "${name}"`).to.equal(helpOf(command));
    });
  }

  it("says of every command that prints JSON what that holds", () => {
    const speaking = commands.filter(([, command]) => command.commands.length === 0);
    const silent = speaking.filter(([name]) => !/^(?:interface|type) /m.test(sections.get(name)!));
    // It is the same command as "migrate run".
    expect(silent.map(([name]) => name)).to.deep.equal(["migrate resume"]);
  });

  it("describes every option, and every argument of a command", () => {
    for (const [name, command] of commands) {
      const parts = [...command.options, ...command.registeredArguments];
      for (const part of parts) expect(part.description, name).to.match(/^\S.+[^.]$/);
      for (const line of helpOf(command).split("\n")) {
        expect(line.length, `${name}: ${line}`).to.be.lessThan(81);
      }
    }
  });
});
