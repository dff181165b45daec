import test, { type ExecutionContext } from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { codeFor } from './support/enrolment.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { identifierOf } from './support/people.ts';
import { bindApp } from './support/second-factor.ts';
import { PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { BROWSER, oneTold, toldBy } from './support/told-events.ts';

const USER_NAME = '/account/methods/user-name';
const BY_FACTOR = '/account/prove/factor';
const PHONE = '13800000017';

test.afterEach.always(() => turnClock(0));

/** Somebody signed in with their password a moment ago, whose app was bound long before. */
async function signedIn(t: ExecutionContext) {
  const server = await startServer(t, { ledger: { checkpointIntervalMs: 100 } });
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser(BROWSER);
  await server.signIn(browser, portal);
  const app = await bindApp(server, id);
  await server.house.database.run('UPDATE bound_factors SET bound_at = bound_at - 1000 WHERE id = $1', [app.id]);
  return { server, id, portal, browser, app };
}

/** Sends the form of the user name as the page would that was shown before the proof grew old. */
const send = async (browser: HttpBrowser, userName: string): Promise<Page> => {
  const page = await browser.get('/account/sessions');
  return browser.post(USER_NAME, { form_token: hiddenField(page), userName });
};

const userNamesOf = async ({ house }: TestServer, id: string) =>
  (await house.identifiers.list(id)).filter(({ type }) => type === 'user_name');

test.serial('D15 a form keeps what was typed while the second factor alone is asked for again', async (t) => {
  const { server, id, browser, app } = await signedIn(t);
  const before = browser.cookie('tongban')?.value;
  const asked = await send(browser, 'wang.of.the.lake');
  t.is(asked.status, 200);
  t.regex(asked.text, /data-page="account-prove-factor"/);
  t.false(asked.text.includes('name="password"'), 'the password was given a moment ago');
  t.is(hiddenField(asked, 'kept.userName'), 'wang.of.the.lake');
  t.is(hiddenField(asked, 'next'), USER_NAME);

  const wrong = await browser.submit({ code: '000000' }, BY_FACTOR);
  t.is(wrong.status, 401);
  t.is(hiddenField(wrong, 'kept.userName'), 'wang.of.the.lake', 'a wrong code loses nothing');
  t.like(await toldBy(wrong, 'sign-in.refused', server), {
    subject: id,
    client: 'account-centre',
    data: { reason: 'mismatch', factor: 'totp', step: 'second' },
  });
  t.is(browser.cookie('tongban')?.value, before);

  const proven = await browser.submit({ code: app.code() }, BY_FACTOR);
  t.regex(proven.text, /data-page="account-proven"/);
  t.not(browser.cookie('tongban')?.value, before, 'E1 the session goes on under a new id');
  t.like(await toldBy(proven, 'sign-in.renewed', server), { subject: id, data: { amr: ['otp'], device: 'known' } });
  t.is((await userNamesOf(server, id)).length, 0, 'the form goes on by the person’s own hand');
  const done = await browser.submit({}, USER_NAME);
  t.is(done.status, 303);
  t.is((await userNamesOf(server, id)).length, 1);
  t.is((await browser.get(USER_NAME)).status, 200, 'and nothing more is asked');
});

test.serial('D15 D13 both proofs are asked for one after the other, and what was typed goes along', async (t) => {
  const { server, id, browser, app } = await signedIn(t);
  turnClock(301_000);
  const asked = await send(browser, 'wang.of.the.hill');
  t.regex(asked.text, /data-page="account-prove"/);
  const half = await browser.submit({ password: PASSWORD }, '/account/prove');
  t.regex(half.text, /data-page="account-prove-factor"/);
  t.is(hiddenField(half, 'kept.userName'), 'wang.of.the.hill');
  t.false(half.text.includes(PASSWORD));
  const between = await send(browser, 'wang.of.the.hill');
  t.regex(between.text, /data-page="account-prove-factor"/, 'half a proof opens nothing');
  await browser.submit({ code: app.code() }, BY_FACTOR);
  t.is((await userNamesOf(server, id)).length, 0);
  await browser.submit({}, USER_NAME);
  t.is((await userNamesOf(server, id)).length, 1);
});

test.serial('D11 D17 another way is chosen, and a code sent, without losing what was typed', async (t) => {
  const { server, id, browser } = await signedIn(t);
  await server.house.identifiers.bind(id, identifierOf('phone', PHONE), { origin: 'test', verifiedBy: 'test' });
  await send(browser, 'wang.by.phone');
  const chosen = await browser.submit({ factor: 'sms_code', choose: 'yes' }, `${BY_FACTOR}/begin`);
  t.is(hiddenField(chosen, 'factor'), 'sms_code');
  t.false(chosen.text.includes('name="code"'), 'a look at the page sends nothing');
  const sent = await browser.submit({}, `${BY_FACTOR}/begin`);
  t.true(sent.text.includes('name="code"'));
  t.is(hiddenField(sent, 'kept.userName'), 'wang.by.phone');
  const code = await codeFor(server.issuer, PHONE);
  const elsewhere = { form_token: hiddenField(sent), factor: 'sms_code', next: USER_NAME, code };
  const other = await browser.post(BY_FACTOR, { ...elsewhere, ticket: 'A'.repeat(22) });
  t.is(other.status, 401, 'a code counts on the page it was sent for');
  await send(browser, 'wang.by.phone');
  const ticket = hiddenField(sent, 'ticket');
  const proven = await browser.post(BY_FACTOR, {
    ...elsewhere,
    ticket,
    send: 'form',
    'kept.userName': 'wang.by.phone',
  });
  t.regex(proven.text, /data-page="account-proven"/);
  await browser.submit({}, USER_NAME);
  t.is((await userNamesOf(server, id)).length, 1);
  t.like(await oneTold('sign-in.renewed', { subject: id }, server), { data: { amr: ['sms'] } });
});

test.serial('D13 E2 V53 the page of the second factor counts for its person, its browser and its turn', async (t) => {
  const { server, id, portal, browser, app } = await signedIn(t);
  const asked = await send(browser, 'wang.in.order');
  const form = {
    form_token: hiddenField(asked),
    ticket: hiddenField(asked, 'ticket'),
    next: USER_NAME,
    factor: 'totp',
  };
  const code = app.code();
  t.is((await browser.post(BY_FACTOR, { ...form, code }, { origin: 'https://evil.cn' })).status, 403);
  t.is((await server.browser().post(BY_FACTOR, { ...form, code })).status, 400, 'nobody is signed in there');
  const same = server.browser();
  await server.signIn(same, portal);
  t.is((await same.post(BY_FACTOR, { ...form, code })).status, 403, 'the form was shown to another browser');
  for (const [field, value] of [
    ['kept.', 'x'],
    ['person_id', id],
    ['ticket', 'short'],
    ['factor', 'password'],
  ] as const)
    t.is((await browser.post(BY_FACTOR, { ...form, code, [field]: value })).status, 400, field);
  t.is((await browser.post(BY_FACTOR, { ...form, factor: 'passkey', code })).status, 400, 'they have none');
  const twice = await Promise.all([0, 1].map(() => browser.post(BY_FACTOR, { ...form, next: '//evil.cn', code })));
  t.is(twice.filter(({ status }) => status === 303).length, 1, 'a code given twice at once counts once');
  t.is(twice.find(({ status }) => status === 303)?.location, `${server.issuer}/account`, 'A26');
});

test.serial(
  'F2 a code of somebody whose account was shut meanwhile proves nothing, with the session over or not yet',
  async (t) => {
    for (const isOver of [true, false]) {
      const { server, id, browser, app } = await signedIn(t);
      const asked = await send(browser, 'wang.shut.out');
      t.regex(asked.text, /data-page="account-prove-factor"/);
      if (isOver) await server.house.persons.disable(id, 'test');
      // As between the two of another node, which shuts the account and then ends its sessions.
      else await server.house.database.run("UPDATE persons SET status = 'disabled' WHERE id = $1", [id]);
      const late = await browser.submit({ code: app.code() }, BY_FACTOR);
      t.is(late.status, 400);
      t.is((await server.events('sign-in.renewed')).length, 0);
      t.is((await userNamesOf(server, id)).length, 0);
    }
  },
);
