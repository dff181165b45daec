import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createKnownDevices } from '../src/people/known-devices.ts';
import { createSignInPlaces } from '../src/people/sign-in-places.ts';
import { embeddedTest, postgresStore, postgresTest } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { answerOf, arrive } from './support/portal-calls.ts';
import { withoutChance } from './support/same-page.ts';
import { allow, asksForSecond, bindApp, giveCode } from './support/second-factor.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

const ENGINES = [
  ['SQLite', embeddedTest, async () => ({})],
  ['PostgreSQL', postgresTest, async (t: ExecutionContext) => ({ database: { url: await postgresStore(t) } })],
] as const;

const ELDER = { idNumber: '449900195604190098', name: '何桂芳' } as const;
const URUMQI = { region: '乌鲁木齐', latitude: 43.8, longitude: 87.6 };
const HANGZHOU = { network: '127.0.0.0/8', region: '杭州', latitude: 30.25, longitude: 120.17 };

function fileIn(t: ExecutionContext, name: string, content: string): string {
  const file = join(temporaryFolder(t), name);
  writeFileSync(file, content);
  return file;
}

const assessed = async (server: TestServer) =>
  (await server.events('sign-in.assessed')).map(({ outcome, subject, data }) => ({ outcome, subject, data }));

const enter = async (server: TestServer, portal: TestPortal, identifier: string, browser = server.browser()) => {
  await browser.get(authorizationPath(portal));
  await browser.follow();
  return { browser, page: await browser.submit({ identifier, password: PASSWORD }, '/identify') };
};

test('H5 a new device of an elder asks for more, and the decision is on record with its reasons', async (t) => {
  const server = await startServer(t);
  const elder = await server.addPerson(ELDER);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const { page, browser } = await enter(server, portal, ELDER.idNumber);
  t.is(page.status, 303, 'who has nothing more to prove is not shut out');
  const data = { verdict: 'ask_more', reasons: ['new_device', 'elder_account'] };
  t.deepEqual(await assessed(server), [{ outcome: 'success', subject: elder, data }]);
  await browser.follow((url) => url.origin !== server.issuer);
  await server.signIn(browser, portal, { identifier: ELDER.idNumber, query: { prompt: 'login' } });
  await enter(server, portal, WANG.idNumber);
  t.is((await assessed(server)).length, 1, 'neither the second time nor for somebody whose device is merely new');
});

test('D8 D9 a leaked password out of a bad network is refused like a wrong one on a new device, and not on one the person has used', async (t) => {
  const badNetworksFile = fileIn(t, 'bad.txt', '# hosting\n198.51.100.0/24\n127.0.0.0/8 # here\n');
  const breachedFile = fileIn(t, 'leaked.txt', `${PASSWORD}\n`);
  const server = await startServer(t, { defence: { badNetworksFile }, password: { breachedFile } });
  const wang = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const stranger = await enter(server, portal, WANG.idNumber);
  t.is(stranger.page.status, 401);
  t.is(stranger.browser.cookie('tongban'), undefined, 'no session');
  const uid = /interaction\/([\w-]+)/.exec(stranger.page.url)![1]!;
  const refused = withoutChance(stranger.page.text, uid, WANG.idNumber);
  const wrong = await stranger.browser.submit({ identifier: WANG.idNumber, password: 'wrong' }, '/identify');
  t.is(wrong.status, 401);
  t.is(
    withoutChance(wrong.text, uid, WANG.idNumber),
    refused,
    'whoever tries a stolen password does not learn that it is right',
  );
  const told = (await server.events('person.notified')).map(({ subject, data }) => [subject, data.notice]);
  t.deepEqual(told, [[wang, 'sign-in-refused']], 'its owner does');
  const reasonsTold = (await server.events('sign-in.refused')).map(({ data }) => data.reason);
  t.deepEqual(reasonsTold, ['risk', 'mismatch']);
  const reasons = ['new_device', 'bad_network', 'stuffing_hit'];
  t.deepEqual(await assessed(server), [{ outcome: 'failure', subject: wang, data: { verdict: 'refuse', reasons } }]);

  const own = server.browser();
  const { secret, write } = await createKnownDevices({ database: server.house.database }).remember(wang);
  await server.house.database.write(write);
  own.setCookie(server.issuer, `device=${secret}; Path=/`);
  t.is((await enter(server, portal, WANG.idNumber, own)).page.status, 303);
  t.deepEqual((await assessed(server)).at(-1)?.data, { verdict: 'ask_more', reasons: reasons.slice(1) });
});

for (const [engine, on, overrides] of ENGINES) {
  on(`D6 D9 a right password that is refused gives no guess back (${engine})`, async (t) => {
    const badNetworksFile = fileIn(t, 'bad.txt', '127.0.0.0/8\n');
    const breachedFile = fileIn(t, 'leaked.txt', `${PASSWORD}\n`);
    const server = await startServer(t, {
      ...(await overrides(t)),
      defence: { badNetworksFile },
      password: { breachedFile },
      limits: { failuresPerAccount: 2 },
    });
    await server.addPerson(WANG);
    const portal = await server.addPortal();
    for (let time = 0; time < 3; time += 1) await enter(server, portal, WANG.idNumber);
    const reasons = (await server.events('sign-in.refused')).map(({ data }) => data.reason);
    t.deepEqual(reasons, ['risk', 'risk', 'locked']);
  });
}

test('the region of a sign-in is kept with it, and one further than anybody travels is told', async (t) => {
  const regionsFile = fileIn(t, 'regions.json', JSON.stringify([HANGZHOU]));
  const server = await startServer(t, { watch: { regionsFile } });
  const wang = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const places = createSignInPlaces(server.house.database);
  await server.signIn(server.browser(), portal);
  t.deepEqual(
    (await places.of(wang)).map(({ place }) => place.region),
    ['杭州'],
  );
  t.deepEqual(await assessed(server), []);
  await server.house.database.write(async (tx) => {
    await tx.run('DELETE FROM sign_in_places', []);
    await places.remember(tx, wang, URUMQI);
  });
  await server.signIn(server.browser(), portal);
  t.deepEqual((await assessed(server))[0]?.data, {
    verdict: 'ask_more',
    reasons: ['new_device', 'new_region', 'impossible_travel'],
  });
});

test('a step up whose circumstances forbid it is refused, said so to whoever holds the session, and told to the owner', async (t) => {
  const regionsFile = fileIn(
    t,
    'regions.json',
    JSON.stringify([
      { ...HANGZHOU, network: '203.0.113.0/24' },
      { ...URUMQI, network: '198.51.100.0/24' },
    ]),
  );
  const badNetworksFile = fileIn(t, 'bad.txt', '198.51.100.0/24\n');
  const server = await startServer(t, {
    http: { trustedProxies: 1 },
    watch: { regionsFile },
    defence: { badNetworksFile },
  });
  const wang = await server.addPerson(WANG);
  const app = await bindApp(server, wang);
  const portal = await server.addPortal();
  const strong = await server.addPortal({ minimum_acr: 'urn:tongban:acr:3' });
  const headers = { accept: 'text/html', 'x-forwarded-for': '203.0.113.7' };
  const browser = server.browser(headers);
  await server.signIn(browser, portal);
  browser.forgetCookies('device');
  headers['x-forwarded-for'] = '198.51.100.7';
  await browser.get(authorizationPath(strong));
  await arrive(server, browser);
  t.true(asksForSecond(browser.page));
  const refused = await giveCode(server, browser, app.code());
  t.is(refused.status, 403);
  t.regex(refused.text, /1104/);
  const reasons = ['new_device', 'new_region', 'impossible_travel', 'bad_network'];
  t.deepEqual(await assessed(server), [{ outcome: 'failure', subject: wang, data: { verdict: 'refuse', reasons } }]);
  const told = (await server.events('person.notified')).map(({ data }) => data.notice);
  t.deepEqual(told, ['sign-in-refused']);
  headers['x-forwarded-for'] = '203.0.113.7';
  await browser.get(authorizationPath(strong));
  await arrive(server, browser);
  await giveCode(server, browser, app.code());
  await allow(server, browser);
  t.truthy(answerOf(browser.page).get('code'), 'at home it goes on');
});

test('a list of networks that cannot be read stops the start', async (t) => {
  const badNetworksFile = fileIn(t, 'bad.txt', '10.0.0.0/33\n');
  await t.throwsAsync(startServer(undefined, { defence: { badNetworksFile } }), { message: /10\.0\.0\.0\/33/ });
});
