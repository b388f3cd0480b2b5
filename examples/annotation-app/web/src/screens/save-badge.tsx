import type { JSX } from "preact";
import type { SaveStatus } from "../data/autosave.ts";
import { Icon, type IconName } from "../ui/icon.tsx";

const LOOK: Readonly<
  Record<SaveStatus, { readonly text: string; readonly icon: IconName | null }>
> = {
  saved: { text: "Saved", icon: "check" },
  unsaved: { text: "Saving…", icon: null },
  saving: { text: "Saving…", icon: null },
  offline: { text: "Offline – will retry", icon: "offline" },
  conflict: { text: "Changed elsewhere", icon: "alert" },
  refused: { text: "Not saved", icon: "alert" },
};

export function SaveBadge({ status }: { readonly status: SaveStatus }): JSX.Element {
  const { text, icon } = LOOK[status];
  return (
    <span class={`save-badge is-${status}`} role="status" data-testid="save-status">
      {icon ? <Icon name={icon} /> : <span class="spinner" />}
      {text}
    </span>
  );
}
