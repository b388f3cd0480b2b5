// Who looked at what lately: one look is logged once, however many requests it takes.
const LOOK_MS = 15 * 60_000;
const LOOKS = 10_000;

export class RecentLooks {
  readonly #at = new Map<string, number>();

  /** Notes the look. @returns whether there was none by this user within a quarter of an hour */
  isNew(user: string, id: string): boolean {
    const look = JSON.stringify([user, id]);
    const before = this.#at.get(look) ?? -Infinity;
    const now = performance.now();
    if (now - before < LOOK_MS) return false;
    this.#at.delete(look);
    this.#at.set(look, now);
    const [oldest] = this.#at.keys();
    if (this.#at.size > LOOKS && oldest !== undefined) this.#at.delete(oldest);
    return true;
  }
}
