// A reader of stored files that knows docs/reference/format.md, section 13, and FLOE, and nothing of our code.
import { createDecipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";
import { referenceEnvelope } from "../packages/crypto/test/reference-implementation.ts";

const SLOT_BYTES = 4096;
const table = "fieldseal.storage";

interface Slot {
  readonly generation: bigint;
  readonly envelope: Buffer;
  readonly tags: unknown;
}

function readSlot(slot: Buffer): Slot {
  expect(slot.subarray(0, 8).toString("hex")).to.equal("46534f424a010d0a");
  expect(createHash("sha256").update(slot.subarray(0, 4064)).digest()).to.deep.equal(
    slot.subarray(4064),
  );
  const tagsAt = 20 + slot.readUInt16BE(16);
  const tagsEnd = tagsAt + slot.readUInt16BE(18);
  return {
    generation: slot.readBigUInt64BE(8),
    envelope: slot.subarray(20, tagsAt),
    tags: JSON.parse(slot.toString("utf8", tagsAt, tagsEnd)),
  };
}

function hkdf(key: Buffer, info: Buffer | string, lengthBytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", key, Buffer.alloc(0), info, lengthBytes));
}

function openGcm(key: Buffer, sealed: Buffer, associatedData: Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12));
  decipher.setAAD(associatedData).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
}

/** Sections 2 to 5, for suite 1; checked by sealing it again. */
function unwrap(wrapped: Buffer, rootKey: Buffer, column: string, row: string): Buffer {
  const prefixed = [table, column].map((name) =>
    Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name)]),
  );
  const info = Buffer.concat([Buffer.from("fieldseal/v1/encrypt\x01"), ...prefixed]);
  const nonce = wrapped.subarray(9, 25);
  const decipher = createDecipheriv("aes-256-cbc", hkdf(rootKey, info, 64).subarray(32), nonce);
  const plaintext = Buffer.concat([decipher.update(wrapped.subarray(25, -32)), decipher.final()]);
  const given = { rootKey, suite: 1, content: 0, table, column, row, nonce, plaintext } as const;
  expect(referenceEnvelope(given)).to.deep.equal(wrapped);
  return plaintext;
}

/** Of one segment. */
function openFloe(body: Buffer, key: Buffer, associatedData: Buffer): Buffer {
  expect(body.subarray(0, 10).toString("hex")).to.equal("00000001000000000020");
  const derive = (from: Buffer, purpose: Buffer | string): Buffer =>
    createHmac("sha384", from)
      .update(body.subarray(0, 42))
      .update(purpose)
      .update(associatedData)
      .update(Buffer.of(1))
      .digest();
  expect(derive(key, "HEADER_TAG:").subarray(0, 32)).to.deep.equal(body.subarray(42, 74));
  const segment = body.subarray(74);
  expect(segment.readUInt32BE(0)).to.equal(segment.length);
  const number = Buffer.concat([Buffer.from("DEK:"), Buffer.alloc(8)]);
  const segmentKey = derive(derive(key, "MESSAGE_KEY:"), number).subarray(0, 32);
  return openGcm(segmentKey, segment.subarray(4), Buffer.from("000000000000000001", "hex"));
}

describe("stored files in docs/reference/format.md", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "fieldseal-format-"));
  });
  after(() => rm(folder, { recursive: true }));

  for (const context of ["default", "clips"]) {
    it(`are read by what the page says, in the context ${context}`, async () => {
      const rootKey = generateRootKey();
      const keyring = Keyring.fromKey(rootKey);
      const storage = new EncryptedLocalStorage({ path: folder, keyring, context });
      const { objectId } = await storage.put("k", Buffer.from("content"), {
        contentType: "video/mp4",
        fileName: "gate.mp4",
        metadata: { camera: "north" },
        tags: { retention: "30d" },
      });
      const file = await readFile(join(folder, "k"));
      const slots = [file.subarray(0, SLOT_BYTES), file.subarray(SLOT_BYTES, 2 * SLOT_BYTES)];
      const [slot, other] = slots.map(readSlot) as [Slot, Slot];
      expect(other).to.deep.equal(slot);
      const keyId = keyring.primary.id;
      expect(slot.tags).to.deep.equal({ retention: "30d", enc: "floe1", "enc-kid": keyId });
      const { envelope } = slot;
      expect([...envelope.subarray(0, 2)]).to.deep.equal([1, 1]);
      expect(envelope.toString("hex", 2, 18)).to.equal(objectId);
      const wrapped = envelope.subarray(20, 20 + envelope.readUInt16BE(18));
      const dataKey = unwrap(wrapped, Buffer.from(rootKey, "hex"), context, objectId);
      const associatedData = Buffer.concat([
        Buffer.from("fieldseal/v1/storage"),
        envelope.subarray(2, 18),
        Buffer.from(context),
      ]);
      const metadataKey = hkdf(dataKey, "fieldseal/v1/storage-metadata", 32);
      const sealed = envelope.subarray(20 + wrapped.length);
      const metadata = openGcm(metadataKey, sealed, associatedData);
      expect(metadata.length % 64).to.equal(0);
      expect(JSON.parse(metadata.toString())).to.deep.equal({
        type: "video/mp4",
        name: "gate.mp4",
        custom: { camera: "north" },
        size: 7,
      });
      const bodyKey = hkdf(dataKey, "fieldseal/v1/storage-body", 32);
      const content = openFloe(file.subarray(2 * SLOT_BYTES), bodyKey, associatedData);
      expect(content.toString()).to.equal("content");
    });
  }
});
