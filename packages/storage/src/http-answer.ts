// What a request for an object gets, before it is known which kind of server sends it.
// @see RFC 9110 sections 13 (conditions), 14 (ranges), 15 (status codes)
import { EncryptionError, StorageError } from "@fieldseal/crypto";
import { contentDisposition, type Disposition } from "./content-disposition.ts";
import type { EncryptedStorage, ObjectInfo, OpenObject } from "./contract.ts";
import type { Span } from "./byte-range.ts";
import { parseRange } from "./http-range.ts";

export interface HttpQuestion {
  readonly method: string;
  readonly key: string;
  readonly objectId?: string | undefined;
  readonly disposition: Disposition;
  readonly cacheControl: string;
  readonly signal?: AbortSignal | undefined;
  /** By lower-case name. */
  header(name: string): string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Present when there is a body to send: who takes it must close the object. */
  readonly content?: { readonly object: OpenObject; readonly span: Span };
  /** Why, when it is an error. For logs, not for the visitor. */
  readonly error?: unknown;
}

export async function answer(
  storage: EncryptedStorage,
  question: HttpQuestion,
): Promise<HttpAnswer> {
  const { method, key, objectId, signal } = question;
  if (method !== "GET" && method !== "HEAD")
    return { status: 405, headers: { allow: "GET, HEAD" } };
  let object: OpenObject | undefined;
  try {
    object = await storage.open(key, { expectedObjectId: objectId, signal });
    const reply = replyFor(question, object);
    if (reply.content === undefined) await object.close();
    return reply;
  } catch (error) {
    await object?.close();
    return failure(error);
  }
}

function replyFor(question: HttpQuestion, object: OpenObject): HttpAnswer {
  const { info, size } = object;
  const headers = describe(question, info);
  const precondition = checkConditions(question, info);
  if (precondition !== undefined) return { status: precondition, headers };
  const isHead = question.method === "HEAD";
  const span =
    isHead || !isRangeFor(question, info.etag)
      ? undefined
      : parseRange(question.header("range"), size);
  if (span === "unsatisfiable") {
    return {
      status: 416,
      headers: { ...headers, "content-range": `bytes */${size}`, "content-length": "0" },
    };
  }
  const { start, end } = span ?? { start: 0, end: size };
  const length = { "content-length": String(end - start) };
  const content = isHead || end === start ? {} : { content: { object, span: { start, end } } };
  if (span === undefined) return { status: 200, headers: { ...headers, ...length }, ...content };
  const range = { "content-range": `bytes ${start}-${end - 1}/${size}` };
  return { status: 206, headers: { ...headers, ...length, ...range }, ...content };
}

function describe(question: HttpQuestion, info: ObjectInfo): Record<string, string> {
  const { contentType, fileName, etag } = info;
  return {
    "accept-ranges": "bytes",
    "cache-control": question.cacheControl,
    "content-disposition": contentDisposition(question.disposition, contentType, fileName),
    "content-type": contentType,
    etag,
    "content-security-policy": policyFor(contentType),
    // The type is the uploader's word: a browser must not guess another one out of the content.
    "x-content-type-options": "nosniff",
  };
}

/**
 * If one of the types that are shown should run scripts after all, it cannot, and nothing is loaded for it but what
 * browsers need to show a picture or a video that is opened by itself. Chromium asks for a video once more from the page
 * around it, which a page without an origin may not, and shows no PDF in any sandbox.
 */
function policyFor(contentType: string): string {
  if (/^application\/pdf/i.test(contentType)) return "default-src 'none'";
  const sandbox = /^(video|audio)\//i.test(contentType) ? "sandbox allow-same-origin" : "sandbox";
  return `${sandbox}; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'`;
}

function checkConditions(
  { header }: HttpQuestion,
  { etag, protection }: ObjectInfo,
): 304 | 412 | undefined {
  const ifMatch = header("if-match");
  // Nothing authenticates the etag of what is not encrypted, so that no condition on it holds; "*" is none on it.
  const isKnown = protection === "encrypted" || ifMatch?.trim() === "*";
  if (ifMatch !== undefined && !(isKnown && matches(ifMatch, etag))) return 412;
  const ifNoneMatch = header("if-none-match");
  return ifNoneMatch !== undefined && matches(ifNoneMatch.replaceAll("W/", ""), etag)
    ? 304
    : undefined;
}

function matches(header: string, etag: string): boolean {
  return header.trim() === "*" || header.split(",").some((one) => one.trim() === etag);
}

/** A range of another version would be put together with the one that the client has: RFC 9110 section 13.1.5. */
function isRangeFor({ header }: HttpQuestion, etag: string): boolean {
  const ifRange = header("if-range");
  return ifRange === undefined || ifRange.trim() === etag;
}

/** The visitor learns no more than the status; `error` is for the log. */
function failure(error: unknown): HttpAnswer {
  return { status: statusOf(error), headers: { "cache-control": "no-store" }, error };
}

export function statusOf(error: unknown): number {
  if (!(error instanceof EncryptionError)) return 500;
  switch (error.code) {
    case "ERR_STORAGE_NOT_FOUND":
    case "ERR_STORAGE_KEY":
    case "ERR_STORAGE_MISMATCH":
      return 404;
    case "ERR_STORAGE_LINK":
      return 403;
    default:
      return error instanceof StorageError && error.retryable ? 503 : 500;
  }
}
