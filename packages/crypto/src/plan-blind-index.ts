// How many bits a blind index should have: enough to search quickly, few enough to hide who is equal.

export interface BlindIndexPlan {
  /** Fewest and most bits for which 2 <= coincidences < sqrt(rows) holds; equal to `bits` when nothing does. */
  readonly minBits: number;
  readonly maxBits: number;
  /** The suggestion: the most bits (fastest search) that keep at least two rows per token on average. */
  readonly bits: number;
  /** Rows that share a token at `bits`, on average: each search decrypts and drops the wrong ones. */
  readonly rowsPerToken: number;
}

export interface BlindIndexPopulation {
  /** Rows that the table will have. Plan for the size to come: bits cannot grow without filling anew. */
  readonly rows: number;
  /** Different values among them. Defaults to `rows`. */
  readonly distinctValues?: number;
}

/**
 * Bits for a blind index over a column, after CipherSweet's rule: with R rows and L bits, R / 2^L rows share a
 * token by coincidence; keep that number at 2 or more, so that a token does not identify a row, and below
 * sqrt(R), so that a search stays cheap.
 *
 * @throws RangeError when a number is not positive
 * @see https://ciphersweet.paragonie.com/security, "Blind Index Information Leaks"
 */
export function planBlindIndex(population: BlindIndexPopulation): BlindIndexPlan {
  const { rows, distinctValues = rows } = population;
  if (!(rows >= 1) || !(distinctValues >= 1)) {
    throw new RangeError("planBlindIndex: rows and distinctValues must be at least 1.");
  }
  // A column with few distinct values repeats them by nature; only distinct ones can coincide.
  const values = Math.min(rows, distinctValues);
  const limit = (coincidences: number): number => Math.log2(values / coincidences);
  const maxBits = clampBits(Math.floor(limit(2)));
  const minBits = Math.min(maxBits, clampBits(Math.floor(limit(Math.sqrt(values))) + 1));
  return {
    minBits,
    maxBits,
    bits: maxBits,
    rowsPerToken: rows / 2 ** Math.min(maxBits, Math.log2(values)),
  };
}

function clampBits(bits: number): number {
  return Math.min(256, Math.max(4, bits));
}
