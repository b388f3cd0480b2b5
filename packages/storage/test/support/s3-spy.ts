// A client of the AWS SDK with its default settings that tells what it does, and lets tests step in between.
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { TestBucket } from "../../../../test/support/radosgw.ts";

interface Input {
  readonly Key?: string;
  readonly PartNumber?: number;
  MaxKeys?: number;
}

export interface S3Spy {
  readonly client: S3Client;
  /** Names without "Command", in the order in which they were sent. */
  readonly commands: string[];
  /** Of bodies that GetObject answered with, without those that could not be counted. */
  bytesGot: number;
  /** Called before a command is sent; what it throws is what the command fails with. */
  before: (command: string, input: Input) => unknown;
  /** Called with every answer, inside of the SDK's retries. */
  afterAttempt: (command: string, attempt: number) => unknown;
}

export function spyOn(bucket: TestBucket, config: S3ClientConfig = {}): S3Spy {
  const { endpoint, region, credentials } = bucket;
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, ...config });
  const spy: S3Spy = {
    client,
    commands: [],
    bytesGot: 0,
    before: () => {},
    afterAttempt: () => {},
  };
  const nameOf = ({ commandName = "" }: { commandName?: string }): string =>
    commandName.replace(/Command$/, "");
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const name = nameOf(context);
      spy.commands.push(name);
      await spy.before(name, args.input as Input);
      const result = await next(args);
      if (name === "GetObject") {
        spy.bytesGot += (result.output as { ContentLength?: number }).ContentLength ?? 0;
      }
      return result;
    },
    { step: "initialize", name: "spy" },
  );
  let attempts = 0;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      await spy.afterAttempt(nameOf(context), ++attempts);
      return result;
    },
    { step: "finalizeRequest", priority: "low", name: "spyOnAttempts" },
  );
  return spy;
}
