// Memory that is handed out, so that only the garbage collector can take it back.
import { getHeapSpaceStatistics } from "node:v8";

/** What may wait to be freed. */
const PILE_BYTES: number = 16 * 1024 * 1024;
/** V8 has 1 MiB at first, and up to 16 MiB and more after busy times, such as uploads. */
const MEASURE_EVERY_BYTES: number = PILE_BYTES / 2;
const SLOT_BYTES = 8;
/** A larger array would stand in a space of its own, which does not fill what is to be collected. */
const MAX_SLOTS: number = 8 * 1024;

/** The one that is alive; kept, because a compiler may leave out what nobody can see. */
const latest: { hint: unknown } = { hint: undefined };
/** Of the heap, for each byte that was handed out. */
let share = 1024 ** 2 / PILE_BYTES;
let untilMeasured = 0;

/**
 * Says that a Buffer of this length was handed out. V8 collects what is young whenever its space for that is full, and a
 * Buffer takes a hundred bytes of it, whatever stands behind it: 64 MB of segments would wait to be freed. Arrays of
 * holes, dropped at once, stand for them. It costs no time: memory that comes back soon is still in the processor's
 * cache.
 */
export function hintCollector(lengthBytes: number): void {
  untilMeasured -= lengthBytes;
  if (untilMeasured <= 0) {
    untilMeasured = MEASURE_EVERY_BYTES;
    share = youngBytes() / PILE_BYTES;
  }
  for (let slots = Math.ceil((lengthBytes * share) / SLOT_BYTES); slots > 0; slots -= MAX_SLOTS) {
    // oxlint-disable-next-line unicorn/no-new-array -- holes are what is wanted: filling them would cost the time that the hint saves
    latest.hint = new Array(Math.min(MAX_SLOTS, slots));
  }
}

/** The space for what is young, used or not. */
function youngBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return young === undefined ? 0 : young.space_used_size + young.space_available_size;
}
