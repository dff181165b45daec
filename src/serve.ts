import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { join } from 'node:path';
import type Router from '@koa/router';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import { accountRoutes } from './account-centre/pages.ts';
import { registrationRoutes } from './account-centre/registration.ts';
import { accountDoors, ensureAccountCentre } from './account-doors.ts';
import type { House } from './app.ts';
import { createCookieKeys } from './crypto/cookie-keys.ts';
import { deriveKeyBytes, hmacKey } from './crypto/digests.ts';
import { createOutbound } from './delivery/outbound.ts';
import { startOutbox, sweepOutbox } from './delivery/outbox.ts';
import { createAttempts } from './factors/attempts.ts';
import type { OwnPages } from './oidc/around-library.ts';
import { createEngine, type Engine, type EngineSources, LOGOUT_TOPIC } from './oidc/engine.ts';
import { createProtocolPages } from './oidc/pages.ts';
import { createPairwiseSub } from './oidc/pairwise.ts';
import { ACR_ONE_FACTOR } from './oidc/policy.ts';
import type { LogoutNotice } from './oidc/session-ends.ts';
import { createKnownDevices } from './people/known-devices.ts';
import { createSamplePopulationRegister, SAMPLE_PEOPLE } from './proofing/sample-population-register.ts';
import { createIdentify } from './sign-in/identify.ts';
import type { Interactions } from './sign-in/interactions.ts';
import { signInRoutes } from './sign-in/pages.ts';
import { createMemoryCounters } from './storage/memory-counters.ts';
import { startSweeper } from './storage/sweeper.ts';
import { loadAssets } from './web/assets.ts';
import { createFormTokens } from './web/form-tokens.ts';
import { createDocuments, createFront, createHttpServer } from './web/front.ts';
import { type HomeDemo, homeRoute } from './web/home.ts';
import { createRenderer } from './web/render.ts';
import { createShell, createShowFault } from './web/shell.ts';

const VIEWS = join(import.meta.dirname, '..', 'views');
const KEY_POLL_MS = 5000;
const KEY_UPKEEP_MS = 3_600_000;
const DRAIN_MS = 10_000;
/** What became of a delivery can be looked up for a week; the ledger keeps it for good. */
const DELIVERIES_KEPT_SECONDS = 7 * 86_400;

/** A server that listens. */
export interface Serving {
  readonly server: Server;
  readonly port: number;
  /** Stops accepting, finishes what is under way for at most ten seconds, and settles the outbox (X7). */
  stop(): Promise<void>;
}

/** Opens the doors of a house: builds the protocol engine and the pages, and listens. */
export async function serve(house: House, log: Logger, options: { readonly demo?: HomeDemo } = {}): Promise<Serving> {
  const { config, database, store, ledger, keyring } = house;
  await keyring.ensure();
  await ensureAccountCentre(house);
  const documents = createDocuments(config);
  let engine: Engine;
  let keysVersion = await keyring.version();

  const outbox = startOutbox({
    database,
    ledger,
    handlers: { [LOGOUT_TOPIC]: (payload) => engine.deliverLogout(payload as unknown as LogoutNotice) },
    events: { [LOGOUT_TOPIC]: { delivered: 'logout.delivered', dead: 'logout.undelivered' } },
    concurrency: config.outbox.concurrencyMax,
    schedule: {
      attemptsMax: config.outbox.attemptsMax,
      firstSeconds: config.outbox.firstDelaySeconds,
      longestSeconds: config.outbox.delaySecondsMax,
    },
    pollMs: config.outbox.pollIntervalMs,
    onFault: (error) => log.error({ err: error }, 'the outbox cannot reach the store'),
  });
  const sources = engineSources(house, log, documents, () => outbox.wake(), options.demo);
  const build = async (): Promise<Engine> => createEngine(sources, (await keyring.jwks()).privateKeys);
  engine = await build();

  /** Keys may be rotated by a command in another process: rebuild the engine and swap it, without a restart. */
  const followKeys = async (): Promise<void> => {
    const version = await keyring.version();
    if (version === keysVersion) return;
    engine = await build();
    keysVersion = version;
    documents.clear();
    log.info({ version }, 'signing keys changed');
  };
  const keyTimer = setInterval(() => {
    followKeys().catch((error: unknown) => log.error({ err: error }, 'signing keys could not be reloaded'));
  }, KEY_POLL_MS);
  keyTimer.unref();
  const upkeepTimer = setInterval(() => {
    keepKeysYoung(house).catch((error: unknown) => log.error({ err: error }, 'signing keys could not be rotated'));
  }, KEY_UPKEEP_MS);
  upkeepTimer.unref();

  const sweeper = startSweeper({
    database,
    artifacts: store,
    intervalMs: config.sweep.intervalMs,
    batch: config.sweep.batchRowsMax,
    others: [(limit) => sweepOutbox(database, { keepSeconds: DELIVERIES_KEPT_SECONDS, limit })],
    onError: (error) => log.error({ err: error }, 'expired rows could not be swept'),
  });

  let draining = false;
  const front = createFront({
    config,
    documents,
    ready: async () => !draining && (await isReady(house)),
    application: (): RequestListener => engine.listener,
  });
  const server = createHttpServer(config, front);
  server.listen(config.port, config.host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  await ledger.record({ type: 'server.started', details: { profile: config.profile } });

  return {
    server,
    port,
    async stop() {
      draining = true;
      clearInterval(keyTimer);
      clearInterval(upkeepTimer);
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      clearTimeout(cut);
      await sweeper.stop();
      await outbox.stop(DRAIN_MS);
      await ledger.record({ type: 'server.stopped' });
    },
  };
}

async function keepKeysYoung({ config, keyring }: House): Promise<void> {
  await keyring.rotateAged(config.keys.rotationDays * 86_400);
  await keyring.prune();
}

async function isReady({ database }: House): Promise<boolean> {
  try {
    await database.get('SELECT 1 AS one', []);
    return true;
  } catch {
    return false;
  }
}

function engineSources(
  house: House,
  log: Logger,
  documents: EngineSources['documents'],
  wakeOutbox: () => void,
  demo: HomeDemo | undefined,
): EngineSources {
  const { config, database, store, ledger, persons, passwords, relyingParties, index } = house;
  const { secrets } = config;
  const origin = config.issuer;
  const secure = origin.startsWith('https:');
  const derived = (label: string): Buffer => deriveKeyBytes(hmacKey(Buffer.from(secrets.encryptionKey)), label);
  const assets = loadAssets(join(VIEWS, 'assets'));
  const renderer = createRenderer({
    viewsDir: VIEWS,
    assets,
    branding: config.branding,
    hotline: config.support.hotline,
    secure,
  });
  const showFault = createShowFault(renderer, config);
  const formTokens = createFormTokens({ secret: derived('form-tokens'), secure });
  const counters = createMemoryCounters();
  const identify = createIdentify({
    persons,
    passwords,
    attempts: createAttempts({ counters, limits: config.limits }),
    devices: createKnownDevices({ database }),
    ledger,
    index,
    acr: ACR_ONE_FACTOR,
    secure,
  });

  const routes = (interactions: Interactions): OwnPages => {
    const registered = config.registration.enabled && config.registers.population === 'sample';
    const routers = [
      homeRoute({
        renderer,
        relyingParties,
        persons,
        currentPerson: interactions.currentPerson,
        ...(demo ? { demo } : {}),
      }),
      signInRoutes({
        interactions,
        identify,
        persons,
        relyingParties,
        renderer,
        formTokens,
        ledger,
        origin,
        registerUrl: registered ? '/register' : undefined,
      }),
      accountRoutes({
        doors: accountDoors(house, interactions, wakeOutbox),
        persons,
        relyingParties,
        renderer,
        formTokens,
        ledger,
        origin,
      }),
      ...(registered
        ? [
            registrationRoutes({
              persons,
              passwords,
              passwordPolicy: config.password,
              population: createSamplePopulationRegister(SAMPLE_PEOPLE),
              counters,
              limits: config.limits,
              renderer,
              formTokens,
              origin,
            }),
          ]
        : []),
    ];
    return pages(assets, routers);
  };

  return {
    config,
    database,
    store,
    ledger,
    relyingParties,
    documents,
    wakeOutbox,
    routes,
    persons,
    pages: createProtocolPages({ renderer, relyingParties, showFault }),
    shell: createShell(log, showFault),
    reportError: (id, error) => log.error({ id, err: error }, 'unexpected error in the protocol library'),
    cookieKeys: createCookieKeys(secrets.cookieKeys) as unknown as EngineSources['cookieKeys'],
    dPoPNonceSecret: derived('dpop-nonces'),
    successionSecret: derived('refresh-succession'),
    pairwiseSub: createPairwiseSub(Buffer.from(secrets.pairwiseSalt)),
    outboundFetch: createOutbound({
      ...config.outbound,
      allowedOrigins: callableOrigins(config),
    }) as EngineSources['outboundFetch'],
  };
}

/** The sample portals run on this machine, where nothing may be called unless it is named. */
const callableOrigins = ({ outbound, demo }: House['config']): readonly string[] => [
  ...outbound.allowedOrigins,
  ...(demo.portals ? demo.ports.map((port) => `http://localhost:${port}`) : []),
];

/** Our own pages, kept off the path of protocol requests: only these prefixes reach the routers. */
function pages(assets: ReturnType<typeof loadAssets>, routers: readonly Router[]): OwnPages {
  const stack = routers.map((router) => router.routes() as unknown as Middleware);
  return {
    owns: (path) => path === '/' || OWN_PREFIXES.some((prefix) => path.startsWith(prefix)),
    handle(ctx, next) {
      if (ctx.path.startsWith('/assets/')) return assets.serve(ctx) ? undefined : next();
      const dispatch = (at: number): Promise<unknown> => {
        const middleware = stack[at];
        return middleware ? Promise.resolve(middleware(ctx, () => dispatch(at + 1))) : next();
      };
      return dispatch(0);
    },
  };
}

const OWN_PREFIXES = ['/interaction/', '/account', '/register', '/assets/'] as const;
