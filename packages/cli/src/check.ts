// One finding of the doctor.
import { describeFailure } from "./failure.ts";

export type CheckState = "ok" | "warning" | "failure" | "skipped";

export interface Check {
  readonly name: string;
  readonly state: CheckState;
  readonly detail: string;
  readonly fix?: string | undefined;
}

/** A check that could not be made. */
export function failed(name: string, error: unknown): Check & { readonly state: "failure" } {
  const { code, message, fix } = describeFailure(error);
  return { name, state: "failure", detail: `${message} [${code}]`, fix };
}
