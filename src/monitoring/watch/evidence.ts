import { BoundedMap } from '../../shared/bounded-map.ts';

/** Keys whose evidence is remembered; about 20 MB when each has its twenty numbers. */
const KEYS_MAX = 50_000;

/**
 * The numbers of the entries behind a count that has not fired yet, newest last. Kept in memory only: after a restart the watch
 * reads the newest entries once more to fill it.
 */
export class EvidenceMemory {
  readonly #numbers = new BoundedMap<string, number[]>(KEYS_MAX);

  remember(ruleId: string, key: string, seq: number, evidenceMax: number): void {
    const name = `${ruleId} ${key}`;
    const numbers = this.#numbers.get(name) ?? [];
    if (numbers.at(-1) === seq) return;
    numbers.push(seq);
    if (numbers.length > evidenceMax) numbers.shift();
    // Written again, so that the longest unused stands first.
    this.#numbers.delete(name);
    this.#numbers.set(name, numbers);
  }

  of(ruleId: string, key: string): readonly number[] {
    return this.#numbers.get(`${ruleId} ${key}`) ?? [];
  }

  forget(ruleId: string, key: string): void {
    this.#numbers.delete(`${ruleId} ${key}`);
  }
}
