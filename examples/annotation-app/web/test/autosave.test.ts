import { expect } from "chai";
import { Autosave, DEBOUNCE_MS, type SaveOutcome, type SaveStatus } from "../src/data/autosave.ts";
import { HandClock, settled } from "./hand-clock.ts";

interface Sent {
  readonly content: string;
  readonly version: number;
  readonly answer: (outcome: SaveOutcome<string>) => Promise<void>;
  readonly fail: () => Promise<void>;
}

function start(): {
  readonly autosave: Autosave<string, string>;
  readonly clock: HandClock;
  readonly sent: Sent[];
  readonly statuses: SaveStatus[];
} {
  const clock = new HandClock();
  const sent: Sent[] = [];
  const statuses: SaveStatus[] = [];
  const autosave = new Autosave<string, string>({
    content: "start",
    version: 1,
    clock,
    onStatus: (status) => statuses.push(status),
    send: (content, version) => {
      const { promise, resolve, reject } = Promise.withResolvers<SaveOutcome<string>>();
      sent.push({
        content,
        version,
        answer: (outcome) => (resolve(outcome), settled()),
        fail: () => (reject(new TypeError("network")), settled()),
      });
      return promise;
    },
  });
  return { autosave, clock, sent, statuses };
}

describe("Autosave", () => {
  it("waits until edits pause, and sends the last", async () => {
    const { autosave, clock, sent, statuses } = start();
    autosave.edit("a");
    await clock.pass(DEBOUNCE_MS - 1);
    autosave.edit("ab");
    await clock.pass(DEBOUNCE_MS - 1);
    expect(sent).to.have.length(0);
    await clock.pass(1);
    expect(sent.map(({ content, version }) => [content, version])).to.deep.equal([["ab", 1]]);
    await sent[0]?.answer({ kind: "saved", version: 2 });
    expect(statuses).to.deep.equal(["unsaved", "unsaved", "saving", "saved"]);
    expect(autosave.hasUnsaved).to.equal(false);
  });

  it("never replaces newer edits by the answer of an older save", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("first");
    await clock.pass(DEBOUNCE_MS);
    autosave.edit("second");
    await sent[0]?.answer({ kind: "saved", version: 2 });
    expect(autosave.content).to.equal("second");
    expect(autosave.status).to.equal("unsaved");
    await clock.pass(DEBOUNCE_MS);
    expect(sent[1]).to.include({ content: "second", version: 2 });
    await sent[1]?.answer({ kind: "saved", version: 3 });
    expect(autosave.status).to.equal("saved");
    expect(autosave.saved).to.equal("second");
  });

  it("sends one save at a time", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("first");
    await clock.pass(DEBOUNCE_MS);
    autosave.edit("second");
    await clock.pass(10 * DEBOUNCE_MS);
    const flushed = autosave.flush();
    await settled();
    expect(sent).to.have.length(1);
    await sent[0]?.answer({ kind: "saved", version: 2 });
    expect(sent[1]).to.include({ content: "second", version: 2 });
    await sent[1]?.answer({ kind: "saved", version: 3 });
    await flushed;
    expect(autosave.status).to.equal("saved");
  });

  it("tries a refused save again when somebody asks for it", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("a");
    await clock.pass(DEBOUNCE_MS);
    await sent[0]?.answer({ kind: "refused", message: "You may only look." });
    const flushed = autosave.flush();
    await sent[1]?.answer({ kind: "saved", version: 2 });
    await flushed;
    expect(autosave.status).to.equal("saved");
  });

  it("sends nothing any more once it is abandoned, not even a retry", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("a");
    await clock.pass(DEBOUNCE_MS);
    await sent[0]?.fail();
    autosave.abandon();
    await clock.pass(60_000);
    await autosave.flush();
    autosave.edit("ab");
    await clock.pass(60_000);
    expect(sent).to.have.length(1);
  });

  it("tries again after a lost connection, ever more slowly, with what is on screen then", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("a");
    await clock.pass(DEBOUNCE_MS);
    await sent[0]?.fail();
    expect(autosave.status).to.equal("offline");
    expect(autosave.hasUnsaved).to.equal(true);
    await clock.pass(1_000);
    expect(sent).to.have.length(2);
    await sent[1]?.fail();
    await clock.pass(1_999);
    expect(sent).to.have.length(2);
    autosave.edit("ab");
    await clock.pass(DEBOUNCE_MS);
    expect(sent[2]).to.include({ content: "ab", version: 1 });
    await sent[2]?.answer({ kind: "saved", version: 2 });
    expect(autosave.status).to.equal("saved");
  });

  it("tries at once when it is told that the network is back", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("a");
    await clock.pass(DEBOUNCE_MS);
    await sent[0]?.fail();
    const flushed = autosave.flush();
    await sent[1]?.answer({ kind: "saved", version: 2 });
    await flushed;
    expect(autosave.status).to.equal("saved");
  });

  it("stops at a conflict, whatever is edited, until somebody decides", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("mine");
    await clock.pass(DEBOUNCE_MS);
    await sent[0]?.answer({ kind: "conflict", server: "theirs", version: 7 });
    autosave.edit("mine, edited on");
    await clock.pass(60_000);
    expect(sent).to.have.length(1);
    expect(autosave.conflict).to.equal("theirs");
    autosave.resolve("both", "theirs");
    await clock.pass(0);
    expect(sent[1]).to.include({ content: "both", version: 7 });
  });

  it("saves nothing when somebody decides for the server's side", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("mine");
    await clock.pass(DEBOUNCE_MS);
    await sent[0]?.answer({ kind: "conflict", server: "theirs", version: 7 });
    autosave.resolve("theirs", "theirs");
    await clock.pass(60_000);
    expect(sent).to.have.length(1);
    expect(autosave.status).to.equal("saved");
    expect(autosave.version).to.equal(7);
  });

  it("does not repeat a save that the server refuses", async () => {
    const { autosave, clock, sent } = start();
    autosave.edit("a");
    await clock.pass(DEBOUNCE_MS);
    await sent[0]?.answer({ kind: "refused", message: "You may only look." });
    await clock.pass(60_000);
    expect(sent).to.have.length(1);
    expect(autosave.status).to.equal("refused");
    expect(autosave.refusal).to.equal("You may only look.");
  });
});
