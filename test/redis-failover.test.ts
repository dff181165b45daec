import type { ExecutionContext } from 'ava';
import type { RedisOptions } from '../src/storage/redis-topology.ts';
import { embeddedTest } from './support/databases.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { type TlsGuard, tlsGuard } from './support/redis-guard.ts';
import {
  clustered,
  type RedisServer,
  redisCli,
  startCluster,
  startRedis,
  startSentinel,
  whereRedisStarts,
  withReplica,
} from './support/redis-servers.ts';
import {
  authorizationPath,
  callbackOf,
  freePort,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { until } from './support/waiting.ts';

const { test } = whereRedisStarts(embeddedTest);
const AT_ONCE = 4;
const WAITING = 6;
const FAILOVER_MS = 60_000;
/** How long a node is silent before the others give it up. */
const SILENT_MS = 4_000;

interface House {
  readonly guard: TlsGuard;
  readonly server: TestServer;
  readonly portal: TestPortal;
  /** Of somebody who signed in before anything failed. */
  readonly browser: HttpBrowser;
  /** A code that bought tokens, and some that nobody has redeemed yet. */
  readonly spent: URL;
  readonly waiting: readonly URL[];
}

/** A house on servers that ask for TLS and a password. */
async function houseOn(t: ExecutionContext, guard: TlsGuard, redis: RedisOptions): Promise<House> {
  const { url, topology = 'single', primary = '' } = redis;
  const { user, password, authorityFile } = guard;
  // What dies breaks its connections: a time-out would only tell how busy the machine is.
  const section = {
    url,
    topology,
    primary,
    user,
    password,
    authorityFile,
    connectTimeoutMs: 30_000,
    commandTimeoutMs: 5_000,
  };
  const server = await startServer(t, { redis: section });
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  const spent = await server.signIn(browser, portal);
  t.is((await server.token(portal, redemption(spent))).status, 200);
  const waiting: URL[] = [];
  for (let n = 0; n < WAITING; n += 1) waiting.push(await silently(server, portal, browser));
  return { guard, server, portal, browser, spent, waiting };
}

/** A code through the session, without a question. */
async function silently(server: TestServer, portal: TestPortal, browser: HttpBrowser): Promise<URL> {
  await browser.get(authorizationPath(portal, { prompt: 'none' }));
  await browser.follow((url) => url.origin !== server.issuer);
  const callback = callbackOf(browser.page);
  if (!callback.searchParams.has('code')) throw new Error(`no code: ${callback}`);
  return callback;
}

const isAway = async ({ server }: House): Promise<boolean | undefined> => (await server.house.redis?.look())?.isAway;

/** How often a code buys tokens when several offer it at once, again and again until nobody is told to ask later. */
async function boughtBy({ server, portal }: House, callback: URL): Promise<number> {
  let bought = 0;
  const settled = await until(async () => {
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, () => server.token(portal, redemption(callback))),
    );
    bought += answers.filter(({ status }) => status === 200).length;
    return answers.every(({ status }) => status !== 503);
  }, FAILOVER_MS);
  if (!settled) throw new Error('a code stays undecided');
  return bought;
}

/** People come and go while the part that holds what is short-lived is dead, and after another has taken over. */
async function goesOn(t: ExecutionContext, house: House): Promise<void> {
  const { server, portal, browser, spent, waiting } = house;
  const during = await server.signIn(server.browser(), portal);
  t.is((await server.token(portal, redemption(during))).status, 200, 'SQL stands in');
  await silently(server, portal, browser);
  const bought = await Promise.all(waiting.map((callback) => boughtBy(house, callback)));
  t.true(
    bought.every((times) => times <= 1),
    `bought ${bought}`,
  );
  t.true(await until(async () => (await isAway(house)) === false, FAILOVER_MS), 'another has taken over');
  for (const callback of [spent, during, ...waiting]) {
    t.is(await boughtBy(house, callback), 0, 'and nothing is redeemed there that was redeemed before');
  }
}

/** Sooner or later codes of now are in this server, and buy tokens. */
async function isUsed(
  t: ExecutionContext,
  { server, portal, browser, guard }: House,
  redis: RedisServer,
): Promise<void> {
  const codes = (): number => redisCli(guard, redis.port, 'keys', '*a:AuthorizationCode:*').split('\n').length;
  let callback: URL | undefined;
  const found = await until(async () => {
    const before = codes();
    callback = await silently(server, portal, browser);
    return codes() > before;
  }, FAILOVER_MS);
  t.true(found, 'what is short-lived goes there');
  t.is((await server.token(portal, redemption(callback!))).status, 200);
}

test.serial(
  'S5 X1 R1 a primary that dies behind its Sentinels ends no session, and nothing is redeemed twice',
  async (t) => {
    t.timeout(180_000);
    const guard = await tlsGuard(t);
    const redis = await startSentinel(t, guard, 3);
    const house = await houseOn(t, guard, redis);
    await isUsed(t, house, redis.primaryServer);
    redis.primaryServer.process.kill('SIGKILL');
    await goesOn(t, house);
    await isUsed(t, house, redis.replicaServer);
  },
);

test.serial(
  'S5 X1 R1 a cluster that loses a node, and then the slots, ends no session and redeems nothing twice',
  async (t) => {
    t.timeout(180_000);
    const guard = await tlsGuard(t);
    const redis = await startCluster(t, { guard, silentMs: SILENT_MS });
    // All that belongs to one house lies in the slot of its prefix.
    const { owner, replica } = await withReplica(t, redis, '{tongban}', { guard, silentMs: SILENT_MS });
    const house = await houseOn(t, guard, redis);
    await isUsed(t, house, owner);
    owner.process.kill('SIGKILL');
    await goesOn(t, house);
    await isUsed(t, house, replica);

    replica.process.kill('SIGKILL');
    const without = await house.server.signIn(house.server.browser(), house.portal);
    t.is((await house.server.token(house.portal, redemption(without))).status, 200, 'nobody has the slots now');
    t.true(await isAway(house));
    const again = await startRedis(t, clustered(await freePort(), SILENT_MS), {
      guard,
      port: replica.port,
      folder: replica.folder,
    });
    t.true(await until(async () => (await isAway(house)) === false, FAILOVER_MS), 'it came back, and is used');
    t.is(await boughtBy(house, without), 0);
    await isUsed(t, house, again);
  },
);
