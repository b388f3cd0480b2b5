// The only place that talks HTTP (uploads with progress are in upload.ts, live progress in rotation-stream.ts).
// Answers are not cached anywhere: the server sends no-store, and the page keeps what it shows in memory.
import type {
  ActivityPage,
  ApiProblem,
  Catalogue,
  FrameDetail,
  FrameList,
  ImportResult,
  KeyInfo,
  RawRow,
  RawTable,
  RotationState,
  SaveConflict,
  SavedFrame,
  SaveFrame,
  Session,
  TamperResult,
  VideoEvent,
  VideoSummary,
} from "./contract.ts";

/** The server answered, and the answer is no. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly body: unknown;

  constructor(status: number, problem: ApiProblem, body: unknown) {
    super(problem.message);
    this.status = status;
    this.code = problem.code;
    this.body = body;
  }
}

/** No answer: the network or the server is away. */
export class OfflineError extends Error {
  override readonly name = "OfflineError";
}

export interface FrameFilter {
  readonly label: string;
  readonly camera: string;
  readonly from: string;
  readonly to: string;
  readonly state: "" | "reviewed" | "unreviewed";
}

/** Long enough for the import of a large COCO file. */
const TIMEOUT_MS = 120_000;

let csrfToken = "";
let signedInAs: string | null = null;
let lastUser = "null";
/** A browser shows a picture again without asking the server; what it showed one person, the next may not see. */
let look = 0;

/** The header that changing requests need; uploads set it by themselves. */
export function csrfHeader(): readonly [string, string] {
  return ["X-CSRF-Token", csrfToken];
}

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  try {
    return await attempt<T>(method, path, body);
  } catch (error) {
    if (!isStaleToken(error)) throw error;
    await renewToken();
    return attempt<T>(method, path, body);
  }
}

/** The token is of an earlier session: it ended, or another tab has signed in since. */
export function isStaleToken(error: unknown): boolean {
  return error instanceof ApiError && error.code === "CROSS_SITE";
}

/**
 * Takes the token of the session that the browser has now, when it is the same person's. Somebody else's is not
 * taken: what this page has edited would be saved in their name.
 *
 * @throws {@link ApiError} with status 401 when this page's person is not signed in any more
 */
export async function renewToken(): Promise<void> {
  const current = await attempt<Session>("GET", "/api/session");
  if ((current.user?.name ?? null) === signedInAs) {
    csrfToken = current.csrfToken;
    return;
  }
  onSignedOut();
  throw new ApiError(401, { code: "SIGNED_OUT", message: "Sign in to go on." }, null);
}

async function attempt<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") {
    const [name, token] = csrfHeader();
    headers[name] = token;
  }
  const init: RequestInit = {
    method,
    headers,
    credentials: "same-origin",
    cache: "no-store",
    // A connection that is dead without saying so would keep a save waiting for ever.
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new OfflineError("The server cannot be reached.");
  }
  return answerOf<T>(response);
}

async function answerOf<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  const isJson = response.headers.get("Content-Type")?.includes("json") ?? false;
  const body: unknown = isJson ? await response.json() : null;
  if (response.ok) return body as T;
  if (response.status === 401 && signedInAs !== null) onSignedOut();
  throw new ApiError(response.status, problemOf(body, response.status), body);
}

/** What went wrong, as far as the answer says. */
export function problemOf(body: unknown, status: number): ApiProblem {
  const problem = body as Partial<ApiProblem> | null;
  return {
    code: typeof problem?.code === "string" ? problem.code : `HTTP_${status}`,
    message:
      typeof problem?.message === "string"
        ? problem.message
        : `The server answered with status ${status}.`,
  };
}

let onSignedOut: () => void = () => {};

/** Called when an answer says that the session has ended. */
export function whenSignedOut(run: () => void): void {
  onSignedOut = run;
}

async function session(pending: Promise<Session>): Promise<Session> {
  const opened = await pending;
  csrfToken = opened.csrfToken;
  signedInAs = opened.user?.name ?? null;
  const user = JSON.stringify(opened.user);
  if (user !== lastUser) look += 1;
  lastUser = user;
  return opened;
}

function query(fields: Readonly<Record<string, string | number>>): string {
  const set = Object.entries(fields).filter(([, value]) => value !== "");
  return new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
}

/** Ids come from the address bar as well: one with a slash must not name another path. */
function path(parts: TemplateStringsArray, ...ids: readonly string[]): string {
  return String.raw({ raw: parts }, ...ids.map(encodeURIComponent));
}

export const api = {
  session: () => session(request<Session>("GET", "/api/session")),
  signIn: (name: string, password: string) =>
    session(request<Session>("POST", "/api/session", { name, password })),
  signOut: () => session(request<Session>("DELETE", "/api/session")),

  catalogue: () => request<Catalogue>("GET", "/api/catalogue"),
  frames: (filter: FrameFilter) => request<FrameList>("GET", `/api/frames?${query({ ...filter })}`),
  frame: (id: string) => request<FrameDetail>("GET", path`/api/frames/${id}`),
  saveFrame: (id: string, content: SaveFrame) =>
    request<SavedFrame>("PUT", path`/api/frames/${id}/annotations`, content),
  imageUrl: (id: string) => `${path`/api/frames/${id}/image`}?look=${look}`,
  thumbnailUrl: (id: string) => `${path`/api/frames/${id}/thumbnail`}?look=${look}`,

  videos: () => request<readonly VideoSummary[]>("GET", "/api/videos"),
  videoEvents: (id: string) =>
    request<readonly VideoEvent[]>("GET", path`/api/videos/${id}/events`),
  videoUrl: (id: string) => path`/api/videos/${id}/media`,

  activity: (before: number | null) =>
    request<ActivityPage>("GET", `/api/activity?${query({ before: before ?? "" })}`),

  tables: () => request<readonly RawTable[]>("GET", "/api/database/tables"),
  rows: (table: string) =>
    request<readonly RawRow[]>("GET", `/api/database/rows?${query({ table })}`),
  flipByte: (table: string, id: string, column: string) =>
    request<TamperResult>("POST", "/api/database/flip-byte", { table, id, column }),
  swapRows: (table: string, id: string, otherId: string, column: string) =>
    request<TamperResult>("POST", "/api/database/swap", { table, id, otherId, column }),

  keys: () => request<readonly KeyInfo[]>("GET", "/api/keys"),
  addKey: () => request<readonly KeyInfo[]>("POST", "/api/keys"),
  retireKey: (id: string) => request<readonly KeyInfo[]>("POST", path`/api/keys/${id}/retire`),
  rotate: (step: "start" | "pause" | "resume") =>
    request<RotationState>("POST", `/api/rotation/${step}`),

  importCoco: (text: string) => request<ImportResult>("POST", "/api/import/coco", text),
} as const;

/** The conflict that a 409 of a save carries. */
export function conflictOf(error: unknown): SaveConflict | null {
  return error instanceof ApiError && error.status === 409 && isConflict(error.body)
    ? error.body
    : null;
}

function isConflict(body: unknown): body is SaveConflict {
  return typeof body === "object" && body !== null && "current" in body;
}
