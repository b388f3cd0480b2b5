// Objects of the legacy layout carry no authentication: under a wrong key one in 256 has a possible padding, opens as
// garbage, and would be replaced by that. Where most of those that were met do not open, the others are not believed.
import { EncryptionError, StorageError } from "@fieldseal/crypto";
import type { ObjectBackend } from "./backend.ts";
import type { ListedObject } from "./contract.ts";
import type { ObjectOpener } from "./object-opener.ts";

/** Of fewer objects nothing is concluded. */
const ENOUGH = 8;
const MAX_KEPT = 1000;
/** Objects that are looked at in one listing, of the legacy layout or not. */
const MAX_PROBED = 64;

/** What one storage has met of the legacy layout. */
export class LegacyEvidence {
  /** By key: whoever reads one damaged object again and again proves nothing. */
  readonly #opens: Map<string, boolean> = new Map();

  #keyId: string | undefined;

  /** What was met under another key says nothing of this one. */
  note(key: string, { keyId, opens }: { readonly keyId: string; readonly opens: boolean }): void {
    if (keyId !== this.#keyId) this.#opens.clear();
    this.#keyId = keyId;
    this.#opens.delete(key);
    this.#opens.set(key, opens);
    const [oldest] = this.#opens.keys();
    if (this.#opens.size > MAX_KEPT && oldest !== undefined) this.#opens.delete(oldest);
  }

  /**
   * Before an object is written anew that opens.
   * @throws {@link StorageError} `ERR_STORAGE_WRONG_KEY`
   */
  async refuseGarbage(
    key: string,
    { backend, opener }: { readonly backend: ObjectBackend; readonly opener: ObjectOpener },
  ): Promise<void> {
    if (this.#opens.size < ENOUGH) await this.#probe(backend.list({ startAfter: key }), opener);
    // Behind one of the last of a store there are too few.
    if (this.#opens.size < ENOUGH) await this.#probe(backend.list({}), opener);
    const met = this.#opens.size;
    const unreadable = [...this.#opens.values()].filter((opens) => !opens).length;
    if (met < ENOUGH || unreadable * 2 <= met) return;
    throw new StorageError(
      "ERR_STORAGE_WRONG_KEY",
      `The object "${key}", in the legacy layout, opens, but may be garbage: ${unreadable} of ${met} such objects do not open ` +
        'with this key. It was left as it is. Name the key that wrote them: legacy: { suite: "aes-256-cbc", keyId: "…" }.',
      { objectKey: key },
    );
  }

  async #probe(objects: AsyncIterable<ListedObject>, opener: ObjectOpener): Promise<void> {
    let probed = 0;
    for await (const next of objects) {
      if (probed++ === MAX_PROBED || this.#opens.size >= ENOUGH) return;
      try {
        const { body } = await opener.open(next.key);
        await body.close();
      } catch (error) {
        if (!(error instanceof EncryptionError)) throw error;
      }
    }
  }
}
