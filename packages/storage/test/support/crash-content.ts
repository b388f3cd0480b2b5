/** What version `i` of the object holds: recognisable, and of varying length. */
export function contentOf(version: number): Buffer {
  return Buffer.alloc(300_000 + (version % 7) * 50_000, `version ${version}. `);
}
