// Other tabs of the same browser share its session: before one of them signs out, all save what waits. Afterwards the
// edits could only be saved in the name of whoever signs in next, and are dropped.
const CHANNEL = "fieldseal-annotate";
const SAVE_NOW = "save now";
const SAVED = "saved";
/** A tab that has nothing to save answers at once; one that cannot reach the server keeps nobody waiting for long. */
const QUIET_MS = 150;
const LONGEST_MS = 3_000;

/** Saves by `flush` when another tab asks for it, until the returned function is called. */
export function saveForOtherTabs(flush: () => Promise<void>): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", ({ data }) => {
    if (data !== SAVE_NOW) return;
    say(channel, "saving");
    void flush().finally(() => say(channel, SAVED));
  });
  return () => channel.close();
}

/** Resolves when every tab that answered has saved. */
export async function letOtherTabsSave(): Promise<void> {
  const channel = new BroadcastChannel(CHANNEL);
  let saving = 0;
  await new Promise<void>((resolve) => {
    const quiet = setTimeout(() => saving === 0 && resolve(), QUIET_MS);
    const longest = setTimeout(resolve, LONGEST_MS);
    channel.addEventListener("message", ({ data }) => {
      if (data !== SAVED) {
        saving += 1;
        return;
      }
      saving -= 1;
      if (saving > 0) return;
      clearTimeout(quiet);
      clearTimeout(longest);
      resolve();
    });
    say(channel, SAVE_NOW);
  });
  channel.close();
}

function say(channel: BroadcastChannel, word: string): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel reaches its own origin only
  channel.postMessage(word);
}
