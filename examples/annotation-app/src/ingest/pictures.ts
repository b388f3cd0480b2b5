// Uploaded pictures: recognised by their bytes, measured before they are decoded, drawn anew without whatever else the
// file carried (position, camera, author, a second file behind the first), and made small for the list.
import exif, { type Exif } from "exif-reader";
import sharp, { type Metadata, type Sharp } from "sharp";
import { Problem } from "../http/problem.ts";
import { inTurn } from "./decoding.ts";

export interface CleanPicture {
  readonly content: Buffer;
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  /** From the file, where it says. */
  readonly capturedAt: Date | undefined;
  /** What was in the file and is not any more, for people. */
  readonly removedMetadata: readonly string[];
}

/** 50 million pixels take 200 MB while they are decoded. */
const MAX_PIXELS = 50_000_000;
const THUMBNAIL = { width: 160, height: 112 };

const FORMATS: Readonly<Record<string, { contentType: string; write: (image: Sharp) => Sharp }>> = {
  jpeg: {
    contentType: "image/jpeg",
    write: (image) => image.jpeg({ quality: 92, chromaSubsampling: "4:4:4" }),
  },
  png: { contentType: "image/png", write: (image) => image.png() },
  webp: { contentType: "image/webp", write: (image) => image.webp({ quality: 92 }) },
};

export type PictureFormat = "jpeg" | "png" | "webp";

/** What the first bytes say; names and declared types say nothing. */
export function pictureFormatOf(head: Buffer): PictureFormat | undefined {
  if (head.subarray(0, 3).equals(Buffer.of(0xff, 0xd8, 0xff))) return "jpeg";
  if (head.subarray(0, 8).equals(Buffer.from("89504e470d0a1a0a", "hex"))) return "png";
  const isRiff = head.toString("latin1", 0, 4) === "RIFF";
  return isRiff && head.toString("latin1", 8, 12) === "WEBP" ? "webp" : undefined;
}

/** @throws {@link Problem} 422 when the file does not hold together, or is too many pixels */
export async function cleanPicture(file: Buffer): Promise<CleanPicture> {
  const known = pictureFormatOf(file);
  const metadata = await measure(file);
  const format = known === undefined ? undefined : FORMATS[known];
  if (!format || metadata.format !== known) throw damaged();
  const upright = sharp(file, { limitInputPixels: MAX_PIXELS, failOn: "error" }).autoOrient();
  const { data, info } = await inTurn(() =>
    format.write(upright).toBuffer({ resolveWithObject: true }),
  ).catch(() => Promise.reject(damaged()));
  const tags = readExif(metadata);
  return {
    content: data,
    contentType: format.contentType,
    width: info.width,
    height: info.height,
    capturedAt: captureTimeOf(tags),
    removedMetadata: metadataOf(metadata, tags),
  };
}

/** A small picture for the list, without metadata too. */
export function thumbnailOf(picture: Buffer): Promise<Buffer> {
  const small = sharp(picture, { limitInputPixels: MAX_PIXELS })
    .resize({ ...THUMBNAIL, fit: "cover" })
    .webp({ quality: 78 });
  return inTurn(() => small.toBuffer());
}

async function measure(file: Buffer): Promise<Metadata> {
  const metadata = await sharp(file, { limitInputPixels: false })
    .metadata()
    .catch(() => Promise.reject(damaged()));
  if (metadata.width * metadata.height > MAX_PIXELS) {
    throw new Problem(422, "TOO_MANY_PIXELS", "The picture has more than 50 million pixels.");
  }
  return metadata;
}

function damaged(): Problem {
  return new Problem(422, "DAMAGED", "The picture is damaged: it cannot be decoded.");
}

function readExif({ exif: bytes }: Metadata): Exif | undefined {
  if (!bytes) return undefined;
  try {
    return exif(bytes);
  } catch {
    return undefined; // It is removed all the same; only its parts are not named.
  }
}

function captureTimeOf(tags: Exif | undefined): Date | undefined {
  const time = tags?.Photo?.DateTimeOriginal ?? tags?.Image?.DateTime;
  return time instanceof Date && !Number.isNaN(time.getTime()) ? time : undefined;
}

function metadataOf(metadata: Metadata, tags: Exif | undefined): string[] {
  const found: readonly (readonly [string, unknown])[] = [
    ["GPS position", tags?.GPSInfo?.GPSLatitude],
    ["camera model", tags?.Image?.Model],
    ["time of capture", captureTimeOf(tags)],
    ["EXIF", metadata.exif],
    ["XMP", metadata.xmp],
    ["IPTC", metadata.iptc],
    ["colour profile", metadata.icc],
    ["comments", metadata.comments],
  ];
  return found.filter(([, value]) => value !== undefined).map(([name]) => name);
}
