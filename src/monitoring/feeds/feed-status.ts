import type { FeedCursor } from './feed-cursor.ts';
import type { FeedSetting } from './feed-setting.ts';

/**
 * How a feed stands, for metrics and the command line. `standby`: another node delivers. `failing`: the receiver does not take
 * anything, and everything waits. `refused`: it does not want a certain event.
 */
export type FeedCondition = 'starting' | 'standby' | 'delivering' | 'failing' | 'refused';

export interface FeedStatus {
  readonly name: string;
  readonly kind: FeedSetting['kind'];
  readonly state: FeedCondition;
  /** Signed entries this feed has not gone past, those among them it does not take included. */
  readonly lagEvents: number;
  /** The age of the oldest of them; 0 when there is none. */
  readonly lagSeconds: number;
  readonly lastError: string | null;
  readonly lastDeliveredSeq: number | null;
}

/** What a runner knows about itself without asking the store. */
export class Lag {
  readonly #name: string;
  readonly #kind: FeedSetting['kind'];
  #state: FeedCondition = 'starting';
  #nextSeq = 0;
  #signedSize = 0;
  #waitingSinceMs: number | undefined;
  #failingSinceMs: number | undefined;
  #lastError: string | null = null;
  #lastDeliveredSeq: number | null = null;

  constructor(name: string, kind: FeedSetting['kind']) {
    this.#name = name;
    this.#kind = kind;
  }

  get failingSinceMs(): number | undefined {
    return this.#failingSinceMs;
  }

  /** Another node delivers: where it stood a moment ago. */
  standby(cursor: FeedCursor, signedSize: number): void {
    this.#state = 'standby';
    this.#failingSinceMs = undefined;
    this.#stand(cursor, signedSize, undefined);
  }

  /** What there is to deliver; `firstTs` is the time of the first of it. */
  look(cursor: FeedCursor, signedSize: number, firstTs: string | undefined): void {
    if (this.#state === 'starting' || this.#state === 'standby') this.#state = 'delivering';
    this.#stand(cursor, signedSize, firstTs);
  }

  #stand({ nextSeq, state }: FeedCursor, signedSize: number, firstTs: string | undefined): void {
    this.#nextSeq = nextSeq;
    this.#signedSize = signedSize;
    this.#lastDeliveredSeq = state.lastDeliveredSeq;
    this.#waitingSinceMs = nextSeq < signedSize && firstTs !== undefined ? Date.parse(firstTs) : undefined;
    this.#lastError ??= state.outage?.error ?? null;
  }

  delivered(nextSeq: number, lastSeq: number | null): void {
    this.#nextSeq = nextSeq;
    this.#lastDeliveredSeq = lastSeq;
    if (nextSeq >= this.#signedSize) this.#waitingSinceMs = undefined;
    if (this.#state !== 'failing') this.#state = 'delivering';
  }

  failing(error: string, atMs: number): void {
    this.#state = 'failing';
    this.#failingSinceMs ??= atMs;
    this.#lastError = error;
  }

  refused(error: string): void {
    this.#state = 'refused';
    this.#lastError = error;
  }

  wellAgain(): void {
    this.#state = 'delivering';
    this.#failingSinceMs = undefined;
  }

  status(nowMs: number): FeedStatus {
    const waitedMs = this.#waitingSinceMs === undefined ? 0 : Math.max(0, nowMs - this.#waitingSinceMs);
    return {
      name: this.#name,
      kind: this.#kind,
      state: this.#state,
      lagEvents: Math.max(0, this.#signedSize - this.#nextSeq),
      lagSeconds: Math.round(waitedMs / 1000),
      lastError: this.#lastError,
      lastDeliveredSeq: this.#lastDeliveredSeq,
    };
  }
}
