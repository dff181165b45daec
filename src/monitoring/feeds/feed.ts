import type { Severity } from '../../ledger/event-kind.ts';

/** One event on its way out, already in the words of the receiver. */
export interface FeedMessage {
  /** The number of the entry in the ledger; null for a test message. */
  readonly seq: number | null;
  /** The number of the message before this one in the same feed: whoever holds messages and not that one has lost something. */
  readonly previous: number | null;
  readonly ts: string;
  readonly node: string;
  readonly type: string;
  readonly severity: Severity;
  /** The body: one line of text. */
  readonly text: string;
}

/** Messages that were sent but are not known to have arrived: the first of them, and the message before it. */
export interface Doubt {
  readonly from: number;
  readonly previous: number | null;
  /** True when the connection that carried them has ended: they have to be sent again before anything else. */
  readonly interrupted: boolean;
}

/** How long a batch may take. Shorter than half a lease: whoever sends holds the feed. */
export const SEND_MS = 10_000;

/**
 * Takes events out of the house, in order, at least once. The runner that owns it calls one method at a time.
 */
export interface Feed {
  /**
   * Resolves when the receiver has the batch (at least one message, in order), as far as its protocol can tell, and rejects with
   * a `FeedFailure`, soon after `signal` is aborted at the latest. A batch that failed may have arrived in part: it is sent again.
   */
  send(batch: readonly FeedMessage[], signal: AbortSignal): Promise<void>;
  /** What was sent lately and is still in doubt. Always undefined where the receiver confirms each batch. */
  doubt(): Doubt | undefined;
  /** Ends the connection in order, within a second, and forgets it. Resolves with what the receiver has not confirmed. */
  close(): Promise<Doubt | undefined>;
}

/**
 * Why a batch was not taken, in words for an operator: nothing of the receiver's answer but its status, nothing personal.
 * `retryable`: the receiver cannot be reached or is busy. `refused`: it answered, and does not want this.
 */
export class FeedFailure extends Error {
  readonly kind: 'retryable' | 'refused';

  constructor(kind: 'retryable' | 'refused', reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'FeedFailure';
    this.kind = kind;
  }
}

/** The code of a system error, such as ECONNREFUSED; its message may name addresses and paths and is left behind. */
export const causeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed';
