#!/usr/bin/env node
import { describeFailure } from "./failure.ts";
import { createOutput } from "./output.ts";
import { formatOf, run } from "./program.ts";

// Whoever reads may stop reading (| head); the command itself goes on, and its exit code counts.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

const parameters = process.argv.slice(2);
const output = createOutput(formatOf(parameters));

// Of the user's own configuration, or a fault of ours: told as any other failure.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    const failure = describeFailure(error);
    output.failure(failure);
    process.exit(failure.exitCode);
  });
}

const exitCode = await run(parameters, output);
process.exitCode = exitCode;
// Hooks of packages that the configuration loads may end the process, as if all had gone well.
process.once("exit", () => {
  process.exitCode = exitCode;
});

// An ORM that the configuration does not close would hold the process for ever.
setTimeout(() => process.exit(), 500).unref();
