// Stands in for npm where the documentation is run: `npm install` takes our packages from the tarballs of this
// working copy and other people's from its node_modules; everything else is npm itself. Peers are not added: pages name them.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installedFolder, publishedPackages, root } from "./packed-project.ts";

/** A folder of tarballs and their names by package, as JSON: what `pack()` gave. */
const { folder, filenames, path } = JSON.parse(process.env.FIELDSEAL_OFFLINE_NPM!) as {
  folder: string;
  filenames: Record<string, string>;
  /** Where the real npm is. */
  path: string;
};
const packages = publishedPackages();
const [command, ...parameters] = process.argv.slice(2);

/** What npm needs to be told for one name: a folder or a tarball, and the same for what it depends on. */
function sourcesOf(name: string, from: string): string[] {
  const own = packages.find(({ manifest }) => manifest.name === name);
  if (own === undefined) return [installedFolder(from, name)];
  const dependencies = Object.keys(own.manifest.dependencies ?? {});
  return [
    join(folder, filenames[name]!),
    ...dependencies.flatMap((dependency) => sourcesOf(dependency, join(root, own.folder))),
  ];
}

function translate(parameter: string): string[] {
  return parameter.startsWith("-") ? [parameter] : sourcesOf(parameter, root);
}

const given =
  command === "install"
    ? ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", ...parameters.flatMap(translate)]
    : parameters;
const { status } = spawnSync("npm", [command ?? "help", ...given], {
  stdio: "inherit",
  env: { ...process.env, PATH: path },
});
process.exitCode = status ?? 1;
