// docs/reference/options.md lists exactly the options that exist.
import { readFileSync } from "node:fs";
import { channels, ColumnCipher, SUITE_NAMES, textCodec } from "@fieldseal/crypto";
import { expect } from "chai";

const page = readFileSync(new URL("../docs/reference/options.md", import.meta.url), "utf8");

/** First cells of the table whose header starts with this cell. */
function firstCells(header: string, from = 0): string[] {
  const table = page.slice(page.indexOf(`| ${header} |`, from)).split("\n\n")[0] ?? "";
  return table
    .split("\n")
    .slice(2)
    .flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)])
    .map((match) => match[1] as string);
}

/** The message for an unknown option lists the known ones. */
function knownOptions(): string[] {
  try {
    return new ColumnCipher({
      codec: textCodec,
      label: "t.c",
      options: { nonsense: true } as never,
      defaultContext: { table: "t", column: "c" },
    }).label.split(""); // unreachable: an unknown option is refused
  } catch (error) {
    const list = /Known: ([^.]+)\./.exec((error as Error).message)?.[1] ?? "";
    return list.split(", ");
  }
}

describe("the reference of options", () => {
  it("lists every option of a column, and no other", () => {
    expect(firstCells("option")).to.have.members(knownOptions());
  });

  it("names every suite", () => {
    for (const suite of SUITE_NAMES) expect(page).to.include(`"${suite}"`);
  });

  it("lists every diagnostics channel", () => {
    const names = Object.values(channels).map(({ name }) => name);
    expect(firstCells("channel")).to.have.members(names);
  });
});
