/** What a tally holds: `counts[i]` values were at most `bounds[i]` and above the bound before; the last count is beyond all bounds. */
export interface TallyReading {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

/**
 * Counts values by size, for histograms that are read now and then. To count is a short walk over a few bounds and an
 * addition, without an allocation: it may stand on any hot path.
 */
export class Tally {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** `bounds` rise; ten are plenty. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  count(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > this.#bounds[at]!) at += 1;
    this.#counts[at]! += 1;
    this.#sum += value;
  }

  read(): TallyReading {
    return { bounds: this.#bounds, counts: [...this.#counts], sum: this.#sum };
  }
}
