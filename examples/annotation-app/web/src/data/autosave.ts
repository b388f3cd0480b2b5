// Saving by itself: one per frame. It waits until edits pause, sends one save at a time, and compares versions.
// The rule it keeps: an answer only ever tells it which version the server has; it never replaces what is on screen.

export type SaveStatus = "saved" | "unsaved" | "saving" | "offline" | "conflict" | "refused";

/** What a save came to. Anything that is not an answer (no network, 5xx) is thrown, and tried again. */
export type SaveOutcome<Server> =
  | { readonly kind: "saved"; readonly version: number }
  | { readonly kind: "conflict"; readonly server: Server; readonly version: number }
  | { readonly kind: "refused"; readonly message: string };

export interface Clock {
  set(run: () => void, milliseconds: number): unknown;
  clear(timer: unknown): void;
}

export interface AutosaveOptions<Content, Server> {
  readonly content: Content;
  readonly version: number;
  send(content: Content, version: number): Promise<SaveOutcome<Server>>;
  onStatus(status: SaveStatus): void;
  /** Defaults to the page's timers. */
  readonly clock?: Clock;
}

export const DEBOUNCE_MS = 500;
const RETRY_MS = [1_000, 2_000, 5_000, 10_000, 30_000] as const;

const PAGE_CLOCK: Clock = {
  set: (run, milliseconds) => setTimeout(run, milliseconds),
  clear: (timer) => clearTimeout(timer as number),
};

export class Autosave<Content, Server> {
  readonly #options: AutosaveOptions<Content, Server>;
  readonly #clock: Clock;
  #content: Content;
  /** What the server has under #version: the common ancestor of a merge. */
  #saved: Content;
  #version: number;
  #status: SaveStatus = "saved";
  #timer: unknown = null;
  #failures = 0;
  #conflict: { readonly server: Server; readonly version: number } | null = null;
  #refusal = "";
  #sending: Promise<void> | null = null;
  #isAbandoned = false;

  constructor(options: AutosaveOptions<Content, Server>) {
    this.#options = options;
    this.#clock = options.clock ?? PAGE_CLOCK;
    this.#content = options.content;
    this.#saved = options.content;
    this.#version = options.version;
  }

  get status(): SaveStatus {
    return this.#status;
  }

  get content(): Content {
    return this.#content;
  }

  get saved(): Content {
    return this.#saved;
  }

  /** The version that the server is known to have. */
  get version(): number {
    return this.#version;
  }

  get conflict(): Server | null {
    return this.#conflict?.server ?? null;
  }

  get refusal(): string {
    return this.#refusal;
  }

  /** Closing the page now would lose something. */
  get hasUnsaved(): boolean {
    return this.#status !== "saved";
  }

  edit(content: Content): void {
    this.#content = content;
    if (this.#status === "saving" || this.#status === "conflict") return;
    this.#setStatus("unsaved");
    this.#schedule(DEBOUNCE_MS);
  }

  /**
   * Saves now what waits, also what was edited while a save was on its way: before another frame is opened, when the
   * network is back, when somebody asks for it. Resolves when the server has answered, or cannot be reached.
   */
  async flush(): Promise<void> {
    // Not awaited when there is none: a page that is being closed has no later turn.
    if (this.#sending) await this.#sending;
    if (this.#status !== "saved" && this.#status !== "conflict") await this.#save();
  }

  /** Drops what waits: nothing is sent any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#clock.clear(this.#timer);
  }

  /** Ends a conflict with `content` on top of what the server has; saved at once when it differs from that. */
  resolve(content: Content, serverContent: Content): void {
    if (!this.#conflict) return;
    this.#version = this.#conflict.version;
    this.#conflict = null;
    this.#saved = serverContent;
    this.#content = content;
    if (content === serverContent) return this.#setStatus("saved");
    this.#setStatus("unsaved");
    this.#schedule(0);
  }

  #schedule(milliseconds: number): void {
    this.#clock.clear(this.#timer);
    if (this.#isAbandoned) return;
    this.#timer = this.#clock.set(() => void this.#save(), milliseconds);
  }

  /** One at a time: whoever asks during a save waits for that one. */
  #save(): Promise<void> {
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #send(): Promise<void> {
    this.#clock.clear(this.#timer);
    if (this.#isAbandoned) return;
    const sent = this.#content;
    this.#setStatus("saving");
    let outcome: SaveOutcome<Server>;
    try {
      outcome = await this.#options.send(sent, this.#version);
    } catch {
      // Whether the lost request arrived is unknown; if it did, the next one meets a conflict, which is safe.
      this.#setStatus("offline");
      this.#schedule(RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)] ?? 0);
      this.#failures += 1;
      return;
    }
    this.#failures = 0;
    this.#settle(sent, outcome);
  }

  #settle(sent: Content, outcome: SaveOutcome<Server>): void {
    switch (outcome.kind) {
      case "saved":
        this.#version = outcome.version;
        this.#saved = sent;
        if (this.#content === sent) return this.#setStatus("saved");
        this.#setStatus("unsaved");
        return this.#schedule(DEBOUNCE_MS);
      case "conflict":
        this.#conflict = { server: outcome.server, version: outcome.version };
        return this.#setStatus("conflict");
      case "refused":
        this.#refusal = outcome.message;
        return this.#setStatus("refused");
    }
  }

  #setStatus(status: SaveStatus): void {
    // An answer that was on its way is nobody's any more.
    if (this.#isAbandoned) return;
    this.#status = status;
    this.#options.onStatus(status);
  }
}
