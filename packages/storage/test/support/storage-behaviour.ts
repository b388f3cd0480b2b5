// What every storage does, on whatever store: run by local-storage.test.ts and by s3-storage.test.ts.
import { describeAttacks } from "./attack-behaviour.ts";
import { describeLeaks } from "./leak-behaviour.ts";
import { describeObjects } from "./object-behaviour.ts";
import { describePut } from "./put-behaviour.ts";
import { describeReading } from "./read-behaviour.ts";
import { describeRotation } from "./rotation-behaviour.ts";
import type { StorageHarness } from "./storage-harness.ts";
import { makeSubject, type Subject } from "./storage-subject.ts";
import { describeUnprotected } from "./unprotected-behaviour.ts";

export function describeStorage(makeHarness: () => Promise<StorageHarness>): void {
  let subject: Subject;
  const current = (): Subject => subject;
  beforeEach(async () => {
    subject = await makeSubject(makeHarness);
  });
  afterEach(() => subject.harness.remove());

  describePut(current);
  describeLeaks(current);
  describeReading(current);
  describeObjects(current);
  describeRotation(current);
  describeAttacks(current);
  describeUnprotected(current);
}
