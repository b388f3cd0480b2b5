// Serves objects over HTTP, to Node's servers and to those that speak Request and Response.
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ConfigError, EncryptionError } from "@fieldseal/crypto";
import { ContentStream } from "./content-stream.ts";
import type { Disposition } from "./content-disposition.ts";
import type { EncryptedStorage } from "./contract.ts";
import { answer, statusOf, type HttpAnswer } from "./http-answer.ts";
import type { SignedUrls } from "./signed-urls.ts";

export interface FileHandlerOptions {
  /** Finds the object in the URL when no key is given. Defaults to none: then every call names a key. */
  readonly signedUrls?: SignedUrls;
  /** `"attachment"` saves; `"inline"` shows what is safe to show, and saves the rest. Defaults to `"inline"`. */
  readonly disposition?: Disposition;
  /** Defaults to `"private, no-store"`: decrypted files stay out of caches on disk. */
  readonly cacheControl?: string;
  /** Called with what became a 5xx answer or a broken transfer. Defaults to nothing. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Answers 200, 206, 304, 403, 404, 405, 412, 416 and 5xx. A transfer breaks off when a segment is not intact: wrong
 * bytes are never sent. Who may see an object is for the caller to decide, before it names a key.
 *
 * @example
 * ```ts
 * const files = new FileHandler(storage);
 * createServer((request, response) => void files.serve(request, response, "frames/0001.jpg"));
 * ```
 */
export class FileHandler {
  readonly #storage: EncryptedStorage;
  readonly #options: FileHandlerOptions;

  constructor(storage: EncryptedStorage, options: FileHandlerOptions = {}) {
    this.#storage = storage;
    this.#options = options;
  }

  /** For `node:http`, Express and the like. Resolves when the answer is out or the client has gone; never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse, key?: string): Promise<void> {
    const reply = await this.#answer(
      request.method ?? "GET",
      request.url ?? "",
      (name) => request.headers[name]?.toString(),
      { key },
    );
    try {
      response.writeHead(reply.status, reply.headers);
      if (reply.content === undefined) response.end();
      // On failure pipeline destroys the response, so that the client sees a broken transfer and not an end.
      else await pipeline(this.#body(reply.content), response).catch(() => {});
    } catch (error) {
      // Somebody else has answered already, or added a header that cannot be.
      response.destroy();
      this.#options.onError?.(error);
    } finally {
      // Also where pipeline leaves it alone: when the client had gone before.
      await reply.content?.object.close();
    }
  }

  /** For servers and frameworks with `Request` and `Response`. */
  async fetch(request: Request, key?: string): Promise<Response> {
    const reply = await this.#answer(
      request.method,
      request.url,
      (name) => request.headers.get(name) ?? undefined,
      { key, signal: request.signal },
    );
    const { status, content } = reply;
    try {
      // Option cacheControl may be none that can be sent.
      const headers = new Headers(reply.headers);
      const body = content && this.#body(content, request.signal);
      const stream = body && (Readable.toWeb(body) as ReadableStream<Uint8Array>);
      return new Response(stream ?? null, { status, headers });
    } catch (error) {
      await content?.object.close();
      throw error;
    }
  }

  async #answer(
    method: string,
    url: string,
    header: (name: string) => string | undefined,
    { key, signal }: { readonly key?: string | undefined; readonly signal?: AbortSignal },
  ): Promise<HttpAnswer> {
    const { disposition = "inline", cacheControl = "private, no-store" } = this.#options;
    try {
      const access = key === undefined ? this.#signedUrls().open(url) : { key, disposition };
      const reply = await answer(this.#storage, {
        ...access,
        method,
        cacheControl,
        signal,
        header,
      });
      // Not that the client has gone away.
      if (reply.status >= 500 && signal?.aborted !== true) this.#options.onError?.(reply.error);
      return reply;
    } catch (error) {
      const status = statusOf(error);
      if (status >= 500) this.#options.onError?.(error);
      return { status, headers: { "cache-control": "no-store" }, error };
    }
  }

  #signedUrls(): SignedUrls {
    const { signedUrls } = this.#options;
    if (signedUrls !== undefined) return signedUrls;
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      "A FileHandler without option signedUrls needs the key of the object in every call.",
    );
  }

  #body(content: HttpAnswer["content"] & {}, signal?: AbortSignal): Readable {
    const stream = new ContentStream(content.object, content.span, signal);
    // Anything else is the client's going away.
    stream.once("error", (error) => {
      if (error instanceof EncryptionError) this.#options.onError?.(error);
    });
    return stream;
  }
}
