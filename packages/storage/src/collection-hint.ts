// Memory that is handed out, so that only the garbage collector can take it back.
import { getHeapSpaceStatistics } from "node:v8";

const MIB: number = 1024 * 1024;
/** What may wait to be freed, where as much again of other memory does. */
export const PILE_BYTES: number = 16 * MIB;
/** Where nothing else does. Half of it would cost a stream from disk a fifth of its rate. */
export const LARGE_PILE_BYTES: number = 32 * MIB;
/** V8 has 1 MiB at first, and up to 16 MiB and more after busy times, such as uploads. */
const MEASURE_EVERY_BYTES: number = 8 * MIB;
const SLOT_BYTES = 8;
/** A larger array would stand in a space of its own, which does not fill what is to be collected. */
const MAX_SLOTS: number = 8 * 1024;

/** The one that is alive; kept, because a compiler may leave out what nobody can see. */
const latest: { hint: unknown } = { hint: undefined };
/** The heap's space for what is young. */
let youngBytes: number = MIB;
let untilMeasured = 0;

/**
 * Says that a Buffer of this length was handed out. V8 collects what is young whenever its space for that is full, and a
 * Buffer takes a hundred bytes of it, whatever stands behind it: 64 MB of segments would wait to be freed. Arrays of
 * holes, dropped at once, stand for them. Memory that comes back soon is still in the processor's cache.
 * @param pileBytes what may wait to be freed; less costs more collections
 */
export function hintCollector(lengthBytes: number, pileBytes: number = PILE_BYTES): void {
  untilMeasured -= lengthBytes;
  if (untilMeasured <= 0) {
    untilMeasured = MEASURE_EVERY_BYTES;
    youngBytes = measureYoung();
  }
  const hintBytes = (lengthBytes * youngBytes) / pileBytes;
  for (let slots = Math.ceil(hintBytes / SLOT_BYTES); slots > 0; slots -= MAX_SLOTS) {
    // oxlint-disable-next-line unicorn/no-new-array -- holes are what is wanted: filling them would cost the time that the hint saves
    latest.hint = new Array(Math.min(MAX_SLOTS, slots));
  }
}

/** The space for what is young, used or not. */
function measureYoung(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return young === undefined ? 0 : young.space_used_size + young.space_available_size;
}
