import { join } from 'node:path';
import { nowSeconds } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { createRedisArtifacts } from '../src/storage/redis-artifacts.ts';
import { createSqlArtifacts } from '../src/storage/sql-artifacts.ts';
import { startSweeper } from '../src/storage/sweeper.ts';
import { artifactSuite, consume, mark, overRedis, put, type Stores } from './support/artifact-suite.ts';
import {
  embeddedTest,
  postgresDatabase,
  postgresTest,
  redisPrefix,
  redisTest,
  sqliteDatabase,
} from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { rowGuard } from './support/row-guard.ts';

const overSql = async (database: Database): Promise<Stores> => ({ database, store: createSqlArtifacts(database) });
artifactSuite(embeddedTest, 'sqlite', async (t) => overSql(await sqliteDatabase(t)));
artifactSuite(postgresTest, 'postgres', async (t) => overSql(await postgresDatabase(t)));
artifactSuite(redisTest, 'redis and sqlite', (t) => overRedis(t));

redisTest(
  'A8 whoever lost the race for a refresh token finds the access token of the answer, and writes nothing else',
  async (t) => {
    const { store } = await overRedis(t);
    const lost = [consume('RefreshToken', 'r'), put('RefreshToken', 'next'), put('AccessToken', 'a')];
    await store.apply([put('RefreshToken', 'r')]);
    await store.apply([consume('RefreshToken', 'r')]);
    t.false((await store.apply(lost)).ok);
    t.is(await store.find('AccessToken', 'a'), undefined);
    await store.reissue(lost);
    t.truthy(await store.find('AccessToken', 'a'));
    t.is(await store.find('RefreshToken', 'next'), undefined);
  },
);

redisTest('every key of the Redis store expires', async (t) => {
  const database = await sqliteDatabase(t);
  const { client, prefix } = await redisPrefix(t);
  const store = createRedisArtifacts({ client, database, prefix, guard: await rowGuard(t, database) });
  await store.apply([
    put('AccessToken', 'a', { keys: { uid: 'u', userCode: 'c', accountId: 'p', grantId: 'g' } }),
    mark('jti'),
  ]);
  const keys = (await client.sendCommand(prefix, ['KEYS', `{${prefix}}*`])) as string[];
  t.is(keys.length, 5, 'and replay marks are in SQL');
  for (const key of keys) t.true(Number(await client.sendCommand(key, ['TTL', key])) > 0, key);
});

embeddedTest('R1 C11 what another process consumes, revokes or destroys is gone here at once', async (t) => {
  const file = join(temporaryFolder(t), 'shared.db');
  const [ours, theirs] = [await openDatabase({ file }), await openDatabase({ file })];
  t.teardown(() => Promise.all([ours.close(), theirs.close()]));
  const [here, there] = [createSqlArtifacts(ours), createSqlArtifacts(theirs)];
  await here.apply([
    put('AccessToken', 'a', { keys: { grantId: 'g' } }),
    put('AuthorizationCode', 'c', { keys: { grantId: 'other' } }),
    put('Interaction', 'i'),
  ]);
  t.truthy(await here.find('AccessToken', 'a'));
  t.is((await here.find('AuthorizationCode', 'c'))?.consumedAt, null);
  await there.apply([
    { kind: 'revokeGrant', grantId: 'g' },
    consume('AuthorizationCode', 'c'),
    { kind: 'destroy', model: 'Interaction', id: 'i' },
  ]);
  await new Promise((resolve) => setImmediate(resolve));
  t.is(await here.find('AccessToken', 'a'), undefined);
  t.is(typeof (await here.find('AuthorizationCode', 'c'))?.consumedAt, 'number');
  t.is(await here.find('Interaction', 'i'), undefined);
});

embeddedTest('the look-ups of the hot path use their indexes', async (t) => {
  const database = await sqliteDatabase(t);
  for (const column of ['grant_id', 'account_id', 'uid', 'user_code']) {
    const plan = await database.all<{ detail: string }>(
      `EXPLAIN QUERY PLAN SELECT id FROM artifacts WHERE ${column} = $1 AND model = $2`,
      ['x', 'y'],
    );
    // A grant has few rows of few models: its index is the smaller for it, and dearer pages are spared at every put.
    const used = column === 'grant_id' ? `${column}=\\?` : `${column}=\\? AND model=\\?`;
    t.regex(plan[0]!.detail, new RegExp(used));
  }
});

embeddedTest.serial('the sweeper deletes what expired, and keeps an ended session until its expiry', async (t) => {
  const database = await sqliteDatabase(t);
  const artifacts = createSqlArtifacts(database);
  const now = nowSeconds();
  const session = (uid: string, expiresAt: number, endedAt: number | null) =>
    database.run(
      `INSERT INTO sessions (uid, id_digest, payload, authorizations, expires_at, ended_at, started_at, seen_at)
       VALUES ($1, $1, '{}', '{}', $2, $3, 1, 1)`,
      [uid, expiresAt, endedAt],
    );
  await session('live', now + 100, null);
  await session('ended', now + 100, now - 5);
  for (let index = 0; index < 25; index += 1) await session(`over-${index}`, now - 1, null);
  await database.run('INSERT INTO counters (name, value, expires_at) VALUES ($1, 1, $2)', ['over', now - 1]);
  await artifacts.apply([put('AccessToken', 'over', { expiresAt: now - 1 }), put('AccessToken', 'live')]);
  // So long that no round of its own comes in between and takes part of the rows.
  const sweeper = startSweeper({ database, artifacts, intervalMs: 600_000, batch: 10 });
  t.is(await sweeper.sweep(), 27);
  await sweeper.stop();
  const uids = await database.all<{ uid: string }>('SELECT uid FROM sessions ORDER BY uid', []);
  t.deepEqual(
    uids.map(({ uid }) => uid),
    ['ended', 'live'],
  );
});
