// The HTTP contract between the server and its pages, as types. JSON bodies; times are ISO 8601 in UTC; boxes are in
// whole image pixels. A refusal is an ApiProblem with status 4xx, and its message is shown to people as it is. Every
// request that changes something carries the session's token in the header X-CSRF-Token; answers have no-store.
//
//   GET    /api/session                       Session; user is null before signing in
//   POST   /api/session                       { name, password } -> Session, 401
//   DELETE /api/session                       Session, signed out
//   GET    /api/catalogue                     Catalogue
//   GET    /api/frames                        ?label&camera&from&to&state=reviewed|unreviewed -> FrameList; all of it,
//                                             from and to are days (2026-11-20), both inclusive
//   GET    /api/frames/:id                    FrameDetail, 404
//   PUT    /api/frames/:id/annotations        SaveFrame -> SavedFrame, 409 SaveConflict, 403 for a viewer
//   GET    /api/frames/:id/image              the picture; /thumbnail about 160 x 112; a viewer's with boxes blurred
//   POST   /api/uploads                       multipart field "file" -> UploadedFile, 413, 415, 422
//   GET    /api/videos                        VideoSummary[]
//   GET    /api/videos/:id/events             VideoEvent[], by start
//   GET    /api/videos/:id/media              the clip, with Range
//   GET    /api/activity                      ?before=<id> -> ActivityPage, newest first
//   GET    /api/database/tables               RawTable[]
//   GET    /api/database/rows                 ?table -> RawRow[], some dozen
//   POST   /api/database/flip-byte            { table, id, column } -> TamperResult
//   POST   /api/database/swap                 { table, id, otherId, column } -> TamperResult
//   GET    /api/keys                          KeyInfo[], the primary first
//   POST   /api/keys                          KeyInfo[]; the new key is primary
//   POST   /api/keys/:id/retire               KeyInfo[], 409 with the counts in its message while something uses it
//   POST   /api/rotation/start|pause|resume   RotationState
//   GET    /api/rotation/events               text/event-stream, event "rotation" with a RotationState; one at once
//   GET    /api/export/coco | /api/export/yolo   a file to download; both are logged
//   POST   /api/import/coco                   the file as application/json -> ImportResult, 422

export type Role = "viewer" | "annotator";

export interface Session {
  readonly user: { readonly name: string; readonly role: Role } | null;
  readonly csrfToken: string;
  /** Offered on the sign-in page of a development server only. */
  readonly demoAccounts: readonly {
    readonly name: string;
    readonly password: string;
    readonly role: Role;
  }[];
}

export interface AnnotationBox {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly label: string;
  readonly note: string | null;
  readonly confidence: number | null;
}

export interface FrameSummary {
  readonly id: string;
  readonly name: string;
  readonly camera: string;
  readonly capturedAt: string;
  readonly boxCount: number;
  readonly isReviewed: boolean;
}

export interface FrameList {
  readonly total: number;
  readonly frames: readonly FrameSummary[];
  /** What the server compared with the search column; null without a label filter. */
  readonly search: LabelSearch | null;
}

export interface LabelSearch {
  readonly column: string;
  /** Hexadecimal tokens, one per key that is live. */
  readonly tokens: readonly string[];
  /** Frames that the token matched by chance and that decryption sorted out. */
  readonly falsePositives: number;
}

export interface FrameDetail extends FrameSummary {
  readonly width: number;
  readonly height: number;
  readonly version: number;
  readonly boxes: readonly AnnotationBox[];
  /** What the detector saw, before anybody edited. */
  readonly detections: readonly AnnotationBox[];
  readonly metadata: Readonly<Record<string, string>>;
}

export interface SaveFrame {
  readonly version: number;
  readonly boxes: readonly AnnotationBox[];
  readonly isReviewed: boolean;
}

export interface SavedFrame {
  readonly version: number;
}

/** 409: somebody else saved since `version`. */
export interface SaveConflict {
  readonly current: FrameDetail;
  readonly savedBy: string;
  readonly savedAt: string;
}

export interface Catalogue {
  readonly labels: readonly string[];
  readonly cameras: readonly string[];
  readonly firstDay: string | null;
  readonly lastDay: string | null;
}

export interface VideoSummary {
  readonly id: string;
  readonly name: string;
  readonly camera: string;
  readonly recordedAt: string;
  readonly durationSeconds: number;
  readonly sizeBytes: number;
}

export interface VideoEvent {
  readonly id: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly label: string;
  readonly score: number;
  readonly severity: "alert" | "detection";
}

export interface ActivityEntry {
  readonly id: number;
  readonly at: string;
  readonly user: string;
  readonly action: string;
  readonly detail: string;
  /** The hash chain holds at this entry. */
  readonly isIntact: boolean;
}

export interface ActivityPage {
  readonly entries: readonly ActivityEntry[];
  readonly nextBefore: number | null;
}

export interface RawTable {
  readonly name: string;
  readonly writtenBy: "Sequelize" | "MikroORM";
  readonly rows: number;
  readonly columns: readonly { readonly name: string; readonly isEncrypted: boolean }[];
}

export interface RawRow {
  readonly id: string;
  readonly cells: Readonly<Record<string, RawCell>>;
}

export interface RawCell {
  /** As PostgreSQL holds it: text as is, bytea as base64; null is NULL. */
  readonly stored: string | null;
  /** As the application sees it; null when it does not open. */
  readonly opened: string | null;
}

export interface TamperResult {
  readonly stored: string;
  readonly changedByte: number | null;
  readonly opened: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface KeyInfo {
  readonly id: string;
  readonly status: "primary" | "enabled" | "decrypt-only" | "disabled" | "destroyed";
  readonly values: number;
  readonly objects: number;
}

export interface RotationState {
  readonly state: "idle" | "running" | "paused" | "done" | "failed";
  readonly done: number;
  readonly total: number;
  readonly rowsPerSecond: number;
  readonly etaSeconds: number | null;
  /** How long it has worked, without its pauses. */
  readonly workedSeconds: number;
  readonly failures: number;
  readonly step: string;
}

export interface UploadedFile {
  readonly kind: "frame" | "video";
  readonly id: string;
  readonly removedMetadata: readonly string[];
}

export interface ImportResult {
  readonly frames: number;
  readonly boxes: number;
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
}

export interface ApiProblem {
  readonly code: string;
  readonly message: string;
}
