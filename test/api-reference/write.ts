// `npm run api`: writes docs/reference/api/ anew.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/packed-project.ts";
import { apiPages, FOLDER } from "./page.ts";

rmSync(join(root, FOLDER), { recursive: true, force: true });
mkdirSync(join(root, FOLDER), { recursive: true });
for (const { path, markdown } of apiPages()) writeFileSync(join(root, path), markdown);
