import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { ROOMY } from './support/portal-calls.ts';
import { allow, askAlways, asksForSecond, bindApp, enter, somebody } from './support/second-factor.ts';
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

test.serial(
  'a browser trusted at the second factor is asked no more by the account, but by portals, elsewhere, and after it is ended',
  async (t) => {
    const server = await startServer(t, ROOMY);
    const [plain, strict] = [await server.addPortal(), await server.addPortal({ minimum_acr: 'urn:tongban:acr:3' })];
    const { id, idNumber } = await somebody(server);
    const app = await bindApp(server, id);
    await askAlways(server, id);
    const browser = server.browser();
    t.true(asksForSecond(await enter(server, browser, plain, idNumber)));
    t.true(browser.page.text.includes('name="trust"'));
    await browser.submit({ code: app.code(), factor: 'totp', trust: 'yes' }, '/second-factor');
    await browser.follow((url) => url.origin !== server.issuer);
    await allow(server, browser);
    t.is((await server.events('device.trusted')).length, 1);
    const again = async (portal = plain) => {
      browser.forgetCookies('tongban');
      return enter(server, browser, portal, idNumber);
    };
    t.false(asksForSecond(await again()), 'the same browser, a new sign-in');
    const last = (await server.events('sign-in.succeeded')).at(-1);
    t.deepEqual(last?.data.amr, ['pwd'], 'trust proves nothing');
    t.true(asksForSecond(await enter(server, server.browser(), plain, idNumber)), 'another browser');
    t.true(asksForSecond(await again(strict)), 'a portal that wants two factors');
    const [device] = await server.house.trustedDevices.list(id);
    await server.house.trustedDevices.revoke(id, device?.id ?? '', VISIT);
    t.true(asksForSecond(await again()), 'trusted no more');
  },
);

test.serial('a box that was not offered trusts nothing', async (t) => {
  const server = await startServer(t, ROOMY);
  const portal = await server.addPortal({ minimum_acr: 'urn:tongban:acr:3' });
  const { id, idNumber } = await somebody(server);
  const app = await bindApp(server, id);
  const browser = server.browser();
  t.true(asksForSecond(await enter(server, browser, portal, idNumber)));
  await browser.submit({ code: app.code(), factor: 'totp', trust: 'yes' }, '/second-factor');
  t.is((await server.events('device.trusted')).length, 0);
});
