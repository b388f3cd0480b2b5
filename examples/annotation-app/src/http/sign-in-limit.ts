// Ten wrong passwords for a name, and it has to wait: guessing gets slow, whoever guesses. And few guesses at a time,
// whatever the names: each takes 64 MB and a tenth of a second.
import { Problem } from "./problem.ts";

const FAILURES = 10;
const WAIT_MS = 15 * 60_000;
/** Names that nobody has are counted too, so that nothing is learnt from being stopped; this bounds the memory. */
const NAMES = 10_000;
const AT_A_TIME = 8;

export class SignInLimit {
  readonly #failures = new Map<string, { count: number; until: number }>();

  #running = 0;

  /**
   * Runs `guess` and counts it as a failure until it has told otherwise: guesses made at one moment count, too.
   * @param guess tells whether the password was right
   * @throws {@link Problem} 429
   */
  async limit<T>(name: string, guess: () => Promise<T | undefined>): Promise<T | undefined> {
    if (this.#running >= AT_A_TIME) {
      throw new Problem(429, "BUSY", "Many people sign in at this moment. Try again.");
    }
    this.#check(name);
    this.#countFailure(name);
    this.#running += 1;
    try {
      const right = await guess();
      if (right !== undefined) this.#forget(name);
      return right;
    } finally {
      this.#running -= 1;
    }
  }

  #check(name: string): void {
    const known = this.#failures.get(name);
    if (!known || known.count < FAILURES) return;
    if (known.until < Date.now()) this.#forget(name);
    else
      throw new Problem(
        429,
        "TOO_MANY",
        "Too many wrong passwords. Try again in a quarter of an hour.",
      );
  }

  #countFailure(name: string): void {
    const count = (this.#failures.get(name)?.count ?? 0) + 1;
    this.#failures.delete(name);
    this.#failures.set(name, { count, until: Date.now() + WAIT_MS });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > NAMES && oldest !== undefined) this.#failures.delete(oldest);
  }

  #forget(name: string): void {
    this.#failures.delete(name);
  }
}
