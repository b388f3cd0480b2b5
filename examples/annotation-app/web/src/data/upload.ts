// Files on their way to the server. XMLHttpRequest, because fetch() cannot tell how much of a body has left.
import { csrfHeader, problemOf } from "./api.ts";
import type { UploadedFile } from "./contract.ts";

export const ACCEPTED_TYPES: Readonly<Record<string, number>> = {
  "image/jpeg": 20,
  "image/png": 20,
  "image/webp": 20,
  "video/mp4": 200,
};

/** Why a file would be refused, said before it travels; null when it may go. The server decides by the bytes. */
export function refusalOf(file: { readonly type: string; readonly size: number }): string | null {
  const limit = ACCEPTED_TYPES[file.type];
  if (limit === undefined) return "Only JPEG, PNG, WebP and MP4 files can be added.";
  if (file.size === 0) return "The file is empty.";
  if (file.size > limit * 1024 * 1024) return `Too large: at most ${limit} MB.`;
  return null;
}

export function upload(file: File, onProgress: (share: number) => void): Promise<UploadedFile> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/uploads");
    request.setRequestHeader(...csrfHeader());
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request.response as UploadedFile);
      else reject(new Error(problemOf(request.response, request.status).message));
    });
    request.addEventListener("error", () => reject(new Error("The connection was lost.")));
    const body = new FormData();
    body.append("file", file);
    request.send(body);
  });
}
