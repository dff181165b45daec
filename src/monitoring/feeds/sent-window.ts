import type { FeedMessage } from './feed.ts';

interface SentBatch {
  readonly from: number;
  readonly previous: number | null;
  readonly bytes: number;
  readonly atMs: number;
}

/** Where a range of sent messages begins. */
export interface SentMark {
  readonly from: number;
  readonly previous: number | null;
}

/** How far back sent messages are looked for: the older of the two limits counts. */
export interface Reach {
  readonly ageMsMax: number;
  readonly bytesMax: number;
}

const BATCHES_MAX = 4096;

/**
 * What was sent lately over a connection whose receiver confirms nothing: numbers and sizes only, since the messages themselves
 * can be read again. Past the limit the oldest is forgotten.
 */
export class SentWindow {
  readonly #batches: SentBatch[] = [];

  note(batch: readonly FeedMessage[], bytes: number, atMs: number): void {
    const first = batch[0];
    if (first === undefined) return;
    this.#batches.push({ from: first.seq ?? 0, previous: first.previous, bytes, atMs });
    if (this.#batches.length > BATCHES_MAX) this.#batches.shift();
  }

  /** The lowest number within reach of now; undefined when none is. */
  within({ ageMsMax, bytesMax }: Reach, nowMs: number): SentMark | undefined {
    let mark: SentMark | undefined;
    let bytes = 0;
    for (let at = this.#batches.length - 1; at >= 0; at -= 1) {
      const batch = this.#batches[at]!;
      if (nowMs - batch.atMs > ageMsMax || bytes >= bytesMax) break;
      bytes += batch.bytes;
      // After a replay later batches have lower numbers.
      if (mark === undefined || batch.from < mark.from) mark = { from: batch.from, previous: batch.previous };
    }
    return mark;
  }

  clear(): void {
    this.#batches.length = 0;
  }
}
