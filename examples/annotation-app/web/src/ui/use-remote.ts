// Loading something for a screen: the three states, and an answer that comes too late is ignored.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export interface Remote<T> {
  readonly value: T | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
  /** Loads again; what is shown stays until the new value is there. */
  reload(): void;
  /** Puts a value there that another request answered. */
  replace(value: T): void;
  /** Changes the value that is there, if one is. */
  update(change: (value: T) => T): void;
}

interface State<T> {
  readonly value: T | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
}

/** `key` names what is loaded: another key loads anew. */
export function useRemote<T>(key: string, load: () => Promise<T>): Remote<T> {
  const [state, setState] = useState<State<T>>({ value: null, error: null, isLoading: true });
  const [round, setRound] = useState(0);
  const replaced = useRef(0);
  useEffect(() => {
    const before = replaced.current;
    let isLeft = false;
    // What another request answered since is newer than what this one will.
    const isCurrent = (): boolean => !isLeft && before === replaced.current;
    setState((before) => ({ ...before, error: null, isLoading: true }));
    load().then(
      (value) => isCurrent() && setState({ value, error: null, isLoading: false }),
      (error: unknown) =>
        isCurrent() &&
        setState((before) => ({ ...before, error: asError(error), isLoading: false })),
    );
    return () => {
      isLeft = true;
    };
    // `load` is made anew by each rendering; the key says when it means something else.
  }, [key, round]);
  const reload = useCallback(() => {
    // At once, so that nobody takes what is there for the new value until the effect above has run.
    setState((before) => ({ ...before, isLoading: true }));
    setRound((value) => value + 1);
  }, []);
  const replace = useCallback((value: T) => {
    replaced.current += 1;
    setState({ value, error: null, isLoading: false });
  }, []);
  const update = useCallback(
    (change: (value: T) => T) =>
      setState((before) =>
        before.value === null ? before : { ...before, value: change(before.value) },
      ),
    [],
  );
  return { ...state, reload, replace, update };
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error("Something went wrong.");
}
