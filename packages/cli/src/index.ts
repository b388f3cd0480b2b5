// For fieldseal.config.ts.
export { defineConfig, type FieldsealConfig } from "./config.ts";
