// The keys of the annotation screen. Keys typed into a field, or while a dialog is open, are not commands.
import { useEffect, useRef } from "preact/hooks";
import type { BoxEditor } from "../editor/box-editor.ts";
import { commandFor, type SimpleCommand } from "../editor/keyboard-map.ts";

export type ScreenCommands = Partial<Record<SimpleCommand, () => void>>;

export function useKeyboard(editor: BoxEditor | null, commands: ScreenCommands): void {
  const latest = useRef(commands);
  latest.current = commands;
  useEffect(() => {
    const onDown = (event: KeyboardEvent): void => {
      if (document.querySelector("dialog[open]")) return;
      // F6 leaves a field as well: it types nothing.
      if (isTyping(event.target) && event.key !== "F6") return;
      if (event.key === " " && isAtCanvas(event.target) && editor) {
        editor.isSpaceDown = true;
        event.preventDefault();
        return;
      }
      const command = commandFor(event);
      if (!command) return;
      const ofScreen =
        "dx" in command || "index" in command ? undefined : latest.current[command.kind];
      // Arrows and Delete act on boxes only from the canvas: a focused list scrolls with the same keys.
      const isForCanvas = "dx" in command || command.kind === "delete" || command.kind === "copy";
      if (isForCanvas && !isAtCanvas(event.target)) return;
      if (ofScreen) ofScreen();
      else if (!editor?.run(command)) return;
      event.preventDefault();
    };
    const onUp = (event: KeyboardEvent): void => {
      if (event.key.startsWith("Arrow")) editor?.releaseArrow();
      if (event.key === " " && editor) editor.isSpaceDown = false;
    };
    const onBlur = (): void => {
      editor?.releaseArrow();
      if (editor) editor.isSpaceDown = false;
    };
    addEventListener("keydown", onDown);
    addEventListener("keyup", onUp);
    addEventListener("blur", onBlur);
    return () => {
      removeEventListener("keydown", onDown);
      removeEventListener("keyup", onUp);
      removeEventListener("blur", onBlur);
    };
  }, [editor]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select") !== null;
}

/** A click on nothing in particular leaves the focus on the page, or on <main>. */
function isAtCanvas(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  return target.matches("body, main") || target.closest(".canvas") !== null;
}

/** F6 walks the panes, as on every desktop: the way out of a canvas where Tab means "next box". */
export function focusPane(step: 1 | -1): void {
  const panes = [...document.querySelectorAll<HTMLElement>("[data-pane]")];
  const at = panes.findIndex((pane) => pane.contains(document.activeElement));
  const next = panes[(at + step + panes.length) % panes.length];
  // Where one works in a pane before whatever stands first in it: the canvas, the frame that is open.
  for (const place of [".editor", "[aria-current]", "button:enabled, a, select, input"]) {
    const target = next?.querySelector<HTMLElement | SVGElement>(place);
    if (target) return target.focus();
  }
}
