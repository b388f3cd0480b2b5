// What the command cannot do for keys that stand in variables: said step by step, in an order without a gap.
import { bold, type Output } from "./output.ts";

export type VariableStep = "add" | "promote";

const ADD = [
  "Make a key: fieldseal keygen --out new.key",
  "Append its content to ENCRYPTION_PREVIOUS_KEYS (separated by a comma), and deploy everywhere: every process can read it.",
  "Then exchange the two: fieldseal keys promote <id> says how.",
];

const PROMOTE = [
  "Exchange the two: the new key into ENCRYPTION_KEY, the old one into ENCRYPTION_PREVIOUS_KEYS. Deploy everywhere.",
  "Re-encrypt: fieldseal rotate",
  "See that nothing uses the old one: fieldseal keys retire <id>",
];

/** Says that nothing was changed, and what is to be done by hand. */
export function showVariableSteps(step: VariableStep, output: Output): void {
  const steps = step === "add" ? ADD : PROMOTE;
  output.line(
    bold("No keyset file was named; keys in variables are yours to change. Nothing was done."),
  );
  output.table([["", ""], ...steps.map((text, i) => [`  ${i + 1}.`, text])]);
  output.line("For a keyset file: --keyset <file>, or ENCRYPTION_KEYSET_FILE.");
  output.json({ changed: false, steps });
}
