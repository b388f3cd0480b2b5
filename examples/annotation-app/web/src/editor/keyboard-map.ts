// Every key of the annotation screen, in one table: the dispatcher and the help sheet both read it, so that the
// sheet cannot lie. Digits mean labels and nothing else.

export type Command =
  | { readonly kind: "nudge"; readonly dx: number; readonly dy: number }
  | { readonly kind: "resize"; readonly dx: number; readonly dy: number }
  | { readonly kind: "label"; readonly index: number }
  | { readonly kind: SimpleCommand };

export type SimpleCommand =
  | "new-box"
  | "delete"
  | "undo"
  | "redo"
  | "copy"
  | "paste"
  | "duplicate"
  | "escape"
  | "zoom-in"
  | "zoom-out"
  | "zoom-fit"
  | "draw-tool"
  | "previous-frame"
  | "next-frame"
  | "next-unreviewed"
  | "toggle-reviewed"
  | "detections"
  | "next-pane"
  | "previous-pane"
  | "help";

/** The part of a KeyboardEvent that decides. */
export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const PLAIN: Readonly<Record<string, SimpleCommand>> = {
  n: "new-box",
  delete: "delete",
  backspace: "delete",
  escape: "escape",
  "+": "zoom-in",
  "=": "zoom-in",
  "-": "zoom-out",
  _: "zoom-out",
  b: "draw-tool",
  d: "previous-frame",
  f: "next-frame",
  g: "next-unreviewed",
  r: "toggle-reviewed",
  o: "detections",
  f6: "next-pane",
  "?": "help",
};

const WITH_CONTROL: Readonly<Record<string, SimpleCommand>> = {
  z: "undo",
  y: "redo",
  c: "copy",
  v: "paste",
  d: "duplicate",
};

/** The command that a key stands for, or null when the key belongs to the browser. */
export function commandFor(press: KeyPress): Command | null {
  if (press.altKey) return null;
  const isControl = press.ctrlKey || press.metaKey;
  const arrow = ARROWS[press.key];
  if (arrow) return arrowCommand(arrow, isControl, press.shiftKey ? 10 : 1);
  const key = press.key.toLowerCase();
  if (isControl) {
    if (key === "z" && press.shiftKey) return { kind: "redo" };
    const kind = press.shiftKey ? undefined : WITH_CONTROL[key];
    return kind ? { kind } : null;
  }
  if (key === "0") return { kind: "zoom-fit" };
  if (/^[1-9]$/.test(key)) return { kind: "label", index: Number(key) - 1 };
  if (key === "f6" && press.shiftKey) return { kind: "previous-pane" };
  const kind = PLAIN[key];
  return kind ? { kind } : null;
}

function arrowCommand(
  [x, y]: readonly [number, number],
  isControl: boolean,
  step: number,
): Command {
  return { kind: isControl ? "resize" : "nudge", dx: x * step, dy: y * step };
}

export interface HelpRow {
  /** Alternatives, each a combination pressed together. */
  readonly keys: readonly (readonly string[])[];
  /** The two alternatives are the ends of a range. */
  readonly isRange?: boolean;
  readonly does: string;
}

export interface HelpGroup {
  readonly title: string;
  readonly rows: readonly HelpRow[];
}

/** The help sheet. */
export const HELP: readonly HelpGroup[] = [
  {
    title: "Boxes",
    rows: [
      { keys: [["N"]], does: "New box in the middle of the view" },
      { keys: [["B"]], does: "Draw tool on or off: draws even on top of a box" },
      { keys: [["Tab"], ["Shift", "Tab"]], does: "Next, previous box" },
      { keys: [["←"], ["↑"], ["→"], ["↓"]], does: "Move by 1 pixel" },
      { keys: [["Shift", "←"]], does: "Move by 10 pixels" },
      { keys: [["Ctrl", "←"]], does: "Resize by 1 pixel; with Shift by 10" },
      { keys: [["1"], ["9"]], isRange: true, does: "Set the label" },
      { keys: [["Del"]], does: "Delete the box" },
      {
        keys: [
          ["Ctrl", "C"],
          ["Ctrl", "V"],
        ],
        does: "Copy, paste; also into another frame",
      },
      { keys: [["Ctrl", "D"]], does: "Duplicate" },
      { keys: [["Esc"]], does: "Cancel the gesture, leave the note; else deselect" },
    ],
  },
  {
    title: "Frames",
    rows: [
      { keys: [["D"], ["F"]], does: "Previous, next frame" },
      { keys: [["G"]], does: "Next frame not reviewed" },
      { keys: [["R"]], does: "Reviewed, or not" },
    ],
  },
  {
    title: "View",
    rows: [
      { keys: [["+"], ["-"]], does: "Zoom in, out" },
      { keys: [["0"]], does: "Fit the image" },
      { keys: [["Space", "drag"]], does: "Pan; also the middle button or two fingers" },
      { keys: [["O"]], does: "Original detections, or not" },
      { keys: [["F6"], ["Shift", "F6"]], does: "Next, previous pane" },
    ],
  },
  {
    title: "Everywhere",
    rows: [
      { keys: [["Ctrl", "Z"]], does: "Undo" },
      {
        keys: [
          ["Ctrl", "Shift", "Z"],
          ["Ctrl", "Y"],
        ],
        does: "Redo",
      },
      { keys: [["?"]], does: "This sheet" },
    ],
  },
];
