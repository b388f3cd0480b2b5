// The bytes of a stored value, each part of the envelope in its colour.
import type { JSX } from "preact";
import type { Envelope, EnvelopePart, PartName } from "../data/envelope.ts";
import { counted } from "../data/format.ts";

const NAMES: Readonly<Record<PartName, { readonly name: string; readonly means: string }>> = {
  magic: { name: "Magic", means: "marks an envelope" },
  suite: { name: "Suite", means: "which algorithm" },
  "key-id": { name: "Key id", means: "which key, never the key" },
  content: { name: "Content", means: "text, JSON or bytes" },
  iv: { name: "IV", means: "random, new for each write" },
  ciphertext: { name: "Ciphertext", means: "the value" },
  tag: { name: "Tag", means: "proves that value and place are untouched" },
};

/** So many bytes of a long ciphertext are shown at either end. */
const SHOWN_BYTES = 48;

export function EnvelopeLegend(): JSX.Element {
  return (
    <ul class="legend" aria-label="Parts of a stored value">
      {Object.entries(NAMES).map(([part, { name, means }]) => (
        <li key={part} data-part={part}>
          <span class="part-swatch" />
          <strong>{name}</strong> {means}
        </li>
      ))}
    </ul>
  );
}

interface EnvelopeBytesProps {
  readonly envelope: Envelope;
  /** The value before an experiment: bytes that differ from it stand out. */
  readonly original: Uint8Array | null;
}

export function EnvelopeBytes({ envelope, original }: EnvelopeBytesProps): JSX.Element {
  return (
    <div
      class="envelope"
      role="img"
      aria-label={`Envelope of ${envelope.lengthBytes} bytes under key ${envelope.keyId}`}
    >
      {envelope.parts.map((part) => (
        <Part key={part.name} part={part} original={original} />
      ))}
    </div>
  );
}

function Part({
  part,
  original,
}: {
  readonly part: EnvelopePart;
  readonly original: Uint8Array | null;
}): JSX.Element {
  const hidden = Math.max(0, part.bytes.length - 2 * SHOWN_BYTES);
  const isDifferent = (index: number): boolean =>
    original !== null && original[part.offset + index] !== part.bytes[index];
  const shown = Array.from(part.bytes.keys()).filter(
    (index) =>
      hidden === 0 || index < SHOWN_BYTES || index >= SHOWN_BYTES + hidden || isDifferent(index),
  );
  return (
    <span class="part" data-part={part.name} title={NAMES[part.name].name}>
      {shown.map((index) => (
        <span key={index} class={isDifferent(index) ? "byte is-changed" : "byte"}>
          {(part.bytes[index] ?? 0).toString(16).padStart(2, "0")}
        </span>
      ))}
      {hidden > 0 && <span class="hidden-bytes">… {counted(hidden, "byte")} not shown</span>}
    </span>
  );
}
