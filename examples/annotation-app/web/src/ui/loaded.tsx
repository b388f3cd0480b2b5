// The three states of something remote: its value, the reason why there is none, or grey lines until there is.
import type { ComponentChildren, JSX } from "preact";
import { Failed, Skeleton } from "./states.tsx";
import type { Remote } from "./use-remote.ts";

interface LoadedProps<T> {
  readonly remote: Remote<T>;
  /** What to say when it fails: "The list did not load". */
  readonly failure: string;
  readonly skeletonLines: number;
  readonly children: (value: T) => ComponentChildren;
}

/** A value that is there stays on screen when loading it again fails; the failure is shown above. */
export function Loaded<T>({
  remote,
  failure,
  skeletonLines,
  children,
}: LoadedProps<T>): JSX.Element {
  const { value, error } = remote;
  return (
    <>
      {error && <Failed title={failure} error={error} onRetry={remote.reload} />}
      {value === null && !error && <Skeleton lines={skeletonLines} />}
      {value !== null && children(value)}
    </>
  );
}
