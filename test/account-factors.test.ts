import test, { type ExecutionContext } from 'ava';
import type { ConfigOverrides } from '../src/config/schema.ts';
import { type TokenSeed, tokenCode } from '../src/factors/token-codes.ts';
import { nowSeconds, turnClock } from '../src/shared/clock.ts';
import { authenticatorCode } from './support/authenticator.ts';
import { otherCode } from './support/enrolment.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { identifierOf } from './support/people.ts';
import { LI, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { allTold, BAD, BROWSER, GOOD, HERE, oneTold, toldBy } from './support/told-events.ts';
import { signedToTheEnd, trailOf } from './support/trail.ts';
import { until } from './support/waiting.ts';

const METHODS = '/account/methods';
const SEED: TokenSeed = { algorithm: 'gmt0021', key: 'b2'.repeat(16), periodSeconds: 60, digits: 6 };

test.afterEach.always(() => turnClock(0));

async function signedIn(t: ExecutionContext, overrides: ConfigOverrides = {}) {
  const server = await startServer(t, { ledger: { checkpointIntervalMs: 100 }, ...overrides });
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser(BROWSER);
  await server.signIn(browser, portal);
  return { server, id, portal, browser };
}

/** What the page says an app should be told. */
const secretOn = (page: Page): string =>
  (/typed-secret"[^>]*><bdi>([A-Z2-7 ]{39})</.exec(page.text)?.[1] ?? '').replaceAll(' ', '');

/** Binds an app; resolves with its secret. */
async function addApp(browser: HttpBrowser, label = '我的手机'): Promise<string> {
  const secret = secretOn(await browser.get(`${METHODS}/authenticator`));
  const page = await browser.submit({ code: authenticatorCode(secret), label }, `${METHODS}/authenticator`);
  if (page.status !== 303) throw new Error(`not bound: ${page.status}`);
  return secret;
}

const manageUrl = (page: Page): string => /href="(\/account\/methods\/factor\?id=[^"]+)"/.exec(page.text)?.[1] ?? '';
const labelsIn = async ({ house }: TestServer, id: string): Promise<readonly string[]> =>
  (await house.boundFactors.list(id)).map(({ label }) => label);

test.serial('D10 D12 V60 an app is bound by picture or by hand, told of everywhere, renamed and removed', async (t) => {
  const { server, id, browser } = await signedIn(t);
  const phone = '+8613800000011';
  await server.house.identifiers.bind(id, identifierOf('phone', phone), { origin: 'test', verifiedBy: 'test' });
  const offered = await browser.get(METHODS);
  t.true(offered.text.includes(`href="${METHODS}/authenticator"`));
  t.false(offered.text.includes(`href="${METHODS}/token"`), 'there are no tokens in stock');
  const shown = await browser.get(`${METHODS}/authenticator`);
  const secret = secretOn(shown);
  t.is(secret.length, 32, '160 bits in base32');
  t.is(shown.headers['cache-control'], 'no-store');
  t.is(secretOn(await browser.get(`${METHODS}/authenticator`)), secret, 'a page that is loaded again shows the same');

  const wrong = await browser.submit(
    { code: otherCode(authenticatorCode(secret)), label: '我的手机' },
    `${METHODS}/authenticator`,
  );
  t.is(wrong.status, 400);
  t.regex(wrong.text, /<input id="code"[^>]*aria-invalid="true"/);
  t.is(secretOn(wrong), secret, 'and another try is for the same app');
  t.like(await toldBy(wrong, 'factor.refused', server), {
    ...HERE,
    ...BAD,
    subject: id,
    data: { origin: 'account', kind: 'totp', reason: 'mismatch' },
  });

  const bound = await browser.submit(
    { code: ` ${authenticatorCode(secret)} `, label: '我的\u202e手机' },
    `${METHODS}/authenticator`,
  );
  t.is(bound.status, 303);
  t.like(await toldBy(bound, 'factor.bound', server), {
    ...HERE,
    ...GOOD,
    subject: id,
    data: { origin: 'account', kind: 'totp' },
  });
  const list = await browser.follow();
  t.true(list.text.includes('role="status"') && list.text.includes('我的 手机'));
  t.true(list.text.includes('/account/recovery-codes'));
  t.true(
    await until(async () => (await messagesTo(server, phone)).some((text) => text.includes('添加了一种验证方式'))),
  );

  const page = await browser.get(manageUrl(list));
  t.true(page.text.includes('唯一的第二验证方式'), 'whoever removes the last is warned');
  t.is((await browser.submit({ label: ' \u200b ' }, `${METHODS}/factor/rename`)).status, 400);
  const renamed = await browser.submit({ label: '旧手机' }, `${METHODS}/factor/rename`);
  t.is(renamed.status, 303);
  t.deepEqual(await labelsIn(server, id), ['旧手机']);
  await browser.follow();
  await browser.get(manageUrl(browser.page));
  const removed = await browser.submit({}, `${METHODS}/factor/remove`);
  t.like(await toldBy(removed, 'factor.removed', server), { subject: id, data: { kind: 'totp', cause: 'own' } });
  t.deepEqual(await labelsIn(server, id), []);
  t.true(
    await until(async () => (await messagesTo(server, phone)).some((text) => text.includes('移除了一种验证方式'))),
  );
  const notices = (await allTold(server, 'person.notified')).map(({ data }) => (data as { notice: string }).notice);
  t.deepEqual(notices, ['factor-added', 'sign-in-changed', 'factor-removed']);
  await signedToTheEnd(server);
  const trail = (await browser.get('/account/trail')).text;
  for (const line of ['添加了验证方式', '更改了验证方式的名称', '移除了验证方式', '动态验证码应用'])
    t.true(trail.includes(line), line);
  t.true(trailOf(trail).length > 0);
});

async function messagesTo({ issuer }: TestServer, phone: string): Promise<readonly string[]> {
  const text = await (await fetch(new URL('/mailbox', issuer), { headers: { accept: 'text/html' } })).text();
  return [...text.matchAll(/mailbox-to">([^<]*)<\/bdi>[\s\S]*?mailbox-text"><bdi>([^<]*)</g)]
    .filter(([, to = '']) => to.endsWith(phone.slice(-11)))
    .map(([, , words = '']) => words);
}

test.serial(
  'V12 V53 what one browser was shown binds nothing in another, for nobody else, and not twice',
  async (t) => {
    const { server, id, portal, browser } = await signedIn(t);
    const li = await server.addPerson(LI);
    const secret = secretOn(await browser.get(`${METHODS}/authenticator`));
    const form = { code: authenticatorCode(secret), label: '手机' };
    const [same, other] = [server.browser(), server.browser()];
    await server.signIn(same, portal);
    await server.signIn(other, portal, { identifier: LI.idNumber });
    for (const foreign of [same, other]) {
      const fresh = secretOn(await foreign.get(`${METHODS}/authenticator`));
      t.not(fresh, secret);
      t.is((await foreign.submit(form, `${METHODS}/authenticator`)).status, 400);
    }
    t.deepEqual([await labelsIn(server, id), await labelsIn(server, li)], [[], []]);
    const token = hiddenField(browser.page);
    const post = () => browser.post(`${METHODS}/authenticator`, { form_token: token, ...form });
    t.deepEqual((await Promise.all([post(), post()])).map(({ status }) => status).sort(), [303, 400]);
    t.is(
      (await browser.post(`${METHODS}/authenticator`, { form_token: token, ...form }, { origin: 'https://evil.cn' }))
        .status,
      403,
    );
    t.is((await labelsIn(server, id)).length, 1);
  },
);

test.serial('D13 D15 V48 nothing is bound or removed with an old proof, nor anything of somebody else’s', async (t) => {
  const { server, id, portal, browser } = await signedIn(t);
  const secret = await addApp(browser);
  const [mine] = await server.house.boundFactors.list(id);
  await server.addPerson(LI);
  const other = server.browser();
  await server.signIn(other, portal, { identifier: LI.idNumber });
  await other.get(METHODS);
  t.is((await other.get(`${METHODS}/factor?id=${mine?.id}`)).status, 303, 'as if it did not exist');
  const token = hiddenField(await other.get('/account/sessions'));
  for (const act of ['rename', 'remove']) {
    await other.post(`${METHODS}/factor/${act}`, {
      form_token: token,
      id: mine!.id,
      ...(act === 'rename' ? { label: '我的' } : {}),
    });
  }
  t.deepEqual(await labelsIn(server, id), ['我的手机']);

  turnClock(301_000);
  for (const address of [`${METHODS}/authenticator`, `${METHODS}/factor?id=${mine?.id}`]) {
    const asked = await browser.get(address);
    t.is(asked.location, `${server.issuer}/account/prove?next=${encodeURIComponent(address)}`);
  }
  const page = await browser.get('/account/sessions');
  const waiting = await browser.post(`${METHODS}/factor/remove`, { form_token: hiddenField(page), id: mine!.id });
  t.true(waiting.text.includes('name="password"'));
  t.is((await labelsIn(server, id)).length, 1);
  const half = await browser.submit({ password: PASSWORD }, '/account/prove');
  t.true(half.text.includes('action="/account/prove/factor"'), 'the password alone takes no second factor away');
  t.is((await labelsIn(server, id)).length, 1);
  await browser.submit({ code: authenticatorCode(secret) }, '/account/prove/factor');
  t.is((await labelsIn(server, id)).length, 1);
  t.is((await browser.submit({}, `${METHODS}/factor/remove`)).status, 303, 'and the form goes on from where it was');
  t.deepEqual(await labelsIn(server, id), []);
});

test.serial('who wants to be always asked keeps the last factor until they do not', async (t) => {
  const { server, id, browser } = await signedIn(t);
  await addApp(browser);
  const always = async (value: 'yes' | 'no') => {
    await browser.get(METHODS);
    t.is(hiddenField(browser.page, 'always'), value, 'the button says the other of the two');
    return browser.submit({}, `${METHODS}/always`);
  };
  const on = await always('yes');
  t.like(await toldBy(on, 'factor.policy-changed', server), {
    ...HERE,
    subject: id,
    data: { origin: 'account', alwaysAsk: 'yes' },
  });
  t.true((await browser.follow()).text.includes('已开启'));
  await browser.get(manageUrl(browser.page));
  const refused = await browser.submit({}, `${METHODS}/factor/remove`);
  t.is(refused.status, 409);
  t.like(await toldBy(refused, 'factor.refused', server), { subject: id, data: { kind: 'totp', reason: 'needed' } });
  t.is((await labelsIn(server, id)).length, 1);
  await always('no');
  await browser.follow();
  await browser.get(manageUrl(browser.page));
  t.is((await browser.submit({}, `${METHODS}/factor/remove`)).status, 303);
  t.deepEqual(await labelsIn(server, id), []);
});

test.serial('a hardware token is bound by its serial and two codes, in the same words whatever is wrong', async (t) => {
  const { server, id, browser } = await signedIn(t);
  await server.house.tokenStock.take([{ serial: 'HW70001', seed: SEED }], 'test');
  const shown = (steps: number): string => tokenCode(SEED, Math.floor(nowSeconds() / 60) + steps);
  t.true((await browser.get(METHODS)).text.includes(`href="${METHODS}/token"`));
  const add = async (fields: object) => {
    await browser.get(`${METHODS}/token`);
    return browser.submit({ serial: 'hw-70001', first: shown(-1), second: shown(0), ...fields }, `${METHODS}/token`);
  };
  const bare = (page: Page): string => page.text.replace(/ value="[^"]*"/g, '');
  const [unknown, wrong] = [await add({ serial: 'HW70002' }), await add({ second: otherCode(shown(0)) })];
  t.is(unknown.status, 400);
  t.is(bare(wrong), bare(unknown));
  const bound = await add({});
  t.is(bound.status, 303);
  t.like(await oneTold('factor.bound', { subject: id }, server), { data: { kind: 'otp_token' } });
  t.true((await browser.follow()).text.includes('HW70001'));
  t.deepEqual(await labelsIn(server, id), ['HW70001']);
  const statuses: number[] = [];
  for (let guess = 0; guess < 6; guess += 1) statuses.push((await add({ serial: 'HW70003' })).status);
  t.deepEqual(statuses, [400, 400, 400, 400, 400, 429]);
});

test.serial('D12 an account that a second factor guards is not opened by a new password alone', async (t) => {
  const { server, browser } = await signedIn(t);
  await addApp(browser);
  await browser.get('/account/recovery-codes');
  const page = await browser.submit({}, '/account/recovery-codes');
  const [, code = ''] = /<li>([0-9A-Z-]{19})<\/li>/.exec(page.text) ?? [];
  const lost = server.browser();
  await lost.get('/recover/with-code');
  await lost.submit({ identifier: WANG.idNumber, recoveryCode: code }, '/recover/with-code');
  t.is(lost.page.status, 400);
  const reasons = (await allTold(server, 'recovery.refused')).map(({ data }) => (data as { reason: string }).reason);
  t.deepEqual(reasons, ['second_factor']);
});
