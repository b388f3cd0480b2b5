// The adapter's one source on both versions of MikroORM, side by side in one process: modules of `src` loaded with
// `?mikro-orm=6` get MikroORM 6 from the workspace in test/mikro-orm-6.
import { registerHooks } from "node:module";
import type { Migrator as MigratorClass } from "@mikro-orm/migrations";
import type * as CoreModule from "@mikro-orm/postgresql";
import type * as AdapterModule from "../src/index.ts";

const MARK = "?mikro-orm=6";
const workspace = new URL("../../../test/mikro-orm-6/package.json", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (context.parentURL?.endsWith(MARK) !== true) return next(specifier, context);
    if (specifier.startsWith("@mikro-orm/")) {
      return next(specifier, { ...context, parentURL: workspace });
    }
    const resolved = next(specifier, context);
    const isOurs = resolved.url.includes("/packages/mikro-orm/");
    return isOurs ? { ...resolved, url: resolved.url + MARK } : resolved;
  },
});

export type Adapter = typeof AdapterModule;
export type Core = typeof CoreModule;

export interface Version {
  readonly name: "MikroORM 7" | "MikroORM 6";
  readonly number: 6 | 7;
  readonly adapter: Adapter;
  /** MikroORM itself, with version 7's types; the tests use what both have. */
  readonly core: Core;
  readonly Migrator: typeof MigratorClass;
}

async function load(number: 6 | 7): Promise<Version> {
  const mark = number === 6 ? MARK : "";
  const adapter = (await import(`../src/index.ts${mark}`)) as Adapter;
  const own = (await import(`./mikro-orm.ts${mark}`)) as Pick<Version, "core" | "Migrator">;
  return { name: `MikroORM ${number}`, number, adapter, ...own };
}

export const versions: readonly Version[] = [await load(7), await load(6)];
