// What a user gets: every published package packed by npm, and installed from the tarballs into an empty project.
// Nothing comes from the network; other people's packages are links into this repository's node_modules.
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeStaleOutput } from "./stale-output.ts";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly type?: string;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly license?: string;
  readonly sideEffects?: boolean;
  readonly files?: readonly string[];
  readonly repository?: { readonly url: string; readonly directory: string };
  readonly publishConfig?: Readonly<Record<string, unknown>>;
  readonly engines?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export interface PublishedPackage {
  /** Relative to the repository: "packages/crypto". */
  readonly folder: string;
  readonly manifest: Manifest;
  /** What may be imported: "@fieldseal/crypto", "@fieldseal/crypto/unsafe" and so on. */
  readonly specifiers: readonly string[];
}

export function publishedPackages(): PublishedPackage[] {
  return globSync("packages/*/package.json", { cwd: root })
    .toSorted()
    .map((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path), "utf8")) as Manifest;
      const specifiers = Object.keys(manifest.exports)
        .filter((subpath) => subpath !== "./package.json")
        .map((subpath) => manifest.name + subpath.slice(1));
      return { folder: dirname(path), manifest, specifiers };
    })
    .filter(({ manifest }) => manifest.private !== true);
}

export interface Packed {
  readonly filename: string;
  /** Bytes of the tarball. */
  readonly size: number;
  /** Bytes on the user's disk. */
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

export interface PackedProject {
  /** The empty project's folder. */
  readonly folder: string;
  /** By package name. */
  readonly packed: ReadonlyMap<string, Packed>;
  tarball(name: string): Buffer;
  remove(): void;
}

/** Packs and installs; about three seconds. */
export function installPacked(): PackedProject {
  const base = mkdtempSync(join(tmpdir(), "fieldseal-packed-"));
  const folder = join(base, "app");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{ "name": "app", "private": true }');
  const packed = pack(base);
  const tarballs = [...packed.values()].map(({ filename }) => join(base, filename));
  const needed = dependencies(publishedPackages());
  npm(folder, ["install", "--offline", "--ignore-scripts", ...tarballs, ...needed]);
  return {
    folder,
    packed,
    tarball: (name) => readFileSync(join(base, packed.get(name)!.filename)),
    remove: () => rmSync(base, { recursive: true, force: true }),
  };
}

interface Tarballs {
  readonly folder: string;
  readonly packed: ReadonlyMap<string, Packed>;
}

let tarballs: Tarballs | undefined;

/**
 * Puts a tarball of each published package into the folder, and gives them by package name. Compiled and packed once in a
 * process: that takes three seconds, and sources do not change during a test run.
 */
export function pack(destination: string): ReadonlyMap<string, Packed> {
  tarballs ??= packAnew();
  const { folder, packed } = tarballs;
  for (const { filename } of packed.values()) {
    copyFileSync(join(folder, filename), join(destination, filename));
  }
  return packed;
}

function packAnew(): Tarballs {
  const complaints = compile(["-b"], root);
  if (complaints !== "") throw new Error(complaints);
  removeStaleOutput();
  const workspaces = publishedPackages().flatMap(({ manifest }) => ["-w", manifest.name]);
  const folder = mkdtempSync(join(tmpdir(), "fieldseal-tarballs-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const listing = npm(root, ["pack", "--json", "--pack-destination", folder, ...workspaces]);
  const packed = JSON.parse(listing) as (Packed & { name: string })[];
  return { folder, packed: new Map(packed.map((entry) => [entry.name, entry])) };
}

const OUR_COMPILER = join(root, "node_modules/typescript/bin/tsc");

/** Runs the TypeScript compiler; gives what it says, which is nothing if all is well. */
export function compile(
  parameters: readonly string[],
  cwd: string,
  compiler: string = OUR_COMPILER,
): string {
  const result = spawnSync(process.execPath, [compiler, ...parameters, "--pretty", "false"], {
    cwd,
    encoding: "utf8",
  });
  return result.stdout + result.stderr;
}

/** Folders of what the packages declare, and of the types that any TypeScript project on Node has. */
function dependencies(packages: readonly PublishedPackage[]): string[] {
  const own = new Set(packages.map(({ manifest }) => manifest.name));
  const declared = packages.flatMap(({ folder, manifest }) =>
    Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
      .filter((name) => !own.has(name))
      .map((name) => installedFolder(join(root, folder), name)),
  );
  return [...new Set([...declared, installedFolder(root, "@types/node")])];
}

/** The nearest, as Node finds it: another version may lie further up. Not by resolving the package: some export neither their root nor their package.json. */
export function installedFolder(from: string, name: string): string {
  const places = createRequire(join(from, "package.json")).resolve.paths(name) ?? [];
  const found = places.find((place) => existsSync(join(place, name, "package.json")));
  if (found === undefined) throw new Error(`${name} is declared but not installed. Run npm ci.`);
  return join(found, name);
}

function npm(cwd: string, parameters: readonly string[]): string {
  return execFileSync("npm", [...parameters, "--no-audit", "--no-fund", "--loglevel", "error"], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}
