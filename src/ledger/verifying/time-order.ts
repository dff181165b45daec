/** How far an entry may be dated before an earlier one: nodes commit side by side, each with a clock of its own. */
export const DISORDER_MS_MAX = 5_000;

const CLOCK_STEP = 'clock.step';

/**
 * Watches that entries are dated in the order of their numbers, within five seconds. A node that has told of a step of its
 * clock (`clock.step`) is compared with its own entries only from then on, and no longer moves the common time: its clock is
 * known to differ.
 */
export class TimeOrder {
  #newestMs = Number.NEGATIVE_INFINITY;
  readonly #stepped = new Map<string, number>();

  /** Whether an entry may be dated `ms`. Called for each entry once, in order. */
  allows(ms: number, node: string, type: string | undefined): boolean {
    if (type === CLOCK_STEP) {
      this.#stepped.set(node, ms);
      return true;
    }
    const own = this.#stepped.size === 0 ? undefined : this.#stepped.get(node);
    if (own !== undefined) {
      if (ms > own) this.#stepped.set(node, ms);
      return ms >= own - DISORDER_MS_MAX;
    }
    const allowed = ms >= this.#newestMs - DISORDER_MS_MAX;
    if (ms > this.#newestMs) this.#newestMs = ms;
    return allowed;
  }
}
