// One open frame: what is on screen, saved by itself, with the choice after a conflict.
import type { Boxes } from "../editor/box.ts";
import { mergeBoxes, sameBoxes } from "../editor/merge.ts";
import { ApiError, OfflineError, api, conflictOf } from "./api.ts";
import { Autosave, type Clock, type SaveOutcome, type SaveStatus } from "./autosave.ts";
import type { FrameDetail, SaveConflict } from "./contract.ts";

export interface Content {
  readonly boxes: Boxes;
  readonly isReviewed: boolean;
}

export interface FrameSessionOptions {
  /** May be exchanged later, by `session.onStatus`. */
  readonly onStatus?: (status: SaveStatus) => void;
  /** Sends a save to the server. Defaults to the API. */
  readonly save?: SaveFrameContent;
  /** Defaults to the page's timers. */
  readonly clock?: Clock;
}

export type SaveFrameContent = (
  id: string,
  content: Content,
  version: number,
) => Promise<SaveOutcome<SaveConflict>>;

/**
 * Frames with something unsaved, by id. One that was left goes on saving; opened again it is the same session, with
 * its edits and its question after a conflict, and not an older state from the server.
 */
const unsaved = new Map<string, FrameSession>();
const watchers = new Set<() => void>();

export function hasUnsavedFrames(): boolean {
  return unsaved.size > 0;
}

export function unsavedFrames(): readonly FrameSession[] {
  return [...unsaved.values()];
}

export function unsavedFrame(id: string): FrameSession | undefined {
  return unsaved.get(id);
}

/** Calls `run` after each change of what is unsaved, until the returned function is called. */
export function watchUnsavedFrames(run: () => void): () => void {
  watchers.add(run);
  return () => watchers.delete(run);
}

export async function flushUnsavedFrames(): Promise<void> {
  await Promise.all(unsavedFrames().map((session) => session.flush()));
}

/** Drops all edits that the server does not have. */
export function abandonUnsavedFrames(): void {
  for (const session of unsavedFrames()) session.abandon();
}

export class FrameSession {
  readonly frame: FrameDetail;
  /** Whoever shows the frame. */
  onStatus: (status: SaveStatus) => void;
  readonly #autosave: Autosave<Content, SaveConflict>;

  constructor(frame: FrameDetail, options: FrameSessionOptions = {}) {
    const { save = saveByApi, clock, onStatus = () => {} } = options;
    this.frame = frame;
    this.onStatus = onStatus;
    this.#autosave = new Autosave<Content, SaveConflict>({
      content: contentOf(frame),
      version: frame.version,
      send: (content, version) => save(frame.id, content, version),
      onStatus: (status) => this.#settle(status),
      ...(clock ? { clock } : {}),
    });
  }

  get status(): SaveStatus {
    return this.#autosave.status;
  }

  get version(): number {
    return this.#autosave.version;
  }

  get isReviewed(): boolean {
    return this.#autosave.content.isReviewed;
  }

  get boxes(): Boxes {
    return this.#autosave.content.boxes;
  }

  get conflict(): SaveConflict | null {
    return this.#autosave.conflict;
  }

  get refusal(): string {
    return this.#autosave.refusal;
  }

  setBoxes(boxes: Boxes): void {
    // The editor reports what a merge has put there, too; that is saved already.
    if (sameBoxes(boxes, this.boxes)) return;
    this.#autosave.edit({ ...this.#autosave.content, boxes });
  }

  setReviewed(isReviewed: boolean): void {
    this.#autosave.edit({ ...this.#autosave.content, isReviewed });
  }

  flush(): Promise<void> {
    return this.#autosave.flush();
  }

  abandon(): void {
    this.#autosave.abandon();
    unsaved.delete(this.frame.id);
    for (const run of watchers) run();
  }

  /** Puts both sets of edits together and saves the result; returns the boxes to show. */
  merge(): Boxes {
    const { content, saved, conflict } = this.#autosave;
    if (!conflict) return content.boxes;
    const theirs = contentOf(conflict.current);
    const boxes = mergeBoxes(saved.boxes, content.boxes, theirs.boxes);
    const iChangedReview = content.isReviewed !== saved.isReviewed;
    const isReviewed = iChangedReview ? content.isReviewed : theirs.isReviewed;
    const isTheirs = sameBoxes(boxes, theirs.boxes) && isReviewed === theirs.isReviewed;
    this.#autosave.resolve(isTheirs ? theirs : { boxes, isReviewed }, theirs);
    return this.boxes;
  }

  /** Drops the edits on screen for what the server has; returns the boxes to show. */
  reload(): Boxes {
    const { conflict } = this.#autosave;
    if (conflict) {
      const theirs = contentOf(conflict.current);
      this.#autosave.resolve(theirs, theirs);
    }
    return this.boxes;
  }

  #settle(status: SaveStatus): void {
    if (status === "saved") unsaved.delete(this.frame.id);
    else unsaved.set(this.frame.id, this);
    if (status === "conflict" && this.#isOwnEcho()) {
      this.merge();
      return;
    }
    this.onStatus(status);
    for (const run of watchers) run();
  }

  /** A save whose answer got lost comes back as a conflict with itself: nobody needs to be asked. */
  #isOwnEcho(): boolean {
    const { content, conflict } = this.#autosave;
    if (!conflict) return false;
    const theirs = contentOf(conflict.current);
    return sameBoxes(content.boxes, theirs.boxes) && content.isReviewed === theirs.isReviewed;
  }
}

function contentOf(frame: FrameDetail): Content {
  return { boxes: frame.boxes, isReviewed: frame.isReviewed };
}

async function saveByApi(
  id: string,
  content: Content,
  version: number,
): Promise<SaveOutcome<SaveConflict>> {
  try {
    const saved = await api.saveFrame(id, { version, ...content });
    return { kind: "saved", version: saved.version };
  } catch (error) {
    const conflict = conflictOf(error);
    if (conflict) return { kind: "conflict", server: conflict, version: conflict.current.version };
    if (isWorthRetry(error)) throw error;
    return {
      kind: "refused",
      message: error instanceof Error ? error.message : "The save failed.",
    };
  }
}

/** 401 as well: after signing in again the save that waited goes through. */
function isWorthRetry(error: unknown): boolean {
  if (error instanceof OfflineError) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 401);
}
