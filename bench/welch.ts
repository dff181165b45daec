/*
 * Whether two classes of measurements have the same mean (Welch's t test), in the manner of dudect (Reparaz, Balasch,
 * Verbauwhede: "Dude, is my code constant time?"): over all of them, and over those below several percentiles, since what a leak
 * adds is often hidden by the long tail of interrupts.
 */

interface Moments {
  count: number;
  mean: number;
  /** Sum of squared distances from the mean (Welford). */
  squares: number;
}

const PERCENTILES = [0.5, 0.75, 0.9, 0.97, 1];

export class LeakTest {
  readonly #calibration: number[] = [];
  readonly #calibrating: number;
  #tests: { readonly limit: number; readonly classes: readonly [Moments, Moments] }[] = [];

  /** So many measurements choose the percentiles and do not count themselves. */
  constructor(calibrating = 2000) {
    this.#calibrating = calibrating;
  }

  /** `kind` is 0 for the fixed and 1 for the random class. */
  add(kind: 0 | 1, nanoseconds: number): void {
    if (this.#calibration.length < this.#calibrating) {
      this.#calibration.push(nanoseconds);
      if (this.#calibration.length === this.#calibrating) this.#begin();
      return;
    }
    for (const { limit, classes } of this.#tests) if (nanoseconds <= limit) take(classes[kind], nanoseconds);
  }

  #begin(): void {
    const ordered = this.#calibration.toSorted((left, right) => left - right);
    this.#tests = PERCENTILES.map((share) => ({
      limit: share === 1 ? Number.POSITIVE_INFINITY : ordered[Math.floor(share * this.#calibrating)]!,
      classes: [none(), none()],
    }));
  }

  /** The largest |t| of all, and how many measurements counted. */
  get result(): { readonly t: number; readonly count: number } {
    const all = this.#tests.at(-1)?.classes ?? [none(), none()];
    return {
      t: Math.max(0, ...this.#tests.map(({ classes }) => welch(...classes))),
      count: all[0].count + all[1].count,
    };
  }
}

const none = (): Moments => ({ count: 0, mean: 0, squares: 0 });

function take(moments: Moments, value: number): void {
  moments.count += 1;
  const distance = value - moments.mean;
  moments.mean += distance / moments.count;
  moments.squares += distance * (value - moments.mean);
}

function welch(left: Moments, right: Moments): number {
  if (left.count < 2 || right.count < 2) return 0;
  const spread = ({ count, squares }: Moments): number => squares / (count - 1) / count;
  const error = Math.sqrt(spread(left) + spread(right));
  return error === 0 ? 0 : Math.abs(left.mean - right.mean) / error;
}
