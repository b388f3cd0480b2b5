// What S3 copies by itself: bodies that nobody fetches, with what is beside them.
import { CopyObjectCommand } from "@aws-sdk/client-s3";
import { Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { BackendStorage } from "../src/backend-storage.ts";
import { S3Backend } from "../src/s3-backend.ts";
import { S3Bucket } from "../src/s3-bucket.ts";
import { thrownBy, thrownCode } from "./support/bodies.ts";
import { beforeNth, LARGE, MIB, refuse, useS3Subject } from "./support/s3-subject.ts";
import { bytesOf } from "./support/storage-subject.ts";

/** Without "%": Ceph 16 dies of an UploadPartCopy whose source has one in its key. */
const KEPT = "kept/a b+ü.mp4";

describe("the source of a copy", () => {
  // Nothing that speaks S3 here has access points: the ARN is the one of AWS's reference of CopyObject.
  it("is told as the store takes it, also through an access point", () => {
    const inBucket = new S3Bucket({ bucket: "clips", prefix: "prod/" });
    expect(inBucket.copySource("a b/7+8.mp4")).to.equal("clips/prod/a%20b/7%2B8.mp4");
    const bucket = "arn:aws:s3:us-west-2:123456789012:accesspoint/my-access-point";
    const source = new S3Bucket({ bucket, prefix: "" }).copySource("reports/january.pdf");
    expect(decodeURIComponent(source)).to.equal(`${bucket}/object/reports/january.pdf`);
  });
});

describe("rewrap and copy within S3", function () {
  this.timeout(60_000);
  const current = useS3Subject();

  /** Copies in parts of 5 MiB what is larger than that. */
  const inParts = (keys = current().next): BackendStorage => {
    const { bucket, spy, harness } = current();
    const { prefix } = harness;
    const s3 = new S3Bucket({ bucket: bucket.bucket, prefix, client: spy.client });
    const limits = { wholeBytes: 5 * MIB, partBytes: 5 * MIB };
    return new BackendStorage(new S3Backend(s3, limits), { keyring: keys });
  };

  const headers = {
    CacheControl: "private, max-age=60",
    ContentLanguage: "de",
    ContentEncoding: "identity",
    ContentDisposition: "inline",
  };

  it("keep headers, foreign metadata, tags and every byte of the body; no body is fetched", async () => {
    const { bucket, harness, storage, spy, spied, oldKey, newKey } = current();
    await storage.put(KEPT, LARGE, { tags: { team: "blue" } });
    const { Metadata } = await harness.head(KEPT);
    const source = encodeURIComponent(`${bucket.bucket}/${harness.prefix}${KEPT}`);
    await bucket.client.send(
      new CopyObjectCommand({
        ...harness.at(KEPT),
        ...headers,
        CopySource: source,
        MetadataDirective: "REPLACE",
        Metadata: { ...Metadata, origin: "camera 3" },
      }),
    );
    await storage.setTags(KEPT, { team: "blue" });
    const body = await harness.readBody(KEPT);
    spy.bytesGot = 0;
    for (const rotating of [spied, inParts(Keyring.fromKey(oldKey, { previous: [newKey] }))]) {
      expect(await rotating.rewrap(KEPT)).to.include({ outcome: "rewrapped" });
      await rotating.copy(KEPT, "copy");
      for (const key of [KEPT, "copy"]) {
        const after = await harness.head(key);
        expect(after).to.include(headers);
        expect(after.Metadata).to.have.property("origin", "camera 3");
        expect(after.Metadata?.fieldseal).not.to.equal(Metadata?.fieldseal);
        expect((await harness.readBody(key)).equals(body)).to.equal(true);
        const { keyId: id = "" } = await spied.head(key);
        expect(await harness.tags(key)).to.deep.equal({
          team: "blue",
          enc: "floe1",
          "enc-kid": id,
        });
      }
    }
    expect(spy.commands.filter((name) => name === "UploadPartCopy")).to.have.length(8);
    expect(spy.bytesGot).to.be.lessThan(2 * MIB);
  });

  it("in parts, too, refuse what changed meanwhile, and leave no parts when one fails", async () => {
    const { storage, spy } = current();
    await storage.put("k", LARGE);
    const rotating = inParts();
    beforeNth(spy, "UploadPartCopy", 2, refuse);
    expect(await thrownCode(() => rotating.rewrap("k"))).to.equal("ERR_STORAGE_BACKEND");
    beforeNth(spy, "UploadPartCopy", 2, () => storage.put("k", LARGE.subarray(MIB)));
    expect(await thrownCode(() => rotating.rewrap("k"))).to.be.oneOf([
      "ERR_STORAGE_CHANGED",
      "ERR_STORAGE_BACKEND",
    ]);
    expect((await bytesOf(storage, "k")).equals(LARGE.subarray(MIB))).to.equal(true);
  });

  it("in parts, too, are given up by an abort, and leave no parts", async () => {
    const { storage, spy } = current();
    await storage.put("k", LARGE);
    const aborting = new AbortController();
    const { signal } = aborting;
    beforeNth(spy, "UploadPartCopy", 2, () => aborting.abort(new Error("enough")));
    const error = await thrownBy(() => inParts().copy("k", "copy", { signal }));
    expect(error.message).to.equal("enough");
    expect(await thrownCode(() => storage.head("copy"))).to.equal("ERR_STORAGE_NOT_FOUND");
    expect(spy.commands).not.to.include("CompleteMultipartUpload");
  });
});
