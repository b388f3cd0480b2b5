// What the editor edits. Coordinates are whole pixels of the image, measured from its top left corner.

/** A rectangle in image pixels. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A labelled rectangle; what else the server keeps about it travels along untouched. */
export interface Box extends Rect {
  readonly id: string;
  readonly label: string;
  readonly note: string | null;
  /** Confidence of a detector between 0 and 1; null for a box that a person drew. */
  readonly confidence: number | null;
}

export type Boxes = readonly Box[];

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The eight handles, named after compass points. */
export const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"] as const;
export type Handle = (typeof HANDLES)[number];
