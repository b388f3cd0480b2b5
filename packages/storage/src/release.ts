// Giving memory back at once, instead of when the garbage collector finds it.

/**
 * Frees the memory of a Buffer that nobody else has, by detaching it; it has no bytes afterwards. Buffers of 64 KiB made
 * at a gigabyte a second pile up to 100 MB before they are collected, and memory that is used again is still in the
 * processor's cache. Does nothing to a Buffer that is part of a larger one.
 */
export function release(buffer: Buffer): void {
  const { buffer: memory, byteLength } = buffer;
  if (memory instanceof ArrayBuffer && memory.byteLength === byteLength) memory.transfer(0);
}
