import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { LI, startServer, WANG } from './support/server.ts';

const VISIT = { address: '127.0.0.1', userAgent: 'a browser', correlation: 'r1' } as const;
const DAY_MS = 86_400_000;

test.afterEach.always(() => turnClock(0));

test.serial('a trusted device is known by its secret, to one person, for thirty days', async (t) => {
  const server = await startServer(t);
  const { trustedDevices, database } = server.house;
  const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI)];
  const trusted = trustedDevices.trust(wang, VISIT);
  t.is(await trustedDevices.find(wang, trusted.secret), undefined, 'not before it is written');
  await database.write((tx) => trusted.write(tx));
  t.like(await trustedDevices.find(wang, trusted.secret), { userAgent: 'a browser', address: '127.0.0.1' });
  t.is(await trustedDevices.find(li, trusted.secret), undefined, 'of somebody else');
  t.is(await trustedDevices.find(wang, undefined), undefined);
  t.is(await trustedDevices.find(wang, `${trusted.secret.slice(1)}A`), undefined);
  const rows = await database.all<Record<string, unknown>>('SELECT * FROM trusted_devices', []);
  t.false(JSON.stringify(rows).includes(trusted.secret), 'the store holds no secret');
  const [event] = await server.events('device.trusted');
  t.like(event, { subject: wang });
  t.false(JSON.stringify(event).includes(trusted.secret));
  turnClock(30 * DAY_MS - 5000);
  t.truthy(await trustedDevices.find(wang, trusted.secret));
  turnClock(30 * DAY_MS + 5000);
  t.is(await trustedDevices.find(wang, trusted.secret), undefined);
  t.deepEqual(await trustedDevices.list(wang), []);
  turnClock(31 * DAY_MS);
  t.is(await trustedDevices.sweep(10), 1);
});

test.serial('E9 V39 a person sees their trusted devices and ends each; those of others are out of reach', async (t) => {
  const server = await startServer(t);
  const { trustedDevices, database } = server.house;
  const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI)];
  const [first, second, theirs] = [wang, wang, li].map((id) => trustedDevices.trust(id, VISIT));
  for (const device of [first, second, theirs]) await database.write((tx) => device!.write(tx));
  const browser = server.browser();
  await server.signIn(browser, await server.addPortal());
  const page = await browser.get('/account/sessions');
  t.is(page.text.match(/action="\/account\/sessions\/distrust"/g)?.length, 2);
  const [foreign] = await trustedDevices.list(li);
  await browser.submit({ id: foreign!.id }, '/sessions/distrust');
  t.is((await trustedDevices.list(li)).length, 1);
  await browser.get('/account/sessions');
  await browser.submit({}, '/sessions/distrust');
  t.is((await trustedDevices.list(wang)).length, 1);
  t.like((await server.events('device.distrusted'))[0], { subject: wang, data: { cause: 'revoked_by_person' } });
  await browser.get('/account/sessions');
  const token = /name="form_token" value="([^"]+)"/.exec(browser.page.text)?.[1] ?? '';
  const stranger = server.browser();
  const id = (await trustedDevices.list(wang))[0]!.id;
  t.not((await stranger.post('/account/sessions/distrust', { form_token: token, id })).status, 303);
  t.is((await trustedDevices.list(wang)).length, 1);
});

test.serial('C11 a changed password ends all trust', async (t) => {
  const server = await startServer(t);
  const { trustedDevices, database } = server.house;
  const wang = await server.addPerson(WANG);
  const device = trustedDevices.trust(wang, VISIT);
  await database.write((tx) => device.write(tx));
  const browser = server.browser();
  await server.signIn(browser, await server.addPortal());
  await browser.get('/account/methods/password');
  const fresh = 'seven blue kites';
  const changed = await browser.submit(
    { password: 'correct horse battery', newPassword: fresh, newPasswordAgain: fresh },
    '/methods/password',
  );
  t.is(changed.status, 303);
  t.is(await trustedDevices.find(wang, device.secret), undefined);
  t.like((await server.events('device.distrusted'))[0], { data: { cause: 'password_changed', count: 1 } });
});
