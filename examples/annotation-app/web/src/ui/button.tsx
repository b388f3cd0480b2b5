import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icon.tsx";

interface ButtonProps {
  readonly children: ComponentChildren;
  readonly onClick?: () => void;
  readonly icon?: IconName;
  readonly kind?: "plain" | "primary" | "danger" | "quiet";
  readonly type?: "button" | "submit";
  readonly disabled?: boolean;
  readonly isBusy?: boolean;
  /** Of a button that stays on or off. */
  readonly isPressed?: boolean;
  /** In a dialog: has the focus when it opens. */
  readonly isInitial?: boolean;
  readonly testId?: string;
}

/** A busy button keeps its width, its focus and its text; it only stops answering. */
export function Button({
  children,
  onClick,
  icon,
  kind = "plain",
  type = "button",
  disabled = false,
  isBusy = false,
  isPressed,
  isInitial = false,
  testId,
}: ButtonProps): JSX.Element {
  return (
    <button
      type={type}
      class={`button is-${kind}`}
      disabled={disabled}
      aria-busy={isBusy}
      aria-pressed={isPressed}
      autofocus={isInitial}
      data-testid={testId}
      onClick={isBusy ? undefined : onClick}
    >
      {isBusy ? <span class="spinner" /> : icon && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  );
}

interface IconButtonProps {
  readonly icon: IconName;
  /** Spoken, and shown as the tooltip. */
  readonly name: string;
  /** Shown behind the name in the tooltip. */
  readonly keys?: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
  readonly isPressed?: boolean;
}

export function IconButton({
  icon,
  name,
  keys,
  onClick,
  disabled = false,
  isPressed,
}: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={name}
      aria-pressed={isPressed}
      title={keys === undefined ? name : `${name} (${keys})`}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
