// What a disk or an object store reports, as one error that quotes nothing of it but its code.
import { StorageError } from "@fieldseal/crypto";

/** What `system errors` and the AWS SDK's errors have in common. */
interface ReportedError {
  readonly code?: unknown;
  readonly name?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/**
 * The cause is left out: a service's message may quote its request, and with it credentials or names.
 * @param action what was being done, for the message: "reading", "writing"
 */
export function backendError(error: unknown, action: string, key: string): StorageError {
  if (error instanceof StorageError) return error;
  const { code, name, $metadata } = (error ?? {}) as ReportedError;
  const reason = [code, name === "Error" ? undefined : name, $metadata?.httpStatusCode]
    .filter((part) => typeof part === "string" || typeof part === "number")
    .join(" ");
  return new StorageError(
    "ERR_STORAGE_BACKEND",
    `The store failed while ${action} "${key}": ${reason === "" ? "unknown reason" : reason}.`,
    { objectKey: key, retryable: isTransient(reason, $metadata?.httpStatusCode) },
  );
}

/** Reports what fails in the words of {@link backendError}. */
export async function attempt<T>(action: string, key: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw backendError(error, action, key);
  }
}

function isTransient(reason: string, status: number | undefined): boolean {
  if (status !== undefined) return status >= 500 || status === 429;
  return /EAGAIN|EBUSY|EMFILE|ENFILE|ECONNRESET|ECONNREFUSED|ETIMEDOUT|EPIPE|Timeout/.test(reason);
}
