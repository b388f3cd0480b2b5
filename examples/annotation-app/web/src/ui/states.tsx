// What a pane shows when it has nothing to show: not yet, nothing there, or not possible.
import type { ComponentChildren, JSX } from "preact";
import { Button } from "./button.tsx";
import { Icon, type IconName } from "./icon.tsx";

interface EmptyProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
}

export function Empty({ icon, title, children }: EmptyProps): JSX.Element {
  return (
    <div class="state">
      <span class="state-icon">
        <Icon name={icon} />
      </span>
      <p class="state-title">{title}</p>
      {children !== undefined && <div class="state-text">{children}</div>}
    </div>
  );
}

interface FailedProps {
  readonly title: string;
  readonly error: Error;
  readonly onRetry: () => void;
}

export function Failed({ title, error, onRetry }: FailedProps): JSX.Element {
  return (
    <div class="state is-failed" role="alert">
      <span class="state-icon">
        <Icon name={error.name === "OfflineError" ? "offline" : "alert"} />
      </span>
      <p class="state-title">{title}</p>
      <p class="state-text">{error.message}</p>
      <Button icon="refresh" onClick={onRetry}>
        Try again
      </Button>
    </div>
  );
}

/** Grey lines of the final height: what loads takes its place without moving anything. */
export function Skeleton({ lines }: { readonly lines: number }): JSX.Element {
  return (
    <div class="skeleton" aria-busy="true" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} class="skeleton-line" />
      ))}
    </div>
  );
}
