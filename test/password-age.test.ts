import test, { type ExecutionContext } from 'ava';
import type { ConfigOverrides } from '../src/config/schema.ts';
import { createPasswordWarnings } from '../src/factors/password-warnings.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { answerOf, arrive, OFFLINE, refresh, tokensOf } from './support/portal-calls.ts';
import { allow, askAlways, asksForPassword, bindApp, giveCode } from './support/second-factor.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { allTold, BROWSER, HERE, oneTold } from './support/told-events.ts';

const DAY_SECONDS = 86_400;
const NEW_PASSWORD = 'nine green boats on the river';
const AGING = { password: { ageDays: 90, noticeDays: 14, history: 5 } } as const;

async function house(t: ExecutionContext, overrides: ConfigOverrides = AGING) {
  const server = await startServer(t, overrides);
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal();
  return { server, id, portal, browser: server.browser(BROWSER) };
}

/** From when on ages are reckoned: a password that is made as old as before was set at the same second as before. */
const BEGINNING = nowSeconds();
const age = ({ house: { database } }: TestServer, id: string, days: number) =>
  database.run('UPDATE passwords SET changed_at = $1 WHERE person_id = $2', [BEGINNING - days * DAY_SECONDS, id]);

/** Gives name and password at a portal, and goes on as far as it leads. */
async function signIn(
  server: TestServer,
  browser: HttpBrowser,
  portal: TestPortal,
  password = PASSWORD,
): Promise<Page> {
  await browser.get(authorizationPath(portal));
  await arrive(server, browser);
  await browser.submit({ identifier: WANG.idNumber, password }, '/identify');
  return arrive(server, browser);
}

const choose = (browser: HttpBrowser, newPassword = NEW_PASSWORD, newPasswordAgain = newPassword): Promise<Page> =>
  browser.submit({ newPassword, newPasswordAgain }, '/new-password');

const asksForNew = (page: Page): boolean => page.text.includes('data-page="new-password"');
const sessionsOf = async ({ house: { sessionEnds } }: TestServer, id: string) => (await sessionEnds.list(id)).length;

test('S1 D2 whoever gives a password that is too old chooses another before they are in, without a script', async (t) => {
  const { server, id, portal, browser } = await house(t);
  await age(server, id, 91);
  const asked = await signIn(server, browser, portal);
  t.is(asked.status, 200);
  t.true(asksForNew(asked));
  t.is(await sessionsOf(server, id), 0, 'no session begins before');
  t.is((await browser.get('/account')).status, 303);
  await browser.get(asked.url);
  for (const [fresh, again, at] of [
    [NEW_PASSWORD, 'something else', 'newPasswordAgain'],
    ['short', 'short', 'newPassword'],
    ['my 19900101 dream', 'my 19900101 dream', 'newPassword'],
    [PASSWORD, PASSWORD, 'newPassword'],
  ] as const) {
    const wrong = await choose(browser, fresh, again);
    t.is(wrong.status, 400, fresh);
    t.regex(wrong.text, new RegExp(`<input id="${at}"[^>]*aria-invalid="true"`));
  }
  t.true(browser.page.text.includes('您以前用过这个密码'), 'the one that has grown old is one of before');
  await choose(browser);
  await arrive(server, browser);
  await allow(server, browser);
  t.truthy(answerOf(browser.page).get('code'));
  t.is(await sessionsOf(server, id), 1);
  t.is(await server.house.passwords.verify(id, NEW_PASSWORD), 'match');
  const changed = (await allTold(server, 'password.changed')).at(-1);
  t.like(changed, { ...HERE, subject: id, data: { origin: 'sign-in' } });
  t.like(await oneTold('sign-in.succeeded', { subject: id }, server), { data: { amr: ['pwd'] } });
  t.true(
    (await allTold(server, 'person.notified')).some(
      ({ data }) => (data as { notice: string }).notice === 'password-changed',
    ),
  );
  const next = server.browser();
  t.false(asksForNew(await signIn(server, next, portal, NEW_PASSWORD)), 'and is not asked the next time');
});

test('D13 V3 the page of the new password has no way around it, before it or behind it', async (t) => {
  const { server, id, portal, browser } = await house(t);
  await browser.get(authorizationPath(portal));
  await arrive(server, browser);
  const path = new URL(browser.page.url).pathname;
  const early = { form_token: hiddenField(browser.page), newPassword: NEW_PASSWORD, newPasswordAgain: NEW_PASSWORD };
  t.is((await browser.post(`${path}/new-password`, early)).status, 400, 'before anything was proven');
  await age(server, id, 91);
  await browser.get(path);
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  t.true(asksForNew(browser.page));
  const form = { ...early, form_token: hiddenField(browser.page) };
  for (const [step, fields] of [
    ['continue-as', { decision: 'continue' }],
    ['consent', { decision: 'allow' }],
    ['without', { decision: 'continue' }],
    ['second-factor', { factor: 'totp', code: '000000' }],
  ] as const)
    t.is((await browser.post(`${path}/${step}`, { form_token: form.form_token, ...fields })).status, 400, step);
  t.is((await server.browser().post(`${path}/new-password`, form)).status, 400, 'V53 in another browser');
  t.is((await browser.post(`${path}/new-password`, form, { origin: 'https://evil.cn' })).status, 403);
  t.is((await browser.post(`${path}/new-password`, { ...form, person: id })).status, 400, 'F5');
  await server.house.persons.disable(id, 'test');
  t.is((await browser.post(`${path}/new-password`, form)).status, 400, 'F2 of somebody who was shut out meanwhile');
  t.is(await server.house.passwords.verify(id, PASSWORD), 'match');
  t.is(await sessionsOf(server, id), 0);
});

test('D13 the second factor of the account comes before its new password', async (t) => {
  const { server, id, portal, browser } = await house(t);
  const app = await bindApp(server, id);
  await askAlways(server, id);
  await age(server, id, 91);
  const asked = await signIn(server, browser, portal);
  t.false(asksForNew(asked));
  const early = { form_token: hiddenField(asked), newPassword: NEW_PASSWORD, newPasswordAgain: NEW_PASSWORD };
  t.is((await browser.post(`${new URL(asked.url).pathname}/new-password`, early)).status, 400);
  t.is(await server.house.passwords.verify(id, PASSWORD), 'match', 'a stolen password sets no other');
  await browser.get(asked.url);
  t.true(asksForNew(await giveCode(server, browser, app.code())));
  await choose(browser);
  await arrive(server, browser);
  await allow(server, browser);
  t.truthy(answerOf(browser.page).get('code'));
});

test('a session and refresh tokens that rest on a password too old end with it, those of other people do not', async (t) => {
  const { server, id, portal, browser } = await house(t);
  await server.addPerson(LI);
  const tokens = await tokensOf(server, portal, browser, OFFLINE);
  const neighbour = server.browser();
  await server.signIn(neighbour, portal, { identifier: LI.idNumber });
  const { body } = await refresh(server, portal, tokens.refresh_token);
  t.truthy(body.refresh_token);
  t.truthy(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('code'));

  await age(server, id, 91);
  t.is(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('error'), 'login_required');
  const late = await refresh(server, portal, body.refresh_token);
  t.is(late.status, 400);
  t.is(late.body.error, 'invalid_grant');
  t.truthy(answerOf(await neighbour.get(authorizationPath(portal, { prompt: 'none' }))).get('code'));

  await browser.get(authorizationPath(portal));
  await arrive(server, browser);
  t.true(asksForPassword(browser.page), 'the person is asked who they are');
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  t.true(asksForNew(await arrive(server, browser)));
  const stranger = server.browser();
  await age(server, id, 1);
  await server.signIn(stranger, portal);
  await age(server, id, 91);
  await choose(browser);
  await arrive(server, browser);
  t.truthy(answerOf(browser.page).get('code'), 'the session of this browser goes on');
  t.is((await stranger.get('/account')).status, 303, 'C11 whoever came in with the old one is out');
  t.is(await sessionsOf(server, id), 1);
});

test('in the account centre a password too old still proves who somebody is, so that it can be changed there', async (t) => {
  const { server, id, portal, browser } = await house(t);
  await server.signIn(browser, portal);
  await age(server, id, 91);
  t.is((await browser.get('/account/methods/user-name')).status, 200, 'the proof of a moment ago counts here');

  await browser.post('/account/prove', {
    form_token: hiddenField(await browser.get('/account/sessions')),
    next: '/account/methods/user-name',
    password: PASSWORD,
  });
  t.is(browser.page.location, `${server.issuer}/account/methods/user-name`, 'and so does a new one');
  await browser.get('/account/methods/password');
  const done = await browser.submit(
    { password: PASSWORD, newPassword: NEW_PASSWORD, newPasswordAgain: NEW_PASSWORD },
    '/account/methods/password',
  );
  t.is(done.status, 303);
  t.truthy(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('code'), 'and all is well');
});

test('D2 where passwords may grow old nobody is asked for another', async (t) => {
  const { server, id, portal, browser } = await house(t, {});
  await age(server, id, 3000);
  t.false(asksForNew(await signIn(server, browser, portal)));
});

test('before a password is too old its person is told, once', async (t) => {
  const { server, id } = await house(t);
  const li = await server.addPerson(LI);
  await age(server, id, 77);
  await age(server, li, 75);
  const told: [string, number][] = [];
  const job = createPasswordWarnings({
    database: server.house.database,
    whose: 'everybody',
    ageDays: 90,
    noticeDays: 14,
    tell: async (_tx, personId, dueAt) => void told.push([personId, Math.round((dueAt - nowSeconds()) / DAY_SECONDS)]),
  });
  t.is(await job.count(), 1);
  t.like(await job.step(undefined, 20), { cursor: undefined, asked: 1, counts: { told: 1 } });
  t.deepEqual(told, [[id, 13]]);
  t.like(await job.step(undefined, 20), { asked: 0 });
  await age(server, li, 300);
  t.like(await job.step(undefined, 20), { asked: 1 });
  t.is(told.at(-1)?.[0], li, 'whoever has not been here for long is told all the same');
  const mine = server.house.lifeJobs.find(({ name }) => name === 'password-warnings');
  await server.house.passwords.set(id, NEW_PASSWORD, 'test');
  await age(server, id, 80);
  await server.house.database.run('UPDATE passwords SET warned_at = changed_at - 1 WHERE person_id = $1', [id]);
  await mine?.step(undefined, 20);
  const notices = (await allTold(server, 'person.notified')).map(({ data }) => (data as { notice: string }).notice);
  t.deepEqual(notices, ['password-aging'], 'a new password is told of anew, by the house’s own job');
});
