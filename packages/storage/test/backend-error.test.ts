import { StorageError } from "@fieldseal/crypto";
import { expect } from "chai";
import { backendError } from "../src/backend-error.ts";

describe("an error of disk or service", () => {
  it("keeps its code, and nothing that it says", () => {
    const cause = Object.assign(new Error("AKIASECRET at /var/data"), { code: "ENOSPC" });
    const error = backendError(cause, "writing", "a/b");
    expect(error.code).to.equal("ERR_STORAGE_BACKEND");
    expect(error.objectKey).to.equal("a/b");
    expect(error.message).to.equal('The store failed while writing "a/b": ENOSPC.');
    expect(error.cause).to.equal(undefined);
    expect(error.retryable).to.equal(false);
  });

  it("is retryable when the service is busy or the connection broke", () => {
    const slowDown = Object.assign(new Error(), {
      name: "SlowDown",
      $metadata: { httpStatusCode: 503 },
    });
    const denied = Object.assign(new Error(), {
      name: "AccessDenied",
      $metadata: { httpStatusCode: 403 },
    });
    expect(backendError(slowDown, "reading", "k").retryable).to.equal(true);
    expect(backendError(slowDown, "reading", "k").message).to.include("SlowDown 503");
    expect(backendError(denied, "reading", "k").retryable).to.equal(false);
    expect(backendError({ code: "ECONNRESET" }, "reading", "k").retryable).to.equal(true);
  });

  it("that has no code says so, and one of ours passes through", () => {
    expect(backendError(undefined, "reading", "k").message).to.include("unknown reason");
    const ours = new StorageError("ERR_STORAGE_EXISTS", "taken", { objectKey: "k" });
    expect(backendError(ours, "reading", "k")).to.equal(ours);
  });
});
