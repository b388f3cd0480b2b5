// An answer that says the same again is the same object again: what depends on it, such as the open editor with its
// history, is not made anew.
import { useRef } from "preact/hooks";

/** For plain data of JSON. */
export function useSameWhileEqual<T>(value: T): T {
  const kept = useRef({ value, text: JSON.stringify(value) });
  if (kept.current.value !== value) {
    const text = JSON.stringify(value);
    if (text !== kept.current.text) kept.current = { value, text };
  }
  return kept.current.value;
}
