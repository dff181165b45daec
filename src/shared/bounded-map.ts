/** Of so many entries one goes, together with its neighbours. */
const LEAVING_SHARE = 16;

/**
 * A map of so many entries at most: where one more would be too many, the oldest sixteenth goes first. One at a time would be dear, since a
 * `Map` walks past the places of all that went before to find its oldest: 20 us in one of 5,000, 50 in one of 20,000.
 */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #entriesMax: number;

  constructor(entriesMax: number) {
    super();
    this.#entriesMax = entriesMax;
  }

  override set(key: Key, value: Value): this {
    if (this.size >= this.#entriesMax && !this.has(key)) this.#makeRoom();
    return super.set(key, value);
  }

  #makeRoom(): void {
    let leaving = Math.ceil(this.#entriesMax / LEAVING_SHARE);
    for (const oldest of this.keys()) {
      this.delete(oldest);
      leaving -= 1;
      if (leaving === 0) return;
    }
  }
}
