import { z } from "zod";

/** Text that can be stored: half a surrogate pair is refused here with 422, not later by the encryption. */
export function plainText(maxLength: number) {
  return z
    .string()
    .max(maxLength)
    .refine((text) => text.isWellFormed(), "broken characters");
}

/** The same in one line, without control characters: a name that people read. */
export function nameText(maxLength: number) {
  return plainText(maxLength)
    .refine((text) => !/\p{Cc}/u.test(text), "control characters")
    .transform((text) => text.trim())
    .refine((text) => text !== "", "empty");
}
