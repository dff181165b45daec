import { spawnSync } from 'node:child_process';
import type { SQLInputValue } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { tokenDigest } from '../src/crypto/digests.ts';
import { createRecoveries } from '../src/people/recoveries.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { embeddedTest } from './support/databases.ts';
import { intruder } from './support/intruder.ts';
import { introspect, OFFLINE, refresh, tokensOf, userinfo } from './support/portal-calls.ts';
import { startRedis, whereRedisStarts } from './support/redis-servers.ts';
import { authorizationPath, LI, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const { test: redisTest } = whereRedisStarts(embeddedTest);

/** Resolves once the ledger and the watch have been told of this row. */
async function isTold(t: ExecutionContext, server: TestServer, place: string): Promise<void> {
  const found = await until(async () => {
    await server.house.failures.settle();
    return (await server.events('row.altered')).some(({ data }) => `${data.table}:${data.row}` === place);
  });
  t.true(found, place);
}

const AS_LI = { identifier: LI.idNumber } as const;

test('H10 a session that was moved to somebody else in the store is nobody’s, whatever its cookie says', async (t) => {
  const server = await startServer(t);
  const portal = await server.addPortal();
  const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI)];
  const [own, other] = [server.browser({ accept: 'text/html' }), server.browser()];
  await server.signIn(own, portal, AS_LI);
  await server.signIn(other, portal, AS_LI);
  const store = intruder(t, server);
  const [session] = store.all('SELECT uid, payload, expires_at FROM sessions WHERE account_id = ?', li);
  const uid = String(session?.uid);
  const asks = async () => {
    await own.get(authorizationPath(portal));
    await own.follow();
    return own.page;
  };
  for (const change of [
    ['UPDATE sessions SET account_id = ?, payload = replace(payload, ?, ?) WHERE uid = ?', wang, li, wang, uid],
    ['UPDATE sessions SET row_seal = NULL WHERE uid = ?', uid],
  ] as const) {
    const [sql, ...values] = change;
    await store.run(sql, ...values);
    const page = await asks();
    t.true(page.text.includes('name="identifier"'), 'is asked who they are');
    await isTold(t, server, `sessions:${uid}`);
  }
  const account = await own.get('/account');
  t.is(account.status, 303, 'and the account centre is shut');
  await other.get(authorizationPath(portal));
  t.is(other.page.status, 303);
  t.true(other.page.location?.includes('code='), 'another session of the same person goes on');
  t.is(
    await server.house.sessionEnds.endAll(wang, 'test'),
    1,
    'what was put there in somebody’s name ends with theirs',
  );
  await server.signIn(own, portal, AS_LI);
  t.true(
    await until(async () => store.all("SELECT id FROM incidents WHERE rule = 'row-altered'").length > 0),
    'the watch has opened an incident',
  );
});

test('H10 grants, codes, tokens and sign-ins under way that were altered or put there open nothing', async (t) => {
  const server = await startServer(t);
  const portal = await server.addPortal({ scope: 'openid profile phone offline_access' });
  const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI)];
  const held = await tokensOf(server, portal, server.browser(), OFFLINE);
  t.is((await userinfo(server, held.access_token)).status, 200);
  const store = intruder(t, server);
  const of = (model: string) =>
    store
      .all('SELECT model, id, payload, expires_at FROM artifacts WHERE model = ? ORDER BY expires_at', model)
      .at(-1)!;
  const [token, grant, successor] = [of('AccessToken'), of('Grant'), of('RefreshToken')];
  const put = (row: Record<string, SQLInputValue>, payload: unknown): Promise<void> =>
    store.run(
      'UPDATE artifacts SET payload = ? WHERE model = ? AND id = ?',
      String(payload),
      row.model ?? null,
      row.id ?? null,
    );

  await put(token, String(token.payload).replaceAll(wang, li));
  t.is((await userinfo(server, held.access_token)).status, 401, 'a token given to somebody else');
  t.like(await introspect(server, portal, held.access_token), { active: false });
  await isTold(t, server, `artifacts:AccessToken:${token.id}`);
  await put(token, token.payload);
  t.is((await userinfo(server, held.access_token)).status, 200, 'put back as it was it is right again');

  await put(grant, String(grant.payload).replace('openid profile', 'openid profile phone'));
  t.is((await userinfo(server, held.access_token)).status, 401, 'a grant that was widened');
  await isTold(t, server, `artifacts:Grant:${grant.id}`);
  await put(grant, grant.payload);

  await put(successor, String(successor.payload).replaceAll(wang, li));
  t.is((await refresh(server, portal, held.refresh_token)).body.error, 'invalid_grant', 'a refresh token moved');
  await put(successor, successor.payload);
  const [seal] = store.all(
    'SELECT row_seal FROM artifacts WHERE model = ? AND id = ?',
    'AccessToken',
    token.id ?? null,
  );
  const secret = `${String(held.access_token).slice(0, -4)}AAAA`;
  const id = String(token.id).slice(0, -tokenDigest(secret).length) + tokenDigest(secret);
  for (const planted of [null, seal?.row_seal ?? null]) {
    await store.run(
      `INSERT INTO artifacts (model, id, payload, grant_id, expires_at, row_seal) VALUES ('AccessToken', ?, ?, ?, ?, ?)
        ON CONFLICT (model, id) DO UPDATE SET row_seal = excluded.row_seal`,
      id,
      token.payload ?? null,
      grant.id ?? null,
      token.expires_at ?? null,
      planted,
    );
    t.is((await userinfo(server, secret)).status, 401, 'a token that was made up');
  }
  await isTold(t, server, `artifacts:AccessToken:${id}`);
  t.is((await refresh(server, portal, held.refresh_token)).status, 200, 'and what was put back is as good as ever');
});

test('H10 a sign-in under way into which somebody else’s proof was written lets nobody in', async (t) => {
  const server = await startServer(t);
  const portal = await server.addPortal();
  const wang = await server.addPerson(WANG);
  const browser = server.browser({ accept: 'text/html' });
  await browser.get(authorizationPath(portal));
  await browser.follow();
  const store = intruder(t, server);
  const [row] = store.all("SELECT id, payload FROM artifacts WHERE model = 'Interaction'");
  const payload = JSON.parse(String(row?.payload)) as Record<string, unknown>;
  const result = { login: { accountId: wang, amr: ['pwd'], ts: nowSeconds(), acr: 'urn:tongban:2' } };
  await store.run('UPDATE artifacts SET payload = ?', JSON.stringify({ ...payload, result }));
  await browser.get(String(payload.returnTo));
  await browser.follow((url) => url.origin !== server.issuer);
  t.false(browser.page.location?.includes('code=') ?? false);
  t.is(store.all('SELECT uid FROM sessions WHERE account_id IS NOT NULL').length, 0);
  await isTold(t, server, `artifacts:Interaction:${row?.id}`);
});

test('H10 a way back into an account and an approved scan that were put there lead nowhere', async (t) => {
  const server = await startServer(t);
  const wang = await server.addPerson(WANG);
  const { scanCodes, database } = server.house;
  const store = intruder(t, server);
  const recoveries = createRecoveries({ database, times: { waitSeconds: 60, finishSeconds: 600 } });
  const secret = 'a'.repeat(32);
  await store.run(
    `INSERT INTO recoveries (id, secret_digest, person_id, account, route, state, created_at, waits_until, expires_at)
      VALUES ('rcv_planted', ?, ?, ?, 'proofing', 'waiting', 0, 0, ?)`,
    tokenDigest(secret),
    wang,
    wang,
    nowSeconds() + 3600,
  );
  t.is(await recoveries.find(secret), undefined);
  await isTold(t, server, 'recoveries:rcv_planted');
  t.is(await database.write((tx) => recoveries.cancelAll(tx, wang)), 0, 'and holds up nobody who stops their own');
  const place = { ceremony: 'one', browser: 'mine', clientId: 'p', address: '127.0.0.1', userAgent: 'x' };
  await scanCodes.begin(place);
  const scan = (await scanCodes.shown('one', 'mine'))!;
  await store.run("UPDATE scans SET state = 'approved', person_id = ?", wang);
  t.is(await scanCodes.shown('one', 'mine'), undefined);
  t.false(await database.write((tx) => scanCodes.spend(tx, scan.id)), 'nothing is spent of it');
  await scanCodes.begin(place);
  t.is((await scanCodes.shown('one', 'mine'))?.state, 'waiting', 'a new code stands in its place');
});

test('H10 H2 sessions and tokens go on while the key of the seals is replaced', async (t) => {
  const server = await startServer(t);
  const portal = await server.addPortal();
  await server.addPerson(WANG);
  const browser = server.browser();
  const held = await tokensOf(server, portal, browser, OFFLINE);
  const { keyRotation, resealing, secretRing } = server.house;
  await keyRotation.stage('rows');
  t.true(await until(async () => (await keyRotation.putInUse('rows')).ok, 20_000), 'ten seconds later it is in use');
  const renewed = await refresh(server, portal, held.refresh_token);
  t.is(renewed.status, 200, 'under the key before');
  await browser.get(authorizationPath(portal));
  t.true(browser.page.location?.includes('code='));
  t.is((await refresh(server, portal, renewed.body.refresh_token)).status, 200, 'under the new one');
  t.is(secretRing.keys('rows').length, 2);
  t.truthy(resealing);
  t.deepEqual(await server.events('row.altered'), []);
});

redisTest('H10 S5 what lies in Redis stands under the same seals', async (t) => {
  const redis = await startRedis(t, ['--save', '', '--appendonly', 'no']);
  const cli = (...args: readonly string[]): string =>
    spawnSync('redis-cli', ['-p', String(redis.port), ...args], { encoding: 'utf8' }).stdout.trim();
  const server = await startServer(t, { redis: { url: `redis://127.0.0.1:${redis.port}` } });
  const portal = await server.addPortal();
  const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI, PASSWORD)];
  const held = await tokensOf(server, portal, server.browser());
  t.is((await userinfo(server, held.access_token)).status, 200);
  const [key = ''] = cli('KEYS', '*a:AccessToken:*').split('\n');
  const payload = cli('HGET', key, 'p');
  const seal = cli('HGET', key, 'm');
  const place = `artifacts:AccessToken:${key.split(':').at(-1)}`;
  cli('HSET', key, 'p', payload.replaceAll(wang, li));
  t.is((await userinfo(server, held.access_token)).status, 401);
  await isTold(t, server, place);
  cli('HSET', key, 'p', payload);
  t.is((await userinfo(server, held.access_token)).status, 200);
  for (const other of ['', 'AAAA', `${seal.slice(0, -2)}AA`]) {
    cli('HSET', key, 'm', other);
    t.is((await userinfo(server, held.access_token)).status, 401, other);
  }
  cli('HDEL', key, 'm');
  t.is((await userinfo(server, held.access_token)).status, 401, 'without a seal');
});
