/**
 * The places for hashes of one machine, lent to its workers in the order in which they asked. Owned by the primary. A worker that died gives
 * back what it held.
 */
export class HashPlaces {
  readonly #grant: (worker: number) => void;
  readonly #held = new Map<number, number>();
  #wanted: number[] = [];
  #free: number;

  /** `grant` tells a worker that it has one more place. */
  constructor(count: number, grant: (worker: number) => void) {
    this.#free = count;
    this.#grant = grant;
  }

  ask(worker: number): void {
    this.#wanted.push(worker);
    this.#lend();
  }

  giveBack(worker: number): void {
    const held = this.#held.get(worker) ?? 0;
    if (held === 0) return;
    this.#held.set(worker, held - 1);
    this.#free += 1;
    this.#lend();
  }

  forget(worker: number): void {
    this.#wanted = this.#wanted.filter((waiting) => waiting !== worker);
    this.#free += this.#held.get(worker) ?? 0;
    this.#held.delete(worker);
    this.#lend();
  }

  #lend(): void {
    while (this.#free > 0) {
      const worker = this.#wanted.shift();
      if (worker === undefined) return;
      this.#free -= 1;
      this.#held.set(worker, (this.#held.get(worker) ?? 0) + 1);
      this.#grant(worker);
    }
  }
}
