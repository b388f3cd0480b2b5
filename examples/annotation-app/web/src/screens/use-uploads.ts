// The files that are being added: one at a time, because the server re-encodes and encrypts each, and progress means
// something.
import { useEffect, useRef, useState } from "preact/hooks";
import { counted } from "../data/format.ts";
import { refusalOf, upload } from "../data/upload.ts";
import { announce } from "../ui/announcer.tsx";
import { asError } from "../ui/use-remote.ts";

export interface Upload {
  readonly key: number;
  readonly name: string;
  readonly share: number;
  readonly state: "waiting" | "sending" | "done" | "refused";
  readonly message: string;
}

export interface Uploads {
  readonly items: readonly Upload[];
  add(files: readonly File[]): void;
  /** Takes away what is finished. */
  clear(): void;
}

let nextKey = 1;
let underWay = 0;

/** Closing the page now would cut a file off. */
export function isUploading(): boolean {
  return underWay > 0;
}

/** `onDone` is called after each file that was added. What is under way stops when the caller goes away. */
export function useUploads(onDone: () => void): Uploads {
  const [items, setItems] = useState<readonly Upload[]>([]);
  const queue = useRef<Promise<void>>(Promise.resolve());
  const stopping = useRef(new AbortController()).current;
  useEffect(() => () => stopping.abort(), []);
  const patch = (key: number, fields: Partial<Upload>): void => {
    setItems((before) => before.map((item) => (item.key === key ? { ...item, ...fields } : item)));
  };
  const send = async (key: number, file: File): Promise<void> => {
    try {
      if (stopping.signal.aborted) return;
      patch(key, { state: "sending" });
      const onProgress = (share: number): void => patch(key, { share });
      const { removedMetadata } = await upload(file, { onProgress, signal: stopping.signal });
      patch(key, { state: "done", share: 1, message: doneMessage(removedMetadata) });
      onDone();
    } catch (error) {
      const { message } = asError(error);
      patch(key, { state: "refused", message });
      announce(`${file.name} was not added. ${message}`);
    } finally {
      underWay -= 1;
    }
  };
  const add = (files: readonly File[]): void => {
    if (files.length === 0) return;
    const added = files.map((file) => ({ file, item: toItem(file) }));
    setItems((before) => [...before, ...added.map(({ item }) => item)]);
    announce(`Adding ${counted(added.length, "file")}`);
    for (const { file, item } of added) {
      if (item.state !== "waiting") continue;
      underWay += 1;
      queue.current = queue.current.then(() => send(item.key, file));
    }
  };
  const clear = (): void => {
    setItems((before) => before.filter(({ state }) => state === "waiting" || state === "sending"));
  };
  return { items, add, clear };
}

function toItem(file: File): Upload {
  const refusal = refusalOf(file);
  return {
    key: nextKey++,
    name: file.name,
    share: 0,
    state: refusal === null ? "waiting" : "refused",
    message: refusal ?? "Waiting",
  };
}

function doneMessage(removed: readonly string[]): string {
  return removed.length > 0 ? `Encrypted. Removed: ${removed.join(", ")}` : "Encrypted";
}
