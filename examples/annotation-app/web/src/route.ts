// Which screen is shown, kept in the fragment of the address: it survives a reload and never reaches the server.
import { useLayoutEffect, useState } from "preact/hooks";

export const SCREENS = ["frames", "videos", "database", "keys", "transfer", "activity"] as const;
export type Screen = (typeof SCREENS)[number];

export interface Route {
  readonly screen: Screen;
  /** The opened frame or video. */
  readonly id: string | null;
}

export function parseRoute(fragment: string): Route {
  const [name, id] = fragment.replace(/^#\/?/, "").split("/");
  const screen = SCREENS.find((known) => known === name) ?? "frames";
  return { screen, id: id === undefined || id === "" ? null : decoded(id) };
}

/** An address that somebody has cut in the middle of a %-sequence is no reason for an empty page. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function linkTo(screen: Screen, id?: string): string {
  return id === undefined ? `#/${screen}` : `#/${screen}/${encodeURIComponent(id)}`;
}

/** Walking from frame to frame leaves one entry in the browser's history, not hundreds. */
export function replaceRoute(screen: Screen, id: string): void {
  history.replaceState(null, "", linkTo(screen, id));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  // In the same turn as the first look: an address that changes before the page is painted must not be missed.
  useLayoutEffect(() => {
    const onChange = (): void => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", onChange);
    return () => removeEventListener("hashchange", onChange);
  }, []);
  return route;
}
