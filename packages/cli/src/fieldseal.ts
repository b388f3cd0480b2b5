#!/usr/bin/env node
import { run } from "./program.ts";

// Whoever reads may stop reading (| head); the command itself goes on, and its exit code counts.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await run(process.argv.slice(2));
