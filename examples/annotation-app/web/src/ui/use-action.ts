// Something that a button starts: busy while it runs, and a note when it fails.
import { useState } from "preact/hooks";
import { notify } from "./announcer.tsx";
import { asError } from "./use-remote.ts";

export interface Action {
  readonly isBusy: boolean;
  /** Runs one task at a time. `onFailure` returns true for a failure that it shows itself. */
  run(task: () => Promise<void>, onFailure?: (error: Error) => boolean): void;
}

export function useAction(): Action {
  const [isBusy, setBusy] = useState(false);
  const start = async (
    task: () => Promise<void>,
    onFailure: (error: Error) => boolean,
  ): Promise<void> => {
    setBusy(true);
    try {
      await task();
    } catch (cause) {
      const error = asError(cause);
      if (!onFailure(error)) notify(error.message, true);
    }
    setBusy(false);
  };
  return { isBusy, run: (task, onFailure = () => false) => void start(task, onFailure) };
}
