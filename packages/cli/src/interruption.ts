// Ctrl-C and SIGTERM: the first lets a command finish the batch at hand and say how to go on; the second ends it at once,
// which harms nothing either, because every batch is complete or not there.
import { EXIT } from "./exit.ts";
import { CommandError } from "./failure.ts";

export interface Interruption {
  /** Aborted by the first signal. Its reason is a {@link CommandError} with the exit code of that signal. */
  readonly signal: AbortSignal;
  readonly release: () => void;
}

type Signal = "SIGINT" | "SIGTERM";
const CODES: Readonly<Record<Signal, number>> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
};

export function watchInterruption(note: (text: string) => void): Interruption {
  const controller = new AbortController();
  const interrupt = (signal: Signal): void => {
    if (controller.signal.aborted) process.exit(CODES[signal]);
    const again = signal === "SIGINT" ? " Ctrl-C again stops at once." : "";
    note(`Stopping after the batch at hand.${again}`);
    const message = "Interrupted before the end.";
    controller.abort(new CommandError("INTERRUPTED", message, { exitCode: CODES[signal] }));
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return {
    signal: controller.signal,
    release: () => {
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", interrupt);
    },
  };
}
