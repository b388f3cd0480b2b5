// Whether a browser shows an object or saves it, and under which name.
// @see RFC 6266, RFC 8187

export type Disposition = "inline" | "attachment";

/**
 * What a browser shows without running anything in it, one by one: HTML, SVG and every other type that ends in `+xml`
 * would run as part of the site that serves them.
 */
const SHOWN: RegExp =
  /^(image\/(png|jpeg|gif|webp|avif|bmp|apng|tiff|x-icon)|video\/(mp4|webm|ogg|quicktime|mpeg|x-matroska|mp2t)|audio\/(mpeg|mp4|ogg|wav|x-wav|webm|aac|flac)|text\/plain|application\/pdf) *(;|$)/i;

export function contentDisposition(
  wanted: Disposition,
  contentType: string,
  fileName: string | undefined,
): string {
  const disposition = wanted === "inline" && SHOWN.test(contentType) ? "inline" : "attachment";
  if (fileName === undefined) return disposition;
  const plain = fileName.replaceAll(/[^\u0020-\u007e]|["\\%]/g, "_");
  if (plain === fileName) return `${disposition}; filename="${plain}"`;
  // encodeURIComponent leaves some characters that RFC 8187's attr-char lacks.
  const encoded = encodeURIComponent(fileName).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${disposition}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
