import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { House } from './app.ts';
import { logRedis } from './artifact-doors.ts';
import { ensureAccountCentre } from './centre-doors.ts';
import { followChanges } from './change-doors.ts';
import type { Config } from './config/schema.ts';
import { followCertifiedKeys } from './crypto/jose/certified-keys.ts';
import type { TokenSealer } from './crypto/jose/token-sealer.ts';
import { networkOf } from './defence/networks.ts';
import { regionsOf } from './defence-doors.ts';
import { startOutbox, sweepOutbox } from './delivery/outbox.ts';
import { engineSources, loadLaterPages } from './engine-sources.ts';
import { createChallenges } from './factors/challenges.ts';
import { setHashThreadsBack } from './factors/hash-threads.ts';
import { runKeyNights } from './key-doors.ts';
import { recordStart, runLedger } from './ledger-doors.ts';
import { runCompanyNights } from './legal-doors.ts';
import { runLifeNights } from './life-doors.ts';
import type { Telling } from './monitoring/monitoring.ts';
import { createRequestCounts } from './monitoring/request-counts.ts';
import { createEngine, type Engine } from './oidc/engine.ts';
import { sweepGrantSubjects } from './oidc/grant-subjects.ts';
import { LOGOUT_TOPIC, type LogoutNotice } from './oidc/logout-notices.ts';
import { createSessionExpiry } from './oidc/session-expiry.ts';
import { startFoundUpkeep } from './people/found-upkeep.ts';
import { createSignInPlaces } from './people/sign-in-places.ts';
import { logRegisters, runNights } from './proofing-doors.ts';
import { isSmOnly } from './relying-parties/sm2-rules.ts';
import { runRowNights } from './row-doors.ts';
import { endInTurn } from './shared/end-in-turn.ts';
import { startOffice } from './storage/office.ts';
import { createSqlCounters } from './storage/sql-counters.ts';
import { startSweeper } from './storage/sweeper.ts';
import { watchSubjects } from './subject-doors.ts';
import { engineKeys } from './token-doors.ts';
import { runWatch } from './watch-doors.ts';
import { createDocuments, createFront, createHttpServer } from './web/front.ts';
import type { HomeDemo } from './web/home.ts';

const KEY_UPKEEP_MS = 3_600_000;
const DRAIN_MS = 10_000;
const IDLE_CLOSED_EVERY_MS = 50;
/** A server that has just become ready has other things to do. */
const LATER_PAGES_AFTER_MS = 1_000;
/** What became of a delivery can be looked up for a week; the ledger keeps it for good. */
const DELIVERIES_KEPT_SECONDS = 7 * 86_400;

/** A server that listens. */
export interface Serving {
  readonly server: Server;
  readonly port: number;
  readonly telling: Telling;
  /**
   * Is not ready from now on; after `http.drainDelayMs` stops accepting, finishes what is under way for at most ten seconds, settles the
   * outbox and signs the ledger (X7).
   */
  stop(signal?: string): Promise<void>;
}

/** What is different in a server that is one of several workers. */
export interface WorkerOptions {
  /** The undivided configuration, where this worker tells the ledger of the start. */
  readonly tellsStart: Config | undefined;
  /** Whether this worker tells the ledger of the end; asked then. */
  readonly tellsEnd: () => boolean;
}

export interface ServeOptions {
  readonly demo?: HomeDemo;
  readonly worker?: WorkerOptions;
  /** Starts the ledger's sequencer; measurements of what the ledger costs hand in another. */
  readonly runLedger?: typeof runLedger;
  /** False lets the protocol library answer everything itself, so that both ways can be compared. */
  readonly shortWays?: boolean;
}

/** Opens the doors of a house: builds the protocol engine and the pages, and listens. */
export async function serve(house: House, log: Logger, options: ServeOptions = {}): Promise<Serving> {
  const { config, database, store, ledger, keyring, reaching } = house;
  await setHashThreadsBack();
  const evidence = await (options.runLedger ?? runLedger)(house, log);
  logRegisters(house.registers, log);
  logRedis(house.redis, log);
  house.remoteSigning?.logTo(log);
  await keyring.ensure();
  await ensureAccountCentre(house);
  if (config.keys.smOnly) await warnOfOthers(house, log);
  const documents = createDocuments(config);
  let engine: Engine;

  const outbox = startOutbox({
    database,
    ledger,
    handlers: {
      [LOGOUT_TOPIC]: (payload) => engine.deliverLogout(payload as unknown as LogoutNotice),
      ...reaching.messageDelivery.handlers,
      ...house.companyDelivery.handlers,
    },
    events: {
      [LOGOUT_TOPIC]: { delivered: 'logout.delivered', dead: 'logout.undelivered' },
      ...reaching.messageDelivery.events,
    },
    concurrency: config.outbox.concurrencyMax,
    schedule: {
      attemptsMax: config.outbox.attemptsMax,
      firstSeconds: config.outbox.firstDelaySeconds,
      longestSeconds: config.outbox.delaySecondsMax,
    },
    pollMs: config.outbox.pollIntervalMs,
    onFault: (error) => log.error({ err: error }, 'the outbox cannot reach the store'),
  });
  const requests = createRequestCounts();
  // In SQL: a restart must not reset what guards an account, and nodes that share a store share their limits (X6, S5).
  const counters = createSqlCounters(database);
  const regions = regionsOf(config);
  const challenges = createChallenges(counters, networkOf);
  const sources = engineSources(house, log, {
    wakeOutbox: () => outbox.wake(),
    observe: requests.count,
    counters,
    challenges,
    regions,
    demo: options.demo,
  });
  const certified = followCertifiedKeys(config.signer.certificateFiles, (error) =>
    log.error({ err: error }, 'certificates of signing keys could not be read again'),
  );
  let sealers: readonly TokenSealer[] = [];
  /** Keys may be rotated by any process: the engine is built anew and swapped, without a restart. */
  const changes = await followChanges(house, log, async () => {
    const keys = await engineKeys(keyring, house.remoteSigning?.server, certified());
    const { shortWays = true } = options;
    engine = createEngine({ ...sources, shortWays, documents: documents.renew() }, keys);
    sealers = keys.sealers;
  });
  const office = startOffice({
    database,
    name: 'scheduler',
    onFault: (error) => log.error({ err: error }, 'the office of the scheduler could not be asked for'),
  });
  const isOurs = office.isHeld;
  const upkeepTimer = setInterval(() => {
    if (!isOurs()) return;
    keepKeysYoung(house).catch((error: unknown) => log.error({ err: error }, 'signing keys could not be rotated'));
  }, KEY_UPKEEP_MS);
  upkeepTimer.unref();

  const sweeper = startSweeper({
    database,
    artifacts: store,
    intervalMs: config.sweep.intervalMs,
    batch: config.sweep.batchRowsMax,
    isOurs,
    others: [
      createSessionExpiry({ database, ledger, wakeOutbox: () => outbox.wake() }).endExpired,
      (limit) => sweepOutbox(database, { keepSeconds: DELIVERIES_KEPT_SECONDS, limit }),
      (limit) => sweepGrantSubjects(database, limit),
      ...reaching.sweeps,
      createSignInPlaces(database).sweep,
      house.factorChallenges.sweep,
      ...house.possessionSweeps,
      ...house.legalSweeps,
    ],
    onError: (error) => log.error({ err: error }, 'expired rows could not be swept'),
  });

  const endSubjectWatch = watchSubjects(house, log, () => outbox.wake(), isOurs);
  const companyNights = runCompanyNights(house, log, isOurs);
  const nights = runNights(house, log, isOurs);
  const lifeNights = runLifeNights(house, log, isOurs);
  const keyNights = runKeyNights(house, log, isOurs);
  const rowNights = runRowNights(house, log, isOurs);
  let draining = false;
  const watch = await runWatch(house, log, {
    requests,
    outbox,
    sweptRows: sweeper.swept,
    challenges,
    regions,
    draining: () => draining,
    tokenSigner: () => sealers[0]?.signer,
  });
  const front = createFront({
    config,
    documents,
    ready: async () => !draining && (await watch.isReady()),
    draining: () => draining,
    application: (): RequestListener => engine.listener,
    observe: requests.count,
  });
  const server = createHttpServer(config, front);
  server.listen(config.port, config.host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const loading = setTimeout(() => {
    loadLaterPages().catch((error: unknown) => log.error({ err: error }, 'pages could not be loaded'));
  }, LATER_PAGES_AFTER_MS);
  loading.unref();
  const { worker } = options;
  if (worker === undefined || worker.tellsStart) await recordStart({ ...house, config: worker?.tellsStart ?? config });
  const { copies } = house.persons.found;
  const foundUpkeep =
    copies &&
    startFoundUpkeep({
      copies,
      onFault: (error) => log.error({ err: error }, 'people as they are found could not be walked through'),
    });

  return {
    server,
    port,
    telling: watch.telling,
    async stop(signal) {
      draining = true;
      clearInterval(upkeepTimer);
      clearTimeout(loading);
      await pause(config.http.drainDelayMs);
      await closeServer(server);
      await endInTurn([
        () => foundUpkeep?.stop(),
        () => changes.stop(),
        () => sweeper.stop(),
        () => nights.stop(),
        () => lifeNights.stop(),
        () => keyNights.stop(),
        () => rowNights.stop(),
        endSubjectWatch,
        () => companyNights.stop(),
        () => office.stop(),
        () => outbox.stop(DRAIN_MS),
        () => house.failures.settle(),
        async () => {
          if (worker !== undefined && !worker.tellsEnd()) return;
          await ledger.record({ type: 'server.stopped', ...(signal ? { details: { signal } } : {}) });
        },
        () => evidence.stop(),
        () => watch.stop(),
      ]);
    },
  };
}

/** Takes no new connection, lets what is under way end for ten seconds, and cuts the rest. */
async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  // Right after the event loop has taken in whoever was waiting: closing the listener would reset them, in the middle of a flow.
  await new Promise((resolve) => setImmediate(resolve));
  server.close();
  // A connection that was at work when the listener closed is idle once it has its answer, and would be kept for the next one.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_CLOSED_EVERY_MS);
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(cut);
  clearInterval(idle);
}

/** Portals registered for other algorithms are refused from now on: the operator must hear of it from us first. */
async function warnOfOthers({ relyingParties }: House, log: Logger): Promise<void> {
  const others = (await relyingParties.list()).filter(({ record }) => !isSmOnly(record));
  if (others.length === 0) return;
  const portals = others.map(({ clientId }) => clientId);
  log.warn({ portals }, 'these portals are not registered for SM2 alone and are refused');
}

async function keepKeysYoung({ config, keyring }: House): Promise<void> {
  await keyring.rotateAged(config.keys.rotationDays * 86_400);
  await keyring.prune();
}
