// Files on their way to the server. XMLHttpRequest, because fetch() cannot tell how much of a body has left.
import { ApiError, csrfHeader, isStaleToken, problemOf, renewToken } from "./api.ts";
import type { UploadedFile } from "./contract.ts";

export const ACCEPTED_TYPES: Readonly<Record<string, number>> = {
  "image/jpeg": 20,
  "image/png": 20,
  "image/webp": 20,
  "video/mp4": 200,
};

/** Why a file would be refused, said before it travels; null when it may go. The server decides by the bytes. */
export function refusalOf(file: { readonly type: string; readonly size: number }): string | null {
  if (file.type === "application/json") return "COCO files go to the page Import & export.";
  const limit = ACCEPTED_TYPES[file.type];
  if (limit === undefined) return "Only JPEG, PNG, WebP and MP4 files can be added.";
  if (file.size === 0) return "The file is empty.";
  if (file.size > limit * 1024 * 1024) return `Too large: at most ${limit} MB.`;
  return null;
}

export interface UploadOptions {
  /** The share of the file that has left, between 0 and 1. */
  onProgress(share: number): void;
  readonly signal: AbortSignal;
}

/** @throws {@link ApiError} when the server refuses the file, `Error` when the connection is lost */
export async function upload(file: File, options: UploadOptions): Promise<UploadedFile> {
  try {
    return await send(file, options);
  } catch (error) {
    if (!isStaleToken(error)) throw error;
    await renewToken();
    return send(file, options);
  }
}

function send(file: File, { onProgress, signal }: UploadOptions): Promise<UploadedFile> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/uploads");
    request.setRequestHeader(...csrfHeader());
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      const { status, response } = request;
      if (status < 300) resolve(response as UploadedFile);
      else reject(new ApiError(status, problemOf(response, status), response));
    });
    request.addEventListener("error", () => reject(new Error("The connection was lost.")));
    request.addEventListener("abort", () => reject(new Error("Stopped.")));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    const body = new FormData();
    body.append("file", file);
    request.send(body);
  });
}
