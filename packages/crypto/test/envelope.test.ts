import { expect } from "chai";
import fc from "fast-check";
import {
  formatKeyId,
  isMalformedEnvelope,
  parseEnvelope,
  parseTextPrefix,
  SUITE_NAMES,
  TEXT_PREFIX,
  textPrefix,
} from "../src/index.ts";
import {
  CONTENT_TYPES,
  decodeCanonicalBase64,
  encodeHeader,
  HEADER_BYTES,
  MAGIC,
  parseHeader,
  type ContentType,
} from "../src/envelope.ts";

const contents = Object.keys(CONTENT_TYPES) as ContentType[];

describe("the envelope header", () => {
  it("comes back equal from its nine bytes (property)", () => {
    const header = fc.record({
      suite: fc.constantFrom(...SUITE_NAMES),
      keyId: fc.nat({ max: 0xffffffff }),
      content: fc.constantFrom(...contents),
      isPadded: fc.boolean(),
    });
    fc.assert(
      fc.property(header, (fields) => {
        const bytes = Buffer.concat([encodeHeader(fields), Buffer.alloc(64)]);
        expect(parseHeader(bytes, 0, bytes.length)).to.deep.equal(fields);
        expect(textPrefix(fields))
          .to.have.length(12)
          .and.satisfy((t: string) => t.startsWith(TEXT_PREFIX));
        expect(parseTextPrefix(textPrefix(fields))).to.deep.equal(fields);
      }),
    );
  });

  it("is not found in other prefixes", () => {
    const other = ["", "9V6h", "9V6hAAAAAAAA", "plainplain12", "9V6hAQECAwQB!", "9V6hAQECAwQFAAAA"];
    for (const prefix of other) expect(parseTextPrefix(prefix), prefix).to.equal(undefined);
  });

  it("is laid out as the format says", () => {
    const header = {
      suite: "A256GCM",
      keyId: 0x01020304,
      content: "json",
      isPadded: true,
    } as const;
    expect(encodeHeader(header).toString("hex")).to.equal("f55ea1030102030412");
    expect(Buffer.from(TEXT_PREFIX, "base64")).to.deep.equal(Buffer.from(MAGIC));
    expect(formatKeyId(0x0000ab12)).to.equal("0000ab12");
  });

  const possible: [suite: number, bodyBytes: number[], impossible: number[]][] = [
    [1, [64, 80, 96], [0, 63, 65, 79]],
    [2, [64, 80], [48, 63, 72]],
    [3, [28, 29, 1000], [0, 27]],
    [4, [16, 17, 1000], [0, 15]],
    [0, [], [64]],
    [5, [], [64]],
    [255, [], [64]],
  ];
  for (const [suite, fitting, impossible] of possible) {
    it(`of suite ${suite} goes with bodies of ${fitting.join(", ") || "no"} bytes`, () => {
      const parse = (bodyBytes: number): unknown => {
        const bytes = Buffer.alloc(HEADER_BYTES + bodyBytes);
        bytes.set([...MAGIC, suite]);
        return parseHeader(bytes, 0, bytes.length);
      };
      for (const bodyBytes of fitting)
        expect(parse(bodyBytes), `${bodyBytes}`).to.not.equal(undefined);
      for (const bodyBytes of impossible)
        expect(parse(bodyBytes), `${bodyBytes}`).to.equal(undefined);
    });
  }

  it("is refused with each unknown content type and reserved bit", () => {
    for (let content = 0; content < 256; content++) {
      const bytes = Buffer.alloc(HEADER_BYTES + 64);
      bytes.set([...MAGIC, 1, 0, 0, 0, 0, content]);
      const isKnown = (content & 0x0f) <= 3 && (content & 0xe0) === 0;
      expect(parseHeader(bytes, 0, bytes.length) !== undefined).to.equal(isKnown);
    }
  });
});

describe("parsing a stored value", () => {
  it("sees an envelope in text, Buffer and Uint8Array alike", () => {
    const bytes = Buffer.concat([
      encodeHeader({ suite: "A256GCM", keyId: 7, content: "text", isPadded: false }),
      Buffer.alloc(28),
    ]);
    for (const stored of [bytes, new Uint8Array(bytes), bytes.toString("base64")]) {
      expect(parseEnvelope(stored)?.header.keyId).to.equal(7);
      expect(parseEnvelope(stored)?.bytes).to.deep.equal(bytes);
    }
  });

  it("sees none in what merely begins like one", () => {
    for (const text of ["", "9V6h", "9V6hAQ==", "9V6h, she said", "ada@example.org"]) {
      expect(parseEnvelope(text)).to.equal(undefined);
    }
    expect(parseEnvelope(Buffer.from(MAGIC))).to.equal(undefined);
  });

  it("tells what begins as one and is none from envelopes and from plain values", () => {
    const bytes = Buffer.concat([
      encodeHeader({ suite: "A256GCM", keyId: 7, content: "text", isPadded: false }),
      Buffer.alloc(28),
    ]);
    const text = bytes.toString("base64");
    for (const whole of [bytes, text, "", "ada@example.org", " 9v6h", Buffer.alloc(0)]) {
      expect(isMalformedEnvelope(whole)).to.equal(false);
    }
    const cut = text.slice(0, -1);
    for (const broken of [cut, `${text}\n`, `\n${text}`, `  ${text}`, "9V6h", "9V6h, she said"]) {
      expect(isMalformedEnvelope(broken), broken).to.equal(true);
    }
    expect(isMalformedEnvelope(bytes.subarray(0, 20))).to.equal(true);
    expect(isMalformedEnvelope(Uint8Array.from(MAGIC))).to.equal(true);
  });
});

describe("canonical base64", () => {
  it("is what encoding the bytes again gives (property)", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 12, unit: fc.constantFrom(..."AB01+/-_= \nŁ") }),
        (text) => {
          const isCanonical =
            text.length % 4 === 0 && Buffer.from(text, "base64").toString("base64") === text;
          expect(decodeCanonicalBase64(text) !== undefined).to.equal(isCanonical);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
