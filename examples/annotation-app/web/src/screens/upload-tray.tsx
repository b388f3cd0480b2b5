// Files that are dropped anywhere on the page, their way to the server, and why some were refused.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { counted, percent } from "../data/format.ts";
import { refusalOf, upload } from "../data/upload.ts";
import { announce } from "../ui/announcer.tsx";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { asError } from "../ui/use-remote.ts";

interface Item {
  readonly key: number;
  readonly file: File;
  readonly share: number;
  readonly state: "waiting" | "sending" | "done" | "refused";
  readonly message: string;
}

export interface Uploads {
  readonly items: readonly Item[];
  add(files: readonly File[]): void;
  clear(): void;
}

let nextKey = 1;

function toItem(file: File): Item {
  const refusal = refusalOf(file);
  return {
    key: nextKey++,
    file,
    share: 0,
    state: refusal === null ? "waiting" : "refused",
    message: refusal ?? "Waiting",
  };
}

/** One file at a time: the server decrypts and re-encodes each, and progress means something. */
export function useUploads(onDone: () => void): Uploads {
  const [items, setItems] = useState<readonly Item[]>([]);
  const queue = useRef<Promise<void>>(Promise.resolve());
  const patch = (key: number, fields: Partial<Item>): void => {
    setItems((before) => before.map((item) => (item.key === key ? { ...item, ...fields } : item)));
  };
  const send = async ({ key, file }: Item): Promise<void> => {
    patch(key, { state: "sending" });
    try {
      const done = await upload(file, (share) => patch(key, { share }));
      const removed = done.removedMetadata;
      const message =
        removed.length > 0 ? `Encrypted. Removed: ${removed.join(", ")}` : "Encrypted";
      patch(key, { state: "done", share: 1, message });
      onDone();
    } catch (error) {
      patch(key, { state: "refused", message: asError(error).message });
    }
  };
  const add = (files: readonly File[]): void => {
    const added = files.map(toItem);
    setItems((before) => [...before, ...added]);
    announce(`Adding ${counted(added.length, "file")}`);
    for (const item of added) {
      if (item.state === "waiting") queue.current = queue.current.then(() => send(item));
    }
  };
  const clear = (): void => {
    setItems((before) => before.filter(({ state }) => state === "waiting" || state === "sending"));
  };
  return { items, add, clear };
}

export function UploadTray({ uploads }: { readonly uploads: Uploads }): JSX.Element | null {
  const { items } = uploads;
  if (items.length === 0) return null;
  const done = items.filter((item) => item.state === "done").length;
  const refused = items.filter((item) => item.state === "refused").length;
  return (
    <section class="upload-tray" aria-label="Uploads">
      <header>
        <h3>
          {done} of {counted(items.length, "file")} added{refused > 0 && `, ${refused} refused`}
        </h3>
        <IconButton icon="close" name="Clear finished uploads" onClick={uploads.clear} />
      </header>
      <ul>
        {items.map((item) => (
          <li key={item.key} class={`upload is-${item.state}`}>
            <Icon
              name={item.state === "refused" ? "alert" : item.state === "done" ? "lock" : "file"}
            />
            <span class="upload-name">{item.file.name}</span>
            <span class="upload-message">
              {item.state === "sending" ? percent(item.share) : item.message}
            </span>
            {item.state === "sending" && (
              <progress value={item.share} aria-label={item.file.name} />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
