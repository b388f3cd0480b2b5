// The code blocks of a markdown page, with what a reader of the page already has when coming to each.
// An HTML comment in front of a block holds lines that readers need not see:
//
//     <!-- given
//     declare const sequelize: Sequelize;
//     -->
//
// A block whose first line is a comment with a file name, as "// user.ts", is that file.

export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** The lines of the comment in front of it. */
  readonly given: string;
  /** Of the block's first line of code, from 1. */
  readonly line: number;
  /** The file that the block is, by its first line. */
  readonly file: string | undefined;
}

const BLOCK: RegExp =
  /(?:<!-- given\n(?<given>[^]*?)-->\s*\n)?^(?<indent> *)```(?<language>\w+)[^\n]*\n(?<code>[^]*?)^ *```$/gm;

export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(BLOCK)].map((match) => {
    const { given = "", indent = "", language = "", code = "" } = match.groups ?? {};
    const fenceAt = match.index + match[0].indexOf("```");
    return {
      language,
      code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      given,
      line: markdown.slice(0, fenceAt).split("\n").length + 1,
      file: /^ *(?:\/\/|#) (?<file>[\w.-]+\.\w+)\n/.exec(code)?.groups?.file,
    };
  });
}
