// Memory that is handed out, so that only the garbage collector can take it back.

/** What a hint takes of the heap, of what was handed out. Measured: with half of it twice as much waits to be freed. */
const SHARE = 1 / 16;
const SLOT_BYTES = 8;
const MAX_SLOTS: number = 8 * 1024;

/** The one that is alive; kept, because a compiler may leave out what nobody can see. */
const latest: { hint: unknown } = { hint: undefined };

/**
 * Says that a Buffer of this length was handed out. V8 collects what is young whenever about a megabyte of its own heap
 * has been used, and a Buffer takes a hundred bytes of that, whatever stands behind it: 64 MB of segments would wait to
 * be freed. An array of holes, dropped at the next call, stands for them. It costs no time: memory that comes back soon
 * is still in the processor's cache.
 */
export function hintCollector(lengthBytes: number): void {
  const slots = Math.min(MAX_SLOTS, Math.ceil((lengthBytes * SHARE) / SLOT_BYTES));
  // oxlint-disable-next-line unicorn/no-new-array -- to fill it would take time for nothing
  latest.hint = new Array(slots);
}
