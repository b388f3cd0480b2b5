// What both ORMs must declare alike, so that each reads the other's rows. Both take table and column names for the
// binding of a value, and those agree already; what remains are the searchable columns.
import type { EncryptionOptions } from "@fieldseal/crypto";

/** `accept` until the rows of the older application are re-encrypted and verified; then only envelopes are read. */
export type PlaintextMode = "accept" | "reject";

/** Few cameras, asked for by equality. Equal cameras are stored equal: how many frames each has can be seen. */
export const CAMERA: EncryptionOptions = { deterministic: true };

/** Six bits: several labels share a token, so that a token names none. What it matches too much is sorted out after decryption. */
export const LABEL: EncryptionOptions = {
  blindIndex: { column: "label_index", bits: 6, normalize: "case-insensitive" },
};
