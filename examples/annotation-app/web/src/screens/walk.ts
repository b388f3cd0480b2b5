// From frame to frame along the list as it is filtered.

interface Frame {
  readonly id: string;
  readonly isReviewed: boolean;
}

/** From a frame that the filter hides, the walk goes on at the start of the list. */
export function neighbour<T extends Frame>(
  frames: readonly T[],
  id: string,
  step: 1 | -1,
): T | undefined {
  const at = frames.findIndex((frame) => frame.id === id);
  return at < 0 ? frames[0] : frames[at + step];
}

/** The next frame to review after this one; round to the start of the list after its end. */
export function nextUnreviewed<T extends Frame>(frames: readonly T[], id: string): T | undefined {
  const at = frames.findIndex((frame) => frame.id === id);
  const ahead = [...frames.slice(at + 1), ...frames.slice(0, Math.max(0, at))];
  return ahead.find((frame) => !frame.isReviewed);
}
