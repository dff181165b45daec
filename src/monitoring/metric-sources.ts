import type { RegisterReading } from '../proofing/register-client.ts';
import type { TallyReading } from '../shared/tally.ts';
import type { RedisReading } from '../storage/redis-presence.ts';
import type { ArtifactReading } from './artifact-counts.ts';
import type { EventReading } from './event-counts.ts';
import type { Verdict } from './readiness.ts';
import type { RequestCounts } from './request-counts.ts';
import type { WorkersReading } from './sums.ts';

/** The queue of password hashes. Times in milliseconds; `limit` is how many may wait. */
export interface HashReading {
  readonly running: number;
  readonly waiting: number;
  readonly started: number;
  readonly refused: number;
  readonly waitedMs: number;
  readonly oldestMs: number;
}

/** How busy the store is. Groups and commits are told of by SQLite, connections by PostgreSQL. */
export interface StoreReading {
  readonly writesWaiting: number;
  readonly groupSizes?: TallyReading;
  readonly commitSeconds?: TallyReading;
  readonly connections?: { readonly idle: number; readonly busy: number };
}

export interface LedgerReading {
  readonly entries: number;
  readonly unsigned: number;
  /** Age of the oldest entry no checkpoint covers; 0 when there is none. */
  readonly unsignedMs: number;
  /** Age of the newest checkpoint; undefined before the first. */
  readonly checkpointAgeMs: number | undefined;
}

export interface FeedReading {
  readonly name: string;
  /** False while the feed cannot deliver. */
  readonly up: boolean;
  readonly lagEvents: number;
  readonly lagSeconds: number;
}

/** One published signing key. `retiresAt` (epoch seconds) is when it is to be replaced or removed; undefined while it waits. */
export interface KeyReading {
  readonly kid: string;
  readonly alg: string;
  readonly state: string;
  readonly retiresAt: number | undefined;
}

/** One certificate file: the earliest end of all certificates in it, epoch seconds, or why it cannot be told. */
export type CertificateReading =
  | { readonly file: string; readonly expiresAt: number }
  | { readonly file: string; readonly reason: string };

export interface OutboxReading {
  readonly running: number;
  readonly failures: number;
}

type Source<T> = () => T | Promise<T>;

/**
 * Where the numbers come from, asked at each scrape. A source that is left out has no metrics; one that throws or does not
 * answer in time leaves its metrics out of that scrape and raises `tongban_scrape_failures_total`.
 */
export interface MetricSources {
  readonly requests?: Pick<RequestCounts, 'requests' | 'durations'>;
  readonly events?: Source<EventReading>;
  readonly artifacts?: Source<ArtifactReading>;
  readonly hashQueue?: Source<HashReading>;
  readonly hashQueueLimit?: Source<number>;
  readonly store?: Source<StoreReading>;
  readonly sweptRows?: Source<number>;
  readonly freeBytes?: Source<number>;
  readonly ledger?: Source<LedgerReading>;
  readonly feeds?: Source<readonly FeedReading[]>;
  /** How often each rule of the watch fired. */
  readonly detections?: Source<Readonly<Record<string, number>>>;
  /** Incidents that are not closed, by level. */
  readonly incidents?: Source<Readonly<Record<string, number>>>;
  readonly outbox?: Source<OutboxReading>;
  readonly deliveriesWaiting?: Source<number>;
  readonly redis?: Source<RedisReading>;
  readonly registers?: Source<readonly RegisterReading[]>;
  readonly keys?: Source<readonly KeyReading[]>;
  readonly certificates?: Source<readonly CertificateReading[]>;
  readonly readiness?: Source<Verdict>;
  /** Of the primary alone. */
  readonly workers?: Source<WorkersReading>;
}

export type SourceName = keyof MetricSources;
