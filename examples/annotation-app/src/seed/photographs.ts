// The photographs and clips of an older application, with what people and its detector had found in them. Positions are
// pixels of the files in media/.
import type { Rectangle } from "../database/models.ts";

export interface SeededObject extends Rectangle {
  readonly label: string;
  /** Of the detector; undefined for what a person drew. */
  readonly score?: number;
  readonly note?: string;
}

export interface Photograph {
  readonly file: string;
  readonly camera: string;
  /** ISO 8601 */
  readonly capturedAt: string;
  readonly objects: readonly SeededObject[];
}

export interface SeededEvent {
  readonly start: number;
  readonly end: number;
  readonly label: string;
  readonly score: number;
  readonly severity: "alert" | "detection";
}

export interface Clip {
  readonly file: string;
  readonly camera: string;
  /** ISO 8601 */
  readonly recordedAt: string;
  readonly events: readonly SeededEvent[];
}

export const LABELS: readonly string[] = [
  "person",
  "face",
  "camera",
  "tripod",
  "building",
  "helmet",
  "shuttle",
  "flag",
  "cup",
  "spoon",
  "cat",
  "eye",
  "rocket",
  "tower",
  "lamp",
];

export const PHOTOGRAPHS: readonly Photograph[] = [
  {
    file: "camera.jpg",
    camera: "Campus lawn",
    capturedAt: "2026-11-18T09:12:40Z",
    objects: [
      { x: 0, y: 62, width: 335, height: 450, label: "person", score: 0.98 },
      { x: 258, y: 136, width: 72, height: 66, label: "camera", score: 0.81 },
      {
        x: 228,
        y: 196,
        width: 178,
        height: 316,
        label: "tripod",
        note: "Left standing after the shot; ask whose it is.",
      },
      { x: 408, y: 118, width: 26, height: 72, label: "building", score: 0.55 },
      { x: 414, y: 196, width: 98, height: 38, label: "building", score: 0.62 },
    ],
  },
  {
    file: "astronaut.jpg",
    camera: "Suit room",
    capturedAt: "2026-11-18T10:47:05Z",
    objects: [
      { x: 22, y: 12, width: 374, height: 500, label: "person", score: 0.99 },
      {
        x: 172,
        y: 46,
        width: 98,
        height: 142,
        label: "face",
        score: 0.97,
        note: "Consent on file.",
      },
      { x: 278, y: 342, width: 230, height: 170, label: "helmet", score: 0.9 },
      { x: 344, y: 0, width: 112, height: 286, label: "shuttle", score: 0.77 },
      { x: 0, y: 0, width: 102, height: 512, label: "flag" },
    ],
  },
  {
    file: "coffee.jpg",
    camera: "Canteen",
    capturedAt: "2026-11-19T07:31:22Z",
    objects: [
      { x: 170, y: 16, width: 244, height: 294, label: "cup", score: 0.96 },
      { x: 324, y: 66, width: 102, height: 262, label: "spoon", score: 0.7 },
    ],
  },
  {
    file: "chelsea.jpg",
    camera: "Loading dock",
    capturedAt: "2026-11-19T16:05:51Z",
    objects: [
      {
        x: 0,
        y: 0,
        width: 382,
        height: 300,
        label: "cat",
        score: 0.99,
        note: "Comes every afternoon at four.",
      },
      { x: 134, y: 82, width: 74, height: 68, label: "eye" },
      { x: 296, y: 106, width: 56, height: 60, label: "eye" },
    ],
  },
  {
    file: "rocket.jpg",
    camera: "Launch pad",
    capturedAt: "2026-11-20T20:58:03Z",
    objects: [
      { x: 308, y: 124, width: 30, height: 284, label: "rocket", score: 0.94 },
      { x: 28, y: 0, width: 62, height: 427, label: "tower", score: 0.83 },
      { x: 562, y: 0, width: 78, height: 427, label: "tower", score: 0.79 },
      { x: 176, y: 120, width: 30, height: 266, label: "tower", score: 0.58 },
      { x: 434, y: 118, width: 30, height: 270, label: "tower", score: 0.56 },
      { x: 128, y: 352, width: 48, height: 46, label: "lamp" },
      { x: 342, y: 370, width: 46, height: 52, label: "lamp" },
    ],
  },
];

export const CLIPS: readonly Clip[] = [
  {
    file: "camera-pan.mp4",
    camera: "Campus lawn",
    recordedAt: "2026-11-18T09:12:20Z",
    events: [
      { start: 0, end: 14.5, label: "person", score: 0.97, severity: "alert" },
      { start: 6, end: 17, label: "camera", score: 0.8, severity: "detection" },
      { start: 8, end: 21, label: "tripod", score: 0.74, severity: "detection" },
      { start: 17.5, end: 24, label: "building", score: 0.6, severity: "detection" },
    ],
  },
  {
    file: "rocket-pan.mp4",
    camera: "Launch pad",
    recordedAt: "2026-11-20T20:57:50Z",
    events: [
      { start: 0, end: 4.5, label: "tower", score: 0.82, severity: "detection" },
      { start: 7.5, end: 16.5, label: "rocket", score: 0.95, severity: "alert" },
      { start: 13, end: 19, label: "tower", score: 0.57, severity: "detection" },
      { start: 19.5, end: 24, label: "tower", score: 0.79, severity: "detection" },
    ],
  },
];
