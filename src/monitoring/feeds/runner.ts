import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { nextPause } from '../../delivery/retry-schedule.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { monotonicMs, nowMs } from '../../shared/clock.ts';
import type { Database } from '../../storage/database.ts';
import { putAside } from './dead-letters.ts';
import { type Feed, FeedFailure, type FeedMessage, SEND_MS } from './feed.ts';
import { type FeedCursor, type FeedState, type Hole, replaceFeedCursor, type StoredCursor } from './feed-cursor.ts';
import { claimFeed, LEASE_MS, releaseFeed } from './feed-lease.ts';
import { type FeedStatus, Lag } from './feed-status.ts';
import { addHoles, readPage } from './ledger-page.ts';
import { BATCH_EVENTS_MAX, type MessageSources, nextBatch } from './messages.ts';

/** Entries that ought to be in the ledger and are not, or are none: found by a feed that came by. */
export interface LedgerGap {
  readonly feed: string;
  /** From this number up to `to`, without it. */
  readonly from: number;
  readonly to: number;
  readonly reason: 'missing' | 'unreadable';
}

export interface RunnerSources extends MessageSources {
  readonly feed: Feed;
  readonly database: Database;
  readonly ledger: Ledger;
  readonly log: Pick<Logger, 'error' | 'warn' | 'info'>;
  readonly onGap: (gap: LedgerGap) => Promise<void>;
  /** Who holds the lease of the feed: one name a process. */
  readonly holder: string;
}

const POLL_MS = 500;
/** 1 s, 2 s, ... one minute, for ever. */
const BACK_OFF = { firstSeconds: 1, longestSeconds: 60, attemptsMax: Infinity, giveUpSeconds: Infinity };
/** A single failure is no outage, and one soon after the last belongs to it: the ledger's events of a feed travel on that feed. */
const OUTAGE_FAILURES = 2;
const QUIET_MS = 60_000;
/** A connection that is accepted and dropped at once has delivered nothing. */
const PROBATION_MS = 2000;
const PROBATION_POLL_MS = 250;
const REFUSALS_MAX = 3;
/** The entry that explains a hole may be a second away from its checkpoint. */
const HOLE_GRACE_MS = 10_000;

/** Follows the ledger for one feed: reads, sends, saves the cursor, for as long as it runs. Nobody waits for it. */
export class FeedRunner {
  readonly #sources: RunnerSources;
  readonly #name: string;
  readonly #stopping = new AbortController();
  readonly #lag: Lag;
  readonly #loop: Promise<void>;
  #failures = 0;
  #refusals = 0;
  #refusedInRow = 0;
  #eventsMax = BATCH_EVENTS_MAX;
  #acceptedAtMs: number | undefined;

  constructor(sources: RunnerSources) {
    this.#sources = sources;
    this.#name = sources.setting.name;
    this.#lag = new Lag(this.#name, sources.setting.kind);
    this.#loop = this.#run();
  }

  status(): FeedStatus {
    return this.#lag.status(nowMs());
  }

  /** Ends what is under way, closes the connection in order and leaves the feed to whoever comes next. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    const { feed, database, holder, log } = this.#sources;
    try {
      await releaseFeed(database, this.#name, holder, await feed.close());
    } catch (error) {
      log.error({ err: error, feed: this.#name }, 'a feed could not be left in order');
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let faults = 0;
    while (!signal.aborted) {
      let pauseMs: number;
      try {
        pauseMs = await this.#step();
        faults = 0;
      } catch (error) {
        this.#sources.log.error({ err: error, feed: this.#name }, 'a feed cannot read the ledger');
        faults += 1;
        pauseMs = this.#backOff(faults);
      }
      // An abort ends the pause; a step that needs none still leaves a turn to everybody else.
      await pause(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #backOff(failures: number): number {
    return (nextPause(BACK_OFF, failures, 0) ?? BACK_OFF.longestSeconds) * 1000;
  }

  /** One look at the ledger and at most one batch. Resolves with the milliseconds until the next. */
  async #step(): Promise<number> {
    const { database, feed, reader, holder } = this.#sources;
    const claimed = await claimFeed(database, this.#name, holder, feed.doubt());
    if (!claimed.mine) {
      // What was in doubt here is in the cursor, and with it the successor's.
      await feed.close();
      this.#acceptedAtMs = undefined;
      this.#lag.standby(claimed.cursor, await reader.signedSize());
      return POLL_MS;
    }
    const doubt = feed.doubt();
    if (doubt?.interrupted === true && this.#acceptedAtMs !== undefined) {
      return this.#failed(claimed.cursor, new FeedFailure('retryable', 'connection lost'));
    }
    const cursor = await this.#settled(claimed.cursor, doubt === undefined);
    if (cursor === undefined) return 0;
    const again = doubt?.interrupted === true && doubt.from < cursor.nextSeq;
    const from = again ? doubt.from : cursor.nextSeq;
    const previous = again ? doubt.previous : cursor.state.lastSeq;

    const page = await readPage(reader, from, BATCH_EVENTS_MAX, nowMs());
    const batch = await nextBatch(this.#sources, page.entries, previous, this.#eventsMax);
    this.#lag.look(cursor, page.signedSize, batch.firstTs);
    for (const seq of batch.unreadable) await this.#gap(seq, seq + 1, 'unreadable');
    const end = batch.end ?? page.end;
    const found = page.holes.filter(({ from: start }) => start < end);
    const holes = addHoles(cursor.state.holes, found).filter(({ to }) => to > batch.prunedBelow);
    const atHead = page.complete && batch.end === undefined;
    const next: FeedCursor = { nextSeq: end, state: { ...cursor.state, holes } };

    if (batch.messages.length > 0) return this.#deliver(cursor, next, batch.messages, atHead);
    if (end !== cursor.nextSeq || holes.length !== cursor.state.holes.length) await this.#save(cursor, next);
    else if (atHead) await this.#reportHoles(cursor);
    return atHead ? this.#idle() : 0;
  }

  #idle(): number {
    if (this.#failures > 0 && this.#acceptedAtMs !== undefined) return PROBATION_POLL_MS;
    return POLL_MS;
  }

  async #deliver(
    cursor: StoredCursor,
    next: FeedCursor,
    messages: readonly FeedMessage[],
    atHead: boolean,
  ): Promise<number> {
    const { feed, log } = this.#sources;
    const { signal } = this.#stopping;
    const lastSeq = messages.at(-1)?.seq ?? null;
    try {
      await feed.send(messages, AbortSignal.any([signal, AbortSignal.timeout(SEND_MS)]));
    } catch (error) {
      if (signal.aborted) return 0;
      if (!(error instanceof FeedFailure)) log.error({ err: error, feed: this.#name }, 'a feed failed unexpectedly');
      const failure = error instanceof FeedFailure ? error : new FeedFailure('retryable', 'failed', error);
      if (failure.kind === 'retryable') return this.#failed(cursor, failure);
      return this.#refused(cursor, { ...next, state: { ...next.state, lastSeq } }, messages, failure);
    }
    this.#acceptedAtMs = monotonicMs();
    this.#refusals = 0;
    this.#refusedInRow = 0;
    this.#eventsMax = Math.min(BATCH_EVENTS_MAX, this.#eventsMax * 2);
    this.#lag.delivered(next.nextSeq, lastSeq);
    await this.#save(cursor, { ...next, state: { ...next.state, lastSeq, lastDeliveredSeq: lastSeq } });
    if (this.#failures > 0) return PROBATION_POLL_MS;
    return atHead ? POLL_MS : 0;
  }

  /** Saves the cursor and stretches the lease. Whoever has moved it in the meantime, an operator or another node, is right. */
  #save(cursor: StoredCursor, next: FeedCursor): Promise<StoredCursor | undefined> {
    const saved = { ...next, state: this.#stateNow(next.state) };
    return replaceFeedCursor(this.#sources.database, this.#name, cursor, saved);
  }

  #stateNow(state: FeedState): FeedState {
    const doubt = this.#sources.feed.doubt();
    const doubted = { doubtFrom: doubt?.from ?? null, doubtPrevious: doubt?.previous ?? null };
    return { ...state, ...doubted, leaseUntilMs: nowMs() + LEASE_MS };
  }

  /** Ends an outage once what was sent has stayed delivered. Undefined when the cursor was moved meanwhile. */
  async #settled(cursor: StoredCursor, confirmed: boolean): Promise<StoredCursor | undefined> {
    const { outage } = cursor.state;
    if (this.#acceptedAtMs === undefined || (this.#failures === 0 && outage === null)) return cursor;
    if (!confirmed && monotonicMs() - this.#acceptedAtMs < PROBATION_MS) return cursor;
    this.#failures = 0;
    this.#lag.wellAgain();
    if (outage === null) return cursor;
    const { database, ledger, log, reader } = this.#sources;
    const waitedSeconds = Math.round((nowMs() - outage.sinceMs) / 1000);
    const events = Math.max(0, (await reader.signedSize()) - cursor.nextSeq);
    const state = { ...cursor.state, outage: null, recoveredMs: nowMs() };
    log.info({ feed: this.#name, waitedSeconds }, 'a feed delivers again');
    return database.write(async (tx) => {
      const saved = await replaceFeedCursor(tx, this.#name, cursor, { ...cursor, state });
      if (saved === undefined) return undefined;
      const details = { feed: this.#name, waitedSeconds, events };
      await ledger.append(tx, { type: 'feed.recovered', details });
      return saved;
    });
  }

  async #failed(cursor: StoredCursor, failure: FeedFailure): Promise<number> {
    const { database, ledger, log, feed } = this.#sources;
    this.#failures += 1;
    this.#acceptedAtMs = undefined;
    this.#lag.failing(failure.message, nowMs());
    const pauseMs = this.#backOff(this.#failures);
    const { outage, recoveredMs, doubtFrom } = cursor.state;
    if (outage !== null || this.#failures < OUTAGE_FAILURES || nowMs() - recoveredMs < QUIET_MS) {
      // The lease may end during the pause: whoever comes next has to know where to begin.
      if (feed.doubt()?.interrupted === true && feed.doubt()?.from !== doubtFrom) await this.#save(cursor, cursor);
      return pauseMs;
    }
    log.warn({ feed: this.#name, reason: failure.message }, 'a feed cannot deliver; its events wait');
    const begun = { sinceMs: this.#lag.failingSinceMs ?? nowMs(), error: failure.message };
    const state = this.#stateNow({ ...cursor.state, outage: begun });
    await database.write(async (tx) => {
      if ((await replaceFeedCursor(tx, this.#name, cursor, { ...cursor, state })) === undefined) return;
      const details = { feed: this.#name, error: failure.message };
      await ledger.append(tx, { type: 'feed.failed', outcome: 'failure', details });
    });
    return pauseMs;
  }

  /** Halves a refused batch until the one event is found that is not wanted, and puts that aside after some tries. */
  async #refused(
    cursor: StoredCursor,
    past: FeedCursor,
    messages: readonly FeedMessage[],
    failure: FeedFailure,
  ): Promise<number> {
    const { database, ledger, log } = this.#sources;
    this.#lag.refused(failure.message);
    if (messages.length > 1) {
      this.#eventsMax = Math.ceil(messages.length / 2);
      return 0;
    }
    this.#refusals += 1;
    if (this.#refusals < REFUSALS_MAX) return this.#backOff(this.#refusals + this.#refusedInRow);
    this.#refusals = 0;
    this.#refusedInRow += 1;
    const [message] = messages;
    const seq = message?.seq ?? cursor.nextSeq;
    log.error({ feed: this.#name, seq, reason: failure.message }, 'a feed gave up on an event');
    await database.write(async (tx) => {
      if ((await replaceFeedCursor(tx, this.#name, cursor, past)) === undefined) return;
      await putAside(tx, this.#name, seq, failure.message);
      // A receiver that refuses everything also refuses the news of it: told of those too, the ledger would never end.
      if (message?.type.startsWith('feed.')) return;
      const details = { feed: this.#name, from: seq, to: seq, reason: failure.message };
      await ledger.append(tx, { type: 'feed.dead-letter', outcome: 'failure', details });
    });
    return this.#refusedInRow > 1 ? this.#backOff(this.#refusedInRow) : 0;
  }

  /** Tells of holes that nothing up to the newest checkpoint explains. */
  async #reportHoles(cursor: StoredCursor): Promise<void> {
    const isDue = ({ noticedMs }: Hole): boolean => nowMs() - noticedMs >= HOLE_GRACE_MS;
    const due = cursor.state.holes.filter(isDue);
    if (due.length === 0) return;
    for (const { from, to } of due) await this.#gap(from, to, 'missing');
    const holes = cursor.state.holes.filter((hole) => !isDue(hole));
    await this.#save(cursor, { ...cursor, state: { ...cursor.state, holes } });
  }

  #gap(from: number, to: number, reason: LedgerGap['reason']): Promise<void> {
    return this.#sources.onGap({ feed: this.#name, from, to, reason });
  }
}
