// Tests run on TypeScript source: Node 24 strips types. The condition makes sibling packages resolve to source.
// `npm test -- packages/crypto/test/keyring.test.ts` runs the named files only; Mocha alone would add them.
const isNamingFiles = process.argv.slice(2).some((argument) => argument.endsWith(".test.ts"));

module.exports = {
  spec: isNamingFiles
    ? []
    : [
        "packages/*/test/**/*.test.ts",
        "examples/*/test/**/*.test.ts",
        "examples/*/web/test/**/*.test.ts",
        "test/**/*.test.ts",
      ],
  "node-option": ["conditions=@fieldseal/source", "enable-source-maps", "expose-gc"],
  require: ["./test/support/global-hooks.ts"],
  reporter: "./test/support/reporter.cjs",
  timeout: 20_000,
  forbidOnly: Boolean(process.env.CI),
};
