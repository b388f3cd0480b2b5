// Ten wrong passwords for a name, and it has to wait: guessing gets slow, whoever guesses.
import { Problem } from "./problem.ts";

const FAILURES = 10;
const WAIT_MS = 15 * 60_000;
/** Names that nobody has are counted too, so that nothing is learnt from being stopped; this bounds the memory. */
const NAMES = 10_000;

export class SignInLimit {
  readonly #failures = new Map<string, { count: number; until: number }>();

  /** @throws {@link Problem} 429 */
  check(name: string): void {
    const known = this.#failures.get(name);
    if (!known || known.count < FAILURES) return;
    if (known.until < Date.now()) this.forget(name);
    else
      throw new Problem(
        429,
        "TOO_MANY",
        "Too many wrong passwords. Try again in a quarter of an hour.",
      );
  }

  countFailure(name: string): void {
    const count = (this.#failures.get(name)?.count ?? 0) + 1;
    this.#failures.delete(name);
    this.#failures.set(name, { count, until: Date.now() + WAIT_MS });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > NAMES && oldest !== undefined) this.#failures.delete(oldest);
  }

  forget(name: string): void {
    this.#failures.delete(name);
  }
}
