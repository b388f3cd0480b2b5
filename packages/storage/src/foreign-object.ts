// Objects that this package did not write: what an older system left with them says how they are stored.
import type { ObjectMetadata } from "./object-metadata.ts";
import { checkedContentType, checkedFileName } from "./object-metadata.ts";

export interface ForeignObject {
  /** Undefined when nothing says so: it is then refused. */
  readonly protection: "legacy" | "plaintext" | undefined;
  readonly metadata: ObjectMetadata;
}

/** What is known already, and not the user's own metadata. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  "encrypted",
  "encryption-method",
  "content-type",
  "filename",
  "file-name",
  "original-name",
]);

export function describeForeign(pairs: Readonly<Record<string, string>>): ForeignObject {
  const custom = Object.fromEntries(Object.entries(pairs).filter(([name]) => !OWN_NAMES.has(name)));
  const contentType = pairs["content-type"];
  const fileName = pairs.filename ?? pairs["file-name"] ?? pairs["original-name"];
  return {
    protection: protectionOf(pairs),
    metadata: {
      contentType: checkedContentType(contentType),
      fileName: checkedFileName(fileName),
      custom,
      size: undefined,
    },
  };
}

function protectionOf(pairs: Readonly<Record<string, string>>): ForeignObject["protection"] {
  const encrypted = pairs.encrypted?.toLowerCase();
  if (encrypted === "false") return "plaintext";
  const method = pairs["encryption-method"] ?? "AES-256-CBC";
  return encrypted === "true" && method.toUpperCase() === "AES-256-CBC" ? "legacy" : undefined;
}
