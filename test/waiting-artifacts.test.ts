import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { createSqlArtifacts } from '../src/storage/sql-artifacts.ts';
import { createWaitingArtifacts, mayHaveWaiting, type WaitingArtifacts } from '../src/storage/waiting-artifacts.ts';
import { artifactSuite, consume, put } from './support/artifact-suite.ts';
import { embeddedTest, sqliteDatabase } from './support/databases.ts';
import { createBrowser } from './support/http-client.ts';
import { freshPlace, type Place, startProduct, tongban } from './support/product.ts';
import { authorizationPath, REDIRECT_URI, type TestPortal, WANG } from './support/server.ts';

const SECONDS_MAX = 3600;
const DEMO_PASSWORD = 'one-login-for-all';

/** As a process opens it: what an earlier one has left is asked for first. */
const openedOn = async (database: Database, charactersMax?: number): Promise<WaitingArtifacts> =>
  createWaitingArtifacts(createSqlArtifacts(database), {
    mayBeStored: await mayHaveWaiting(database),
    secondsMax: SECONDS_MAX,
    ...(charactersMax === undefined ? {} : { charactersMax }),
  });

const rowsOf = async (database: Database): Promise<readonly string[]> =>
  (await database.all<{ id: string }>("SELECT id FROM artifacts WHERE model = 'Interaction' ORDER BY id", [])).map(
    ({ id }) => id,
  );

const destroy = (id: string) => ({ kind: 'destroy', model: 'Interaction', id }) as const;

artifactSuite(embeddedTest, 'sqlite, and what waits in memory', async (t: ExecutionContext) => {
  const database = await sqliteDatabase(t);
  return { database, store: await openedOn(database) };
});

test.afterEach.always(() => turnClock(0));

test.serial('S5 what waits is not written; a process that ends leaves it to the next, and there it ends', async (t) => {
  const database = await sqliteDatabase(t);
  const first = await openedOn(database);
  await first.apply([put('Interaction', 'a'), put('Interaction', 'b'), put('Grant', 'g')]);
  t.deepEqual(await rowsOf(database), []);
  t.like(await first.find('Interaction', 'a'), { payload: { of: 'a' }, consumedAt: null });
  await first.apply([destroy('b')]);
  t.is(await first.find('Interaction', 'b'), undefined);
  await first.leave();
  t.deepEqual(await rowsOf(database), ['a']);

  const next = await openedOn(database);
  t.like(await next.find('Interaction', 'a'), { payload: { of: 'a', nested: { name: '张伟' } } });
  await next.apply([put('Interaction', 'a', { payload: { of: 'a', result: 'proven' } })]);
  t.deepEqual((await next.find('Interaction', 'a'))?.payload, { of: 'a', result: 'proven' });
  await next.apply([destroy('a')]);
  t.is(await next.find('Interaction', 'a'), undefined, 'and not what it was before');
  t.deepEqual(await rowsOf(database), []);
});

test.serial('S5 a crash loses what waited and nothing besides', async (t) => {
  const database = await sqliteDatabase(t);
  const crashed = await openedOn(database);
  await crashed.apply([put('Interaction', 'a'), put('Grant', 'g'), put('AuthorizationCode', 'c')]);
  const next = await openedOn(database);
  t.is(await next.find('Interaction', 'a'), undefined);
  t.truthy(await next.find('Grant', 'g'));
  t.truthy(await next.find('AuthorizationCode', 'c'));
});

test.serial('what no room is left for is written, found and ended like all else', async (t) => {
  const database = await sqliteDatabase(t);
  const store = await openedOn(database, 10);
  await store.apply([put('Interaction', 'a')]);
  await store.apply([put('Interaction', 'b')]);
  await store.apply([put('Interaction', 'c')]);
  t.deepEqual(await rowsOf(database), ['b', 'c'], 'the first one filled the room');
  for (const id of ['a', 'b', 'c']) t.like(await store.find('Interaction', id), { payload: { of: id } });
  await store.apply([put('Interaction', 'a', { payload: { further: 1 } })]);
  t.deepEqual(await rowsOf(database), ['b', 'c'], 'what waits in memory stays there');
  await store.apply([destroy('a')]);
  await store.apply([put('Interaction', 'b', { payload: { further: 2 } })]);
  t.deepEqual((await store.find('Interaction', 'b'))?.payload, { further: 2 }, 'there is room again');
  await store.apply([destroy('b')]);
  t.is(await store.find('Interaction', 'b'), undefined, 'neither in memory nor in the store');
  await store.apply([destroy('c')]);
  t.deepEqual(await rowsOf(database), []);
});

test.serial('R1 a batch that is lost changes nothing that waits', async (t) => {
  const database = await sqliteDatabase(t);
  const store = await openedOn(database);
  await store.apply([put('PushedAuthorizationRequest', 'p'), put('Interaction', 'old')]);
  const begins = [consume('PushedAuthorizationRequest', 'p'), put('Interaction', 'new'), destroy('old')];
  const outcomes = await Promise.all([store.apply(begins), store.apply([consume('PushedAuthorizationRequest', 'p')])]);
  t.deepEqual(
    outcomes.map(({ ok }) => ok),
    [true, false],
  );
  t.truthy(await store.find('Interaction', 'new'));
  t.false(
    (await store.apply([consume('PushedAuthorizationRequest', 'p'), put('Interaction', 'late'), destroy('new')])).ok,
  );
  t.is(await store.find('Interaction', 'late'), undefined);
  t.truthy(await store.find('Interaction', 'new'));
  await t.throwsAsync(
    store.apply([destroy('new')], async () => {
      throw new Error('undone');
    }),
    { message: 'undone' },
  );
  t.truthy(await store.find('Interaction', 'new'));
});

test.serial('what waits is nobody else’s to change, ends with its time and is swept', async (t) => {
  const database = await sqliteDatabase(t);
  const store = await openedOn(database);
  await store.apply([put('Interaction', 'a'), put('Interaction', 'b'), put('Grant', 'g')]);
  const found = (await store.find('Interaction', 'a'))!;
  found.payload.result = 'planted';
  t.is((await store.find('Interaction', 'a'))?.payload.result, undefined);
  t.is(await store.sweep(10), 0);
  turnClock(601_000);
  t.is(await store.find('Interaction', 'a'), undefined);
  t.is(await store.sweep(1), 2, 'one of those that waited and one row');
  t.is(await store.sweep(10), 1);
  await store.leave();
  t.deepEqual(await rowsOf(database), []);
});

for (const [how, signal] of [
  ['S5 X7 whoever signs in while their server is started anew goes on where they were', 'SIGTERM'],
  ['S5 X8 whoever signs in while their server crashes is told that it is over, and begins again', 'SIGKILL'],
] as const) {
  test.serial(how, async (t) => {
    const place = await freshPlace(t);
    const env = { TONGBAN_DEMO_PORTALS: 'false' };
    const product = await startProduct(t, place, env);
    const portal = await addPortal(place);
    const browser = createBrowser(product.issuer);
    const begin = async (): Promise<void> => {
      await browser.get(authorizationPath(portal));
      await browser.follow();
    };
    await begin();
    await product.end(signal);
    await startProduct(t, place, env);
    await browser.submit({ identifier: WANG.idNumber, password: DEMO_PASSWORD }, '/identify');
    await browser.follow();
    if (signal === 'SIGKILL') {
      t.is(browser.page.status, 400);
      t.regex(browser.page.text, /class="number">\d{4}</, 'a page that says why, with the number of the fault');
      await begin();
      await browser.submit({ identifier: WANG.idNumber, password: DEMO_PASSWORD }, '/identify');
      await browser.follow();
    }
    t.is(browser.page.status, 200);
    t.true(browser.page.text.includes('/consent"'), 'the question that comes after the password');
  });
}

async function addPortal({ dataDir, port }: Place): Promise<TestPortal> {
  const file = join(dataDir, 'portal.json');
  await writeFile(
    file,
    JSON.stringify({ client_name: '测试门户', redirect_uris: [REDIRECT_URI], scope: 'openid profile' }),
  );
  const env = { TONGBAN_PROFILE: 'demo', TONGBAN_DATA_DIR: dataDir, TONGBAN_PORT: String(port) };
  const added = await tongban(['client', 'add', file, '--json'], env);
  const { client_id: id, client_secret: secret } = JSON.parse(added.stdout) as Record<string, string>;
  return { id: id!, secret: secret! };
}
