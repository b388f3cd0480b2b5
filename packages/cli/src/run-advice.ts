// What a run that did not end with "done" asks of whoever started it, and what a wait for another process means.
import { DEFAULT_LEASE_MS, type Progress, type RunReport } from "@fieldseal/migrate";
import { counted, type Output } from "./output.ts";
import { nameOfTable } from "./session.ts";

/** What follows when all is done. */
export const NEXT = {
  encrypt: "See what is there now: fieldseal verify",
  decrypt:
    "All is plaintext. Take the encryption out of the models and deploy: until then the application encrypts what it writes.",
} as const;

/** One sentence for each thing to be done; `again` is the command that goes on. */
export function closing(reports: readonly RunReport[], again: string): string[] {
  const those = (state: RunReport["state"]): RunReport[] =>
    reports.filter((report) => report.state === state);
  const sentences: string[] = [];
  const [elsewhere] = those("running");
  if (elsewhere !== undefined) {
    sentences.push(
      `Stopped here; run ${elsewhere.runId} is not paused, because another process has a part of it: one that is at work, ` +
        `or one that was killed, whose lease ends within ${DEFAULT_LEASE_MS / 1000} s. Go on with: ${again}. Stop it everywhere ` +
        `with: fieldseal migrate pause ${elsewhere.runId}`,
    );
  }
  if (those("paused").length > 0 && elsewhere === undefined) {
    sentences.push(`Paused; what is written is complete. Go on with: ${again}`);
  }
  if (those("cancelled").length > 0) {
    sentences.push(
      `Cancelled; what is written stays, and is read as before. Begin anew with: ${again}`,
    );
  }
  const partial = those("partial");
  const unreadable = partial.reduce((sum, { poisonRows }) => sum + poisonRows, 0);
  if (unreadable > 0) {
    const rows = counted(unreadable, "row");
    sentences.push(
      `${rows} cannot be read or written: "fieldseal verify" says why, and names missing keys. Then: ${again}`,
    );
  }
  if (partial.some(({ poisonRows, rowsSkipped }) => poisonRows + rowsSkipped === 0)) {
    sentences.push(
      `Something wrote other values all the while: deploy what writes envelopes everywhere, then: ${again}`,
    );
  }
  if (partial.some(({ rowsSkipped }) => rowsSkipped > 0)) {
    sentences.push(`Rows that were locked are taken once they are free: ${again}`);
  }
  return sentences;
}

/** At the end of a run that several processes share each waits a moment for the last batch of the others. */
const SHORT_WAIT_MS = 1000;

/** Says once a wait, on standard error, what it is for, until when, and that there is nothing to do. */
export function leaseNote(output: Output): (progress: Progress) => void {
  let since: number | undefined;
  let isTold = false;
  return (progress) => {
    const { waitingSeconds } = progress;
    if (waitingSeconds === undefined) [since, isTold] = [undefined, false];
    else {
      since ??= performance.now();
      if (isTold || performance.now() - since < SHORT_WAIT_MS) return;
      isTold = true;
      const until = new Date(Date.now() + waitingSeconds * 1000).toLocaleTimeString("en-GB");
      output.note(
        `What is left of ${nameOfTable(progress)} is on lease of another process, until ${until} if that one was killed: ` +
          "this run goes on then by itself. If it is at work, it renews the lease, and this run ends with it.",
      );
    }
  };
}
