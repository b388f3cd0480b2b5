// What tests of S3 work on: a part of a bucket, a storage over it, and another one that is spied on.
import { randomBytes } from "node:crypto";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import type { EncryptedS3Storage } from "@fieldseal/storage";
import { expect } from "chai";
import { createTestBucket, type TestBucket } from "../../../../test/support/radosgw.ts";
import { s3Harness, type S3Harness } from "./s3-harness.ts";
import { spyOn, type S3Spy } from "./s3-spy.ts";

export const MIB: number = 1024 * 1024;
/** Three parts: two of 8 MiB and a bit. */
export const LARGE: Buffer = randomBytes(17 * MIB);

export interface S3Subject {
  readonly bucket: TestBucket;
  readonly harness: S3Harness;
  readonly oldKey: string;
  readonly newKey: string;
  /** Of the old key. */
  readonly keyring: Keyring;
  readonly storage: EncryptedS3Storage;
  /** Of the new key, with the old one as a previous one. */
  readonly next: Keyring;
  readonly spy: S3Spy;
  /** The same under the new key, through the client that is spied on. */
  readonly spied: EncryptedS3Storage;
}

/** One bucket for the suite that calls this, and a new part of it for every test. */
export function useS3Subject(): () => S3Subject {
  let bucket: TestBucket;
  let subject: S3Subject;
  before(async function () {
    bucket = await createTestBucket(this);
  });
  after(() => bucket?.drop());
  beforeEach(() => {
    subject = makeSubject(bucket);
  });
  afterEach(async () => {
    expect(await subject.harness.leftovers(), "no test leaves an upload").to.equal(0);
    subject.spy.client.destroy();
  });
  return () => subject;
}

function makeSubject(bucket: TestBucket): S3Subject {
  const [oldKey, newKey] = [generateRootKey(), generateRootKey()];
  const keyring = Keyring.fromKey(oldKey);
  const next = Keyring.fromKey(newKey, { previous: [oldKey] });
  const harness = s3Harness(bucket);
  const spy = spyOn(bucket);
  const storage = harness.open({ keyring });
  const spied = harness.open({ keyring: next, client: spy.client });
  return { bucket, harness, oldKey, newKey, keyring, storage, next, spy, spied };
}

/** Does something before the nth command of that name is sent. */
export function beforeNth(spy: S3Spy, command: string, nth: number, action: () => unknown): void {
  let count = 0;
  spy.before = (sent) => (sent === command && ++count === nth ? action() : undefined);
}

/** As a store refuses that allows less than it should. */
export function refuse(): never {
  throw Object.assign(new Error("refused"), { name: "AccessDenied", $metadata: {} });
}
