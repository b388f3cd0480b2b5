// A modal dialog by the platform's own <dialog>: it traps the focus, closes by Escape and gives the focus back.
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { IconButton } from "./button.tsx";

interface DialogProps {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly isWide?: boolean;
  /** Absent for a question that must be answered. */
  readonly onClose?: () => void;
}

export function Dialog({
  title,
  children,
  actions,
  isWide = false,
  onClose,
}: DialogProps): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  const isLeaving = useRef(false);
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => {
      // Closed before it is taken away, it gives the focus back to where it was.
      isLeaving.current = true;
      dialog?.close();
    };
  }, []);
  // Chromium closes a dialog at the second Escape whatever the page says; a question that must be answered returns.
  const onClosed = (): void => {
    if (isLeaving.current) return;
    if (onClose) onClose();
    else ref.current?.showModal();
  };
  const onBackdrop = (event: MouseEvent): void => {
    if (event.target === ref.current) onClose?.();
  };
  return (
    <dialog
      ref={ref}
      class={isWide ? "dialog is-wide" : "dialog"}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClose={onClosed}
      onClick={onBackdrop}
    >
      <div class="dialog-body">
        <header class="dialog-header">
          <h2>{title}</h2>
          {onClose && <IconButton icon="close" name="Close" onClick={onClose} />}
        </header>
        {children}
        {actions !== undefined && <footer class="dialog-actions">{actions}</footer>}
      </div>
    </dialog>
  );
}
