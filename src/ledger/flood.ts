import { monotonicMs, nowMs } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import type { Ledger, LedgerEvent } from './ledger.ts';

/**
 * Failures, which anybody can cause as often as they like (L12). The first ten of a kind from one address within ten minutes are written
 * singly; further ones are counted, and the counts are written a few times a second, inside the ledger. Nobody is answered before
 * what happened is durable, singly or as part of a count: a flood makes its own answers slower by a fraction of a second.
 *
 * What decides is the address and never the account, so that the time of an answer says nothing about accounts.
 */
export interface Failures {
  record(event: LedgerEvent): Promise<void>;
  /** Resolves when all that was recorded is written, singly or counted. To be called before the store is closed. */
  settle(): Promise<void>;
}

export interface FailureOptions {
  readonly ledger: Ledger;
  readonly write: (work: (tx: Transaction) => Promise<void>) => Promise<void>;
  readonly singlesMax?: number;
  readonly windowMs?: number;
  readonly flushMs?: number;
}

const SINGLES_MAX = 10;
const WINDOW_MS = 600_000;
const FLUSH_MS = 200;
/** Addresses watched at once; more share one allowance, as an attack from very many addresses is one attack. */
const ADDRESSES_MAX = 20_000;
const EVERYBODY_ELSE = '';
/** Different counts of one flush; what is beyond them is counted together. */
const COUNTS_MAX = 100;
const IPV6_NETWORK_GROUPS = 4;

interface Window {
  count: number;
  readonly until: number;
}

interface Count {
  readonly event: LedgerEvent;
  readonly since: number;
  repeated: number;
}

export function createFailures(options: FailureOptions): Failures {
  const { ledger, write, singlesMax = SINGLES_MAX, windowMs = WINDOW_MS, flushMs = FLUSH_MS } = options;
  const windows = new Map<string, Window>();
  let counts = new Map<string, Count>();
  let flushing: Promise<void> | undefined;
  /** What is on its way: flushes, of which a slow store may have several, and single failures, for which not everybody waits. */
  const writing = new Set<Promise<void>>();
  const watched = (work: Promise<void>): Promise<void> => {
    const written = work.finally(() => writing.delete(written));
    writing.add(written);
    return written;
  };

  const isSingle = ({ type, address, hostAddress }: LedgerEvent): boolean => {
    // Not by the clock of the machine: set back, it would hold up the end of every window (X8).
    const now = monotonicMs();
    const wanted = `${type} ${networkOf(address ?? hostAddress ?? '')}`;
    const key = windows.has(wanted) || windows.size < ADDRESSES_MAX ? wanted : `${type} ${EVERYBODY_ELSE}`;
    let window = windows.get(key);
    if (window === undefined || window.until <= now) {
      if (windows.size >= ADDRESSES_MAX)
        for (const [name, { until }] of windows) if (until <= now) windows.delete(name);
      window = { count: 0, until: now + windowMs };
      windows.set(key, window);
    }
    window.count += 1;
    return window.count <= singlesMax;
  };

  const flush = async (): Promise<void> => {
    const written = counts;
    counts = new Map();
    flushing = undefined;
    await write(async (tx) => {
      for (const { event, since, repeated } of written.values()) {
        const details = { ...event.details, repeated, since: new Date(since).toISOString() };
        await ledger.append(tx, { ...event, details });
      }
    });
  };

  const begun = (): Promise<void> =>
    watched(
      new Promise((resolve, reject) => {
        setTimeout(() => flush().then(resolve, reject), flushMs);
      }),
    );

  const count = (event: LedgerEvent): Promise<void> => {
    const { type, personId, clientId, address, hostAddress, details } = event;
    const wanted = JSON.stringify([type, personId, clientId, address ?? hostAddress, details]);
    const isKnown = counts.has(wanted) || counts.size < COUNTS_MAX;
    const key = isKnown ? wanted : type;
    const known = counts.get(key);
    if (known) known.repeated += 1;
    else
      counts.set(key, {
        event: isKnown ? withoutRequest(event) : { type, outcome: 'failure', actor: 'anonymous' },
        since: nowMs(),
        repeated: 1,
      });
    flushing ??= begun();
    return flushing;
  };

  return {
    record: (event) => (isSingle(event) ? watched(ledger.record(event)) : count(event)),
    async settle() {
      await Promise.all(writing);
    },
  };
}

/** A count stands for many requests: the id of one of them and its browser would mislead. */
function withoutRequest({ correlation: _correlation, userAgent: _userAgent, ...event }: LedgerEvent): LedgerEvent {
  return event;
}

/** Whoever has one IPv6 address has a whole /64 of them. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  return address.split('::')[0]!.split(':').slice(0, IPV6_NETWORK_GROUPS).join(':');
}
