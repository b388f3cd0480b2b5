// MikroORM as the version at hand has it; see versions.ts.
export * as core from "@mikro-orm/postgresql";
