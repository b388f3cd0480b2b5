// The codecs by the names that declarations use.
import { base64Codec } from "./base64.ts";
import { bytesCodec } from "./bytes.ts";
import type { ValueCodec } from "./codec.ts";
import { jsonCodec } from "./json.ts";
import { textCodec } from "./text.ts";

/** The four column types, where no ORM gives them names. */
export type ColumnType = "text" | "json" | "binary" | "base64";

/** The codec of each column type. */
export const codecsByType: Readonly<Record<ColumnType, ValueCodec<unknown>>> = {
  text: textCodec,
  json: jsonCodec,
  binary: bytesCodec,
  base64: base64Codec,
};
