// The environment that createEncryptedStorage reads: every variable checked, named in errors and documented.
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { createEncryptedStorage } from "@fieldseal/storage";
import { expect } from "chai";
import { thrownBy } from "./support/bodies.ts";

const SECRET = "marker-of-a-secret";

describe("the environment of createEncryptedStorage", () => {
  const keyring = Keyring.fromKey(generateRootKey());
  const s3 = { STORAGE_TYPE: "s3", S3_BUCKET: "bucket" };

  const wrong: [Record<string, string>, RegExp][] = [
    [{ STORAGE_TYPE: "S3" }, /STORAGE_TYPE is "S3"; it takes "local" or "s3"/],
    [{ ...s3, S3_BUCKET: " " }, /S3_BUCKET is not set/],
    [{ ...s3, S3_BUCKET: "a b" }, /^S3_BUCKET takes/],
    [{ ...s3, S3_PREFIX: "prod" }, /^S3_PREFIX takes .*slash/],
    [{ ...s3, S3_PREFIX: "../" }, /^S3_PREFIX takes/],
    [{ ...s3, S3_REGION: "eu central" }, /^S3_REGION takes/],
    [{ ...s3, S3_ENDPOINT: "localhost:9000" }, /^S3_ENDPOINT takes an http or https URL/],
    [
      { ...s3, S3_ENDPOINT: `http://user:${SECRET}@host` },
      /^S3_ENDPOINT takes .*without credentials/,
    ],
    [{ ...s3, S3_FORCE_PATH_STYLE: "yes" }, /^S3_FORCE_PATH_STYLE takes "true" or "false"/],
    [{ ...s3, S3_ACCESS_KEY_ID: "id" }, /S3_SECRET_ACCESS_KEY/],
    [{ ...s3, S3_SECRET_ACCESS_KEY: SECRET }, /S3_ACCESS_KEY_ID/],
    [{ ...s3, S3_SESSION_TOKEN: SECRET }, /S3_SESSION_TOKEN is set without/],
    [{ ...s3, STORAGE_PATH: "./x" }, /STORAGE_PATH is set, but STORAGE_TYPE is "s3"/],
    [{ S3_SECRET_ACCESS_KEY: SECRET, STORAGE_PATH: "./x" }, /S3_SECRET_ACCESS_KEY is set, but/],
  ];
  for (const [environment, message] of wrong) {
    it(`refuses ${JSON.stringify(environment).replaceAll(SECRET, "...")}`, async () => {
      const error = await thrownBy(() => createEncryptedStorage(environment, { keyring }));
      expect(error).to.have.property("code", "ERR_CONFIG_OPTION");
      expect(error.message).to.match(message);
      expect(inspect(error, { depth: 9 })).not.to.include(SECRET);
    });
  }

  it("takes options of the storage, and refuses others by name", async () => {
    const options = { keyring, context: "tenant-7" };
    for (const environment of [{}, s3]) {
      await createEncryptedStorage(environment, options);
      const error = await thrownBy(() =>
        createEncryptedStorage(environment, { keyring, contxt: "tenant-7" } as never),
      );
      expect(error).to.have.property("code", "ERR_CONFIG_OPTION");
      expect(error.message).to.include('no option "contxt"');
    }
  });

  it("leaves other variables alone that begin in the same way", async () => {
    await createEncryptedStorage({ S3_OF_ANOTHER_PROGRAM: "x", STORAGE_CLASS: "y" }, { keyring });
  });

  it("is what the reference lists: every variable that is read, and no other", async () => {
    const read = new Set<string>();
    const recording = (values: Record<string, string>): Record<string, string> =>
      new Proxy(values, {
        get: (target, name) => {
          read.add(String(name));
          return target[String(name)];
        },
      });
    await createEncryptedStorage(recording({}), { keyring });
    await createEncryptedStorage(recording(s3), { keyring });
    const page = readFileSync(
      new URL("../../../docs/reference/options.md", import.meta.url),
      "utf8",
    );
    const listed = [...page.matchAll(/`((?:STORAGE|S3)_[A-Z0-9_]+)`(?=[^\n]*\|[^\n]*\|$)/gm)];
    expect(new Set(listed.map(([, name]) => name))).to.deep.equal(read);
  });
});
