import type { Logger } from 'pino';
import type { House } from './app.ts';
import type { Signer } from './crypto/signer.ts';
import type { RegionTable } from './defence/regions.ts';
import { createOutbound } from './delivery/outbound.ts';
import type { Outbox } from './delivery/outbox-contract.ts';
import type { Challenges } from './factors/challenges.ts';
import { createTileService } from './ledger/witness/tile-service.ts';
import { startClockWatch } from './monitoring/clock-watch.ts';
import { loadFeeds } from './monitoring/feeds/feed-config.ts';
import { type RunningFeeds, startFeeds } from './monitoring/feeds/feeds.ts';
import { createMonitoring, type Telling } from './monitoring/monitoring.ts';
import type { RequestCounts } from './monitoring/request-counts.ts';
import { startWatch, type Watch } from './monitoring/watch/watch.ts';
import { nowSeconds } from './shared/clock.ts';
import { Fault } from './shared/fault.ts';
import { createMemoryCounters } from './storage/memory-counters.ts';

/** What the watch looks at beside the ledger. */
export interface Watched {
  readonly requests: RequestCounts;
  readonly outbox: Outbox;
  readonly sweptRows: () => number;
  readonly challenges: Challenges;
  readonly regions: RegionTable | undefined;
  readonly draining: () => boolean;
  /** What signs SM2 tokens now. */
  readonly tokenSigner: () => Signer | undefined;
}

/** Everything that watches a serving house: detections, feeds, the private port and the clock. */
export interface WatchRunning {
  /** Whether this node should be given requests (H4). */
  isReady(): Promise<boolean>;
  readonly telling: Telling;
  stop(): Promise<void>;
}

/** Opens the private port and starts what watches. */
export async function runWatch(house: House, log: Logger, watched: Watched): Promise<WatchRunning> {
  const { config, database, ledger } = house;
  const feeds = runFeeds(house, log);
  const detections = runDetections(house, log, watched);
  const monitoring = createMonitoring({
    config,
    database,
    requests: watched.requests,
    events: house.events,
    artifacts: house.artifacts.read,
    hashes: house.passwords.load,
    draining: watched.draining,
    store: () => database.load(),
    outbox: () => watched.outbox.load(),
    sweptRows: watched.sweptRows,
    ledgerFiles: createTileService(database),
    detections: detections.counts,
    registers: house.registers.readings,
    // A key in this process needs no trying.
    ...(house.redis && { redis: house.redis.look }),
    ...(house.remoteSigning && { tokenSigner: watched.tokenSigner }),
    feeds: () =>
      feeds
        .status()
        .filter(({ state }) => state !== 'standby')
        .map(({ name, state, lagEvents, lagSeconds }) => ({ name, up: state !== 'failing', lagEvents, lagSeconds })),
    onFault: (error) => log.error({ err: error }, 'the private port could not answer'),
  });
  const privatePort = await monitoring.open();
  const clock = startClockWatch((stepMs) => {
    log.warn({ stepMs }, 'the clock of this machine jumped');
    ledger
      .record({ type: 'clock.step', details: { stepMs } })
      .catch((error: unknown) => log.error({ err: error }, 'a step of the clock could not be recorded'));
  });
  return {
    isReady: async () => (await monitoring.readiness()).status !== 'unready',
    telling: monitoring.telling,
    async stop() {
      clock.stop();
      await Promise.all([feeds.stop(), detections.stop()]);
      await privatePort?.stop();
    },
  };
}

/** Starts the feeds of the configured file. Throws `Fault('internal')` with every fault of the file at once. */
function runFeeds({ config, database, ledger, ledgerReader }: House, log: Logger): RunningFeeds {
  const loaded = loadFeeds(config.monitoring.feedsFile);
  if (!loaded.ok) {
    const faults = loaded.faults.map(({ path, reason }) => `${path} ${reason}`);
    throw new Fault('internal', `The feeds cannot be read:\n${faults.join('\n')}`);
  }
  return startFeeds({
    reader: ledgerReader,
    database,
    ledger,
    feeds: loaded.feeds,
    outbound: createOutbound(config.outbound),
    log,
    onGap: ({ from, to, reason }) =>
      ledger.record({
        type: 'audit.gap',
        outcome: 'failure',
        details: { seq: from, reason: `${reason} up to ${to - 1}` },
      }),
  });
}

/** How long an incident is remembered to have been told. */
const NOTICE_SECONDS = 30 * 86_400;
/** The watch counts very many names: with counters of its own it cannot push out those of the sign-in limits. */
const WATCH_COUNTERS_MAX = 200_000;

/** Starts the detections. */
function runDetections(house: House, log: Logger, { outbox, challenges, regions }: Watched): Watch {
  const { config, database, store, ledger, ledgerReader, persons, sessionEnds } = house;
  return startWatch({
    reader: ledgerReader,
    database,
    ledger,
    counters: createMemoryCounters(WATCH_COUNTERS_MAX),
    countersAreOurs: true,
    settings: config.watch,
    regions,
    log,
    responses: {
      async notify(personId, { incident }) {
        // The mark and the notice are one transaction: a response that is repeated tells nobody twice.
        const mark = { kind: 'mark', model: 'Notice', id: incident, expiresAt: nowSeconds() + NOTICE_SECONDS } as const;
        await store.apply([mark], (tx) =>
          ledger.append(tx, { type: 'person.notified', actor: 'system', personId, details: { incident } }),
        );
      },
      challenge: (target, seconds) => challenges.raise(target, seconds),
      async lock(personId, incident) {
        await persons.freeze(personId, 'watch', { incident });
        await sessionEnds.endAll(personId, 'person_frozen', { actor: 'system' });
        outbox.wake();
      },
      async endSessions(personId) {
        await sessionEnds.endAll(personId, 'ended_by_watch', { actor: 'system' });
        outbox.wake();
      },
    },
  });
}
