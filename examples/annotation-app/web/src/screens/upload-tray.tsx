// Files that are dropped anywhere on the page, their way to the server, and why some were refused.
import type { JSX } from "preact";
import { counted, percent } from "../data/format.ts";
import { IconButton } from "../ui/button.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import type { Upload, Uploads } from "./use-uploads.ts";

const ICONS: Readonly<Record<Upload["state"], IconName>> = {
  waiting: "file",
  sending: "file",
  done: "lock",
  refused: "alert",
};

export function UploadTray({ uploads }: { readonly uploads: Uploads }): JSX.Element | null {
  const { items } = uploads;
  if (items.length === 0) return null;
  const done = items.filter((item) => item.state === "done").length;
  const refused = items.filter((item) => item.state === "refused").length;
  const isFinished = done + refused === items.length;
  return (
    <section class="upload-tray" aria-label="Uploads">
      <header>
        <h3>
          {done} of {counted(items.length, "file")} added{refused > 0 && `, ${refused} refused`}
        </h3>
        {!isFinished && <span class="spinner" />}
        <IconButton icon="close" name="Clear finished uploads" onClick={uploads.clear} />
      </header>
      <ul tabIndex={0} aria-label="Files">
        {items.map((item) => (
          <li key={item.key} class={`upload is-${item.state}`} data-testid="upload">
            <Icon name={ICONS[item.state]} />
            <span class="upload-name" title={item.name}>
              {item.name}
            </span>
            <span class="upload-message">{messageOf(item)}</span>
            {item.state === "sending" && <progress value={item.share} aria-label={item.name} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** After the last byte has left, the server strips, encrypts and stores. */
function messageOf({ state, share, message }: Upload): string {
  if (state !== "sending") return message;
  return share < 1 ? percent(share) : "Encrypting…";
}
