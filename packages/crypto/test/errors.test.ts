import { expect } from "chai";
import {
  DecryptError,
  EncryptionError,
  KeyError,
  MigrationError,
  StorageError,
  UnsupportedQueryError,
} from "../src/index.ts";

describe("an error", () => {
  it("says what it is: by class, name and code", () => {
    const errors = [
      new DecryptError({ table: "users", column: "email" }),
      new KeyError("ERR_KEY_UNKNOWN", "no such key"),
      new UnsupportedQueryError("no LIKE"),
      new MigrationError("ERR_MIGRATE_STATE", "two runs"),
      new StorageError("ERR_STORAGE_NOT_FOUND", "no such object"),
    ];
    for (const error of errors) {
      expect(error).to.be.instanceOf(EncryptionError).and.instanceOf(Error);
      expect(error.name).to.equal(error.constructor.name);
      expect(String(error)).to.equal(`${error.name}: ${error.message}`);
      expect(error.code).to.match(/^ERR_[A-Z]+_[A-Z_]+$/);
    }
  });

  it("of a value names its place, and its row once that is known", () => {
    const location = { table: "users", column: "email", keyId: "0a0b0c0d", position: 3 };
    const errors = [
      new DecryptError(location, "ERR_DECRYPT_CONTENT", "another type"),
      new KeyError("ERR_KEY_DISABLED", "disabled", location),
    ];
    for (const error of errors) {
      expect(error).to.include(location).and.to.have.property("primaryKey", undefined);
      const located = error.atRow({ id: 7 });
      expect(located).to.include({ ...location, code: error.code, message: error.message });
      expect(located.primaryKey).to.deep.equal({ id: 7 });
    }
  });

  it("of a query names model and field, that of a run its table and id", () => {
    const target = { model: "User", field: "email" };
    expect(new UnsupportedQueryError("no LIKE", target)).to.include(target);
    expect(new UnsupportedQueryError("no LIKE")).to.have.property("model", undefined);
    const run = { table: "users", runId: "1" };
    expect(new MigrationError("ERR_MIGRATE_STATE", "two runs", run)).to.include(run);
    expect(new MigrationError("ERR_MIGRATE_STATE", "two runs")).to.have.property(
      "runId",
      undefined,
    );
  });

  it("of a stored object names its key, and whether to try again", () => {
    const lasting = new StorageError("ERR_STORAGE_TAMPERED", "changed", { objectKey: "a/b" });
    expect(lasting).to.include({ objectKey: "a/b", retryable: false });
    const passing = new StorageError("ERR_STORAGE_BACKEND", "away", { retryable: true });
    expect(passing).to.include({ objectKey: undefined, retryable: true });
  });
});
