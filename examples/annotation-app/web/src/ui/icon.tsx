// The icons, drawn on a 20 by 20 grid with one stroke width. They are decoration: whoever uses one names the control.
import type { JSX } from "preact";

const PATHS = {
  frames: "M3 5.5h14v9H3zM3 12l4-3.5 3.5 3 2.5-2 4 3.5",
  video: "M3 5h10v10H3zM13 8.5l4-2.5v8l-4-2.5",
  database:
    "M4 5.5c0-1.4 2.7-2.5 6-2.5s6 1.1 6 2.5v9c0 1.4-2.7 2.5-6 2.5s-6-1.1-6-2.5zM4 5.5C4 6.9 6.7 8 10 8s6-1.1 6-2.5M4 10c0 1.4 2.7 2.5 6 2.5s6-1.1 6-2.5",
  key: "M13 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM10.2 9.8 3 17M6 14l2 2M8.5 11.5l1.5 1.5",
  activity: "M3 10h3l2.5-6 3.5 12 2.5-6H17",
  transfer: "M6 13V4M3 7l3-3 3 3M14 7v9M11 13l3 3 3-3",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1",
  moon: "M16.5 11.8A6.8 6.8 0 0 1 8.2 3.5a6.8 6.8 0 1 0 8.3 8.3z",
  undo: "M7 4 3.5 7.5 7 11M3.5 7.5H12a4.5 4.5 0 0 1 0 9H8",
  redo: "M13 4l3.5 3.5L13 11M16.5 7.5H8a4.5 4.5 0 0 0 0 9h4",
  plus: "M10 4v12M4 10h12",
  minus: "M4 10h12",
  fit: "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4",
  draw: "M4 4h12v12H4zM2.5 2.5h3v3h-3zM14.5 14.5h3v3h-3z",
  trash: "M4 6h12M8 6V3.5h4V6M5.5 6l.7 10.5h7.6L14.5 6M8.5 9v4.5M11.5 9v4.5",
  check: "M4 10.5 8.2 15 16 5.5",
  close: "M5 5l10 10M15 5 5 15",
  left: "M12.5 4 6.5 10l6 6",
  right: "M7.5 4l6 6-6 6",
  skip: "M4 4l7 6-7 6zM16 4v12",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1 1-1.1 1.8M10 14.5h.01M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15z",
  search: "M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM13 13l4 4",
  upload: "M10 13V4M6 8l4-4 4 4M3.5 13v3.5h13V13",
  download: "M10 4v9M6 9l4 4 4-4M3.5 13v3.5h13V13",
  alert: "M10 3 2.5 16.5h15zM10 8v4M10 14.3h.01",
  lock: "M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  unlock: "M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 5.8-1",
  pause: "M7 4v12M13 4v12",
  play: "M6 4l10 6-10 6z",
  signout: "M8 3.5H3.5v13H8M12 6.5 15.5 10 12 13.5M15.5 10H7.5",
  swap: "M4 7h11M12 4l3 3-3 3M16 13H5M8 10l-3 3 3 3",
  flip: "M4 4h5v5H4zM11 11h5v5h-5zM13 4h3v3M7 16H4v-3",
  shield: "M10 2.5 3.5 5v5c0 4 2.8 6.5 6.5 7.5 3.7-1 6.5-3.5 6.5-7.5V5z",
  eye: "M2 10s3-5.5 8-5.5 8 5.5 8 5.5-3 5.5-8 5.5S2 10 2 10zM10 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  refresh: "M16.5 10a6.5 6.5 0 1 1-1.9-4.6L16.5 7.3M16.5 3.5v3.8h-3.8",
  offline:
    "M3 3l14 14M5.5 9.5a6.5 6.5 0 0 1 2.4-1.5M12.5 8.2c.8.3 1.5.8 2 1.3M8 12.5a3 3 0 0 1 4 0M10 15.5h.01",
  file: "M5 2.5h6.5L15 6v11.5H5zM11.5 2.5V6H15",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: a frame with a seal in its corner. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 28 28" aria-hidden="true">
      <path
        class="mark-frame"
        d="M3 9V5a2 2 0 0 1 2-2h4M19 3h4a2 2 0 0 1 2 2v4M3 19v4a2 2 0 0 0 2 2h4"
      />
      <circle class="mark-seal" cx="18.5" cy="18.5" r="7" />
      <path class="mark-tick" d="m15.3 18.6 2.3 2.3 4.2-4.6" />
    </svg>
  );
}
