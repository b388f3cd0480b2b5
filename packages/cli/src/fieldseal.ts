#!/usr/bin/env node
import { describeFailure } from "./failure.ts";
import { run } from "./program.ts";

// Whoever reads may stop reading (| head); the command itself goes on, and its exit code counts.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

// Of the user's own configuration, or a fault of ours: told as any other failure.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    const { message, code, exitCode } = describeFailure(error);
    process.stderr.write(`error  ${message} [${code}]\n`);
    process.exit(exitCode);
  });
}

process.exitCode = await run(process.argv.slice(2));

// An ORM that the configuration does not close would hold the process for ever.
setTimeout(() => process.exit(), 500).unref();
