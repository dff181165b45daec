import { spawnSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import type { ConfigOverrides } from '../src/config/schema.ts';
import type { Verdict } from '../src/monitoring/readiness.ts';
import { randomToken } from '../src/shared/random.ts';
import { postgresStore, postgresTest } from './support/databases.ts';
import { parseExposition } from './support/exposition.ts';
import { introspect, OFFLINE, postAs, refresh, tokensOf } from './support/portal-calls.ts';
import { type RedisServer, startRedis, whereRedisStarts } from './support/redis-servers.ts';
import { authorizationPath, freePort, redemption, startServer, type TestServer, WANG } from './support/server.ts';

const { test } = whereRedisStarts(postgresTest);

interface Nodes {
  readonly one: TestServer;
  readonly other: TestServer;
  readonly redis: RedisServer;
}

const SECRETS = {
  encryptionKey: randomToken(43),
  indexKey: randomToken(43),
  pepper: randomToken(43),
  pairwiseSalt: randomToken(43),
  cookieKeys: [randomToken(43)],
};

/** Two nodes on one PostgreSQL and one Redis that can be stopped. */
async function twoNodes(t: ExecutionContext): Promise<Nodes> {
  const redis = await startRedis(t, ['--save', '', '--appendonly', 'no']);
  const overrides: ConfigOverrides = {
    secrets: SECRETS,
    database: { url: await postgresStore(t), poolMax: 8 },
    redis: { url: `redis://127.0.0.1:${redis.port}`, connectTimeoutMs: 20_000 },
  };
  const one = await startServer(t, overrides);
  const other = await startServer(t, overrides);
  await one.addPerson(WANG);
  return { one, other, redis };
}

const cli = (redis: RedisServer, ...args: readonly string[]): string =>
  spawnSync('redis-cli', ['-p', String(redis.port), ...args], { encoding: 'utf8' }).stdout;

/** Asks until it is so; the time limit is the test's own. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

test.serial('A2 A8 R1 a code and a refresh token each work once over two nodes, whichever node is asked', async (t) => {
  const { one, other, redis } = await twoNodes(t);
  const portal = await one.addPortal();
  const atOnce = <T>(work: (node: TestServer) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: 20 }, (_, n) => work(n % 2 === 0 ? one : other)));

  const offline = await one.signIn(one.browser(), portal, { query: OFFLINE });
  t.true(cli(redis, 'KEYS', '*a:AuthorizationCode:*').length > 1, 'the code is in Redis');
  const first = await other.token(portal, redemption(offline));
  t.is(first.status, 200, 'a code of one node buys tokens at the other');
  t.like(await introspect(one, portal, first.body.access_token), { active: true });
  const renewed = await atOnce((node) => refresh(node, portal, String(first.body.refresh_token)));
  t.deepEqual([...new Set(renewed.map(({ status }) => status))], [200]);
  const accessTokens = new Set(renewed.map(({ body }) => String(body.access_token)));
  t.is(accessTokens.size, 1, 'one successor for all');
  for (const token of accessTokens) t.like(await introspect(other, portal, token), { active: true });

  const callback = await one.signIn(one.browser(), portal);
  const answers = await atOnce((node) => node.token(portal, redemption(callback)));
  t.is(answers.filter(({ status }) => status === 200).length, 1);
  t.true(answers.every(({ status, body }) => status === 200 || body.error === 'invalid_grant'));
});

test.serial('S5 X1 a Redis that loses everything costs no session, and no code works again', async (t) => {
  const { one, other, redis } = await twoNodes(t);
  const portal = await one.addPortal();
  const browser = one.browser();
  const spent = await one.signIn(browser, portal);
  t.is((await one.token(portal, redemption(spent))).status, 200);
  const unspent = await one.signIn(browser, portal);
  const kept = await one.signIn(one.browser(), await one.addPortal(), { query: OFFLINE });
  cli(redis, 'FLUSHALL');
  t.is((await other.token(portal, redemption(unspent))).status, 200, 'nothing of it was in Redis');
  t.is((await other.token(portal, redemption(spent))).status, 400);
  t.like(await other.token(portal, redemption(kept)), { status: 400, body: { error: 'invalid_grant' } });
  await browser.get(authorizationPath(portal, { prompt: 'none' }));
  await browser.follow((url) => url.origin !== one.issuer);
  t.regex(browser.page.location ?? '', /[?&]code=/, 'the session is still there');
});

test.serial(
  'S5 X1 while Redis hangs people sign in, what is in it is not called gone, and a code works once after all',
  async (t) => {
    const { one, other, redis } = await twoNodes(t);
    const portal = await one.addPortal();
    const before = await tokensOf(one, portal, one.browser());
    const waiting = await one.signIn(one.browser(), portal, { query: OFFLINE });
    const carried = await one.signIn(one.browser(), portal);
    const looked = async (node: TestServer): Promise<number> =>
      (await postAs(node, portal, '/token/introspection', { token: String(before.access_token) })).status;

    redis.process.kill('SIGSTOP');
    const during = await one.signIn(one.browser(), portal);
    t.is((await other.token(portal, redemption(waiting))).status, 503, 'perhaps it is good: ask again');
    t.is((await other.token(portal, redemption(carried))).status, 200, 'of this one nothing is in Redis');
    t.is(await looked(one), 503, 'a token is not called dead because nobody could look');
    const bought = await other.token(portal, redemption(during));
    t.is(bought.status, 200, 'what was made meanwhile works at every node');

    redis.process.kill('SIGCONT');
    await until(async () => (await looked(one)) === 200);
    t.like(await introspect(one, portal, before.access_token), { active: true });
    await until(async () => (await looked(other)) === 200);
    t.is((await one.token(portal, redemption(during))).status, 400, 'spent while Redis was away');
    t.false(
      (await introspect(one, portal, String(bought.body.access_token))).active === true,
      'and the replay ended it',
    );
  },
);

test.serial('H4 X1 a Redis that is killed shows in readiness and metrics, and so does its return', async (t) => {
  const redis = await startRedis(t, ['--save', '', '--appendonly', 'no']);
  const port = await freePort();
  await startServer(t, {
    secrets: SECRETS,
    database: { url: await postgresStore(t), poolMax: 8 },
    redis: { url: `redis://127.0.0.1:${redis.port}`, connectTimeoutMs: 20_000 },
    monitoring: { port },
  });
  const verdict = async () => (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as Verdict;
  const metric = async (name: string) =>
    parseExposition(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).value(name);
  t.deepEqual((await verdict()).checks.redis, { state: 'ok', detail: 'answers' });
  t.is(await metric('tongban_redis_up'), 1);

  redis.process.kill('SIGKILL');
  await until(async () => (await verdict()).checks.redis?.state === 'warn');
  const without = await verdict();
  t.is(without.status, 'degraded', 'nobody is turned away for it');
  t.regex(without.checks.redis?.detail ?? '', /^away for \d+ s, SQL stands in$/);
  t.is(await metric('tongban_redis_up'), 0);
  t.is(await metric('tongban_redis_lost_total'), 1);

  await startRedis(t, ['--save', '', '--appendonly', 'no'], { port: redis.port });
  await until(async () => (await verdict()).checks.redis?.state === 'ok');
  t.is(await metric('tongban_redis_up'), 1);
  t.is(await metric('tongban_redis_lost_total'), 1);
});
