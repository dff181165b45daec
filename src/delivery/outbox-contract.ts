import type { EventType } from '../ledger/events.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Database } from '../storage/database.ts';
import type { RetrySchedule } from './retry-schedule.ts';

/**
 * What is to be delivered. `destination`, else `clientId`, names who may be slow or dead: deliveries to one do not hold up another.
 * `clientId`, `personId` and `sessionUid` go into the ledger event of the outcome. No secret belongs in a payload.
 */
export type DeliveryPayload = Readonly<Record<string, unknown>>;

/** What a handler is told beside the payload. `id` stays the same over all attempts: it lets the other side drop a repetition. */
export interface Attempt {
  readonly id: string;
  readonly number: number;
  /** Aborted at the handler's time limit and when the worker stops. */
  readonly signal: AbortSignal;
}

/** Delivers once. Resolves when the other side has it; rejects with `DeliveryFailure` when not. May be called again for the same id. */
export type DeliveryHandler = (payload: DeliveryPayload, attempt: Attempt) => Promise<void>;

/** How the ledger is told of a topic; `details` are members of its payload that go along. */
export interface OutcomeEvents {
  readonly delivered: EventType;
  readonly dead: EventType;
  readonly details?: readonly string[];
}

export interface OutboxOptions {
  readonly database: Database;
  /** By topic. Rows of other topics are left for the process that knows them. */
  readonly handlers: Readonly<Record<string, DeliveryHandler>>;
  /** With `events`, writes the outcome of a topic in the transaction that ends the delivery. */
  readonly ledger?: Ledger;
  readonly events?: Readonly<Record<string, OutcomeEvents>>;
  readonly concurrency?: number;
  readonly perDestinationMax?: number;
  readonly schedule?: Partial<RetrySchedule>;
  readonly handlerTimeoutMs?: number;
  readonly pollMs?: number;
  /** Told when the store fails under the worker; the worker tries again at the next poll. */
  readonly onFault?: (error: unknown) => void;
}

export interface Outbox {
  /** Looks for due deliveries now: to be called after a commit that enqueued one. */
  wake(): void;
  /** For metrics: deliveries under way now, and single attempts that failed since the start. */
  load(): { readonly running: number; readonly failures: number };
  /** Starts nothing more and waits up to `deadlineMs` for what is under way; the rest is aborted and tried again after its lease. */
  stop(deadlineMs: number): Promise<void>;
}
