// MikroORM as the version at hand has it; see versions.ts.
export * as core from "@mikro-orm/postgresql";
export { Migrator } from "@mikro-orm/migrations";
