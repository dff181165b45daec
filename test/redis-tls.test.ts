import { connectRedis } from '../src/storage/redis-client.ts';
import type { RedisOptions } from '../src/storage/redis-topology.ts';
import { embeddedTest } from './support/databases.ts';
import { type TlsGuard, tlsGuard } from './support/redis-guard.ts';
import { redisCli, startRedis, whereRedisStarts } from './support/redis-servers.ts';
import { redemption, startServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const own = whereRedisStarts(embeddedTest);
/** Long enough to hear why, on a machine that is busy with other tests. */
const REFUSED_MS = 8_000;
const WITHOUT_FILES = ['--save', '', '--appendonly', 'no'];

/** The section of the configuration for it. */
const sectionFor = ({ user, password, authorityFile }: TlsGuard, port: number) => ({
  url: `rediss://127.0.0.1:${port}`,
  user,
  password,
  authorityFile,
  connectTimeoutMs: 20_000,
  commandTimeoutMs: 5_000,
});

own.test.serial(
  'S5 a house reaches its Redis over TLS, under its own name, and keeps there what is short-lived',
  async (t) => {
    const guard = await tlsGuard(t);
    const redis = await startRedis(t, WITHOUT_FILES, { guard });
    const server = await startServer(t, { redis: sectionFor(guard, redis.port) });
    await server.addPerson(WANG);
    const portal = await server.addPortal();
    const callback = await server.signIn(server.browser(), portal);
    t.regex(redisCli(guard, redis.port, 'keys', '*a:AuthorizationCode:*'), /AuthorizationCode/);
    t.is((await server.token(portal, redemption(callback))).status, 200);
    t.is((await server.token(portal, redemption(callback))).status, 400);
  },
);

own.test.serial(
  'a Redis that no trusted authority vouches for, or that does not know us, is not spoken to',
  async (t) => {
    const guard = await tlsGuard(t);
    const stranger = await tlsGuard(t);
    const redis = await startRedis(t, [...WITHOUT_FILES, '--bind', '127.0.0.1', '127.0.0.2'], { guard });
    const { user, password, authorities } = guard;
    const good: RedisOptions = { url: `rediss://127.0.0.1:${redis.port}`, user, password, authorities };
    const client = await connectRedis({ ...good, connectTimeoutMs: 20_000 });
    await client.close();
    const named = await connectRedis({
      url: `rediss://${user}:${password}@127.0.0.1:${redis.port}`,
      authorities,
      connectTimeoutMs: 20_000,
    });
    await named.close();

    const { authorities: _, ...bySystem } = good;
    const bad: readonly (readonly [what: string, options: RedisOptions, reason: RegExp])[] = [
      ['an authority of somebody else', { ...good, authorities: stranger.authorities }, /certificate/],
      ['the authorities of the system', bySystem, /certificate/],
      ['an address not in its certificate', { ...good, url: `rediss://127.0.0.2:${redis.port}` }, /altnames/],
      ['a wrong password', { ...good, password: 'another-secret' }, /WRONGPASS/],
      ['a name it does not know', { ...good, user: 'somebody' }, /WRONGPASS/],
      ['no name and no password', { url: good.url, authorities }, /NOAUTH/],
      ['no TLS', { ...good, url: `redis://127.0.0.1:${redis.port}` }, /./],
    ];
    await Promise.all(
      bad.map(async ([what, options, message]) => {
        const expected = { code: 'storage_unavailable', message };
        const refusal = await t.throwsAsync(connectRedis({ ...options, connectTimeoutMs: REFUSED_MS }), expected, what);
        t.false(refusal?.message.includes(password), what);
      }),
    );
  },
);

own.test.serial(
  'S5 who takes the place of a Redis without its certificate learns nothing, and SQL stands in',
  async (t) => {
    const guard = await tlsGuard(t);
    const impostor = await tlsGuard(t);
    const redis = await startRedis(t, WITHOUT_FILES, { guard });
    const server = await startServer(t, { redis: sectionFor(guard, redis.port) });
    await server.addPerson(WANG);
    const portal = await server.addPortal();
    redis.process.kill('SIGKILL');
    const other = await startRedis(t, WITHOUT_FILES, { guard: impostor, port: redis.port });
    const callback = await server.signIn(server.browser(), portal);
    t.is((await server.token(portal, redemption(callback))).status, 200);
    t.true((await server.house.redis?.look())?.isAway);
    t.is(redisCli(impostor, other.port, 'dbsize').trim(), '0');
    t.regex(redisCli(impostor, other.port, 'info', 'commandstats'), /^(?!.*cmdstat_(?:hello|set|get|evalsha?))/s);

    other.process.kill('SIGKILL');
    await startRedis(t, WITHOUT_FILES, { guard, port: redis.port });
    t.true(await until(async () => (await server.house.redis?.look())?.isAway === false));
  },
);
