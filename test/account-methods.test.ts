import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { LI, PASSWORD, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const PHONE = '13800001234';
const QUICK = { outbox: { pollIntervalMs: 50 } } as const;

test.afterEach.always(() => turnClock(0));

async function signedIn(t: Parameters<typeof startServer>[0], overrides: Parameters<typeof startServer>[1] = {}) {
  const server = await startServer(t, { ...QUICK, ...overrides });
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  await server.signIn(browser, portal);
  return { server, id, portal, browser };
}

/** What was sent to an address, the newest first. */
const sentTo = async ({ house }: TestServer, address: string): Promise<readonly string[]> =>
  ((await house.reaching.mailbox?.list(50)) ?? [])
    .filter((message) => message.address === address)
    .map(({ text }) => text);

/** The code in the newest message to an address, once there are `count` of them. */
async function codeAt(server: TestServer, address: string, count = 1): Promise<string> {
  const codes = async () => (await sentTo(server, address)).flatMap((text) => /\b(\d{6})\b/.exec(text)?.[1] ?? []);
  if (!(await until(async () => (await codes()).length >= count))) throw new Error('no code came');
  return (await codes())[0] ?? '';
}

async function ask(browser: HttpBrowser, type: 'phone' | 'email', address: string): Promise<Page> {
  await browser.get(`/account/methods/${type}`);
  return browser.submit({ address }, `/account/methods/${type}`);
}

async function bindPhone(server: TestServer, browser: HttpBrowser, count = 1, phone = PHONE): Promise<Page> {
  await ask(browser, 'phone', phone);
  return browser.submit({ code: await codeAt(server, `+86${phone}`, count) }, '/account/methods/phone/code');
}

const opens = async (server: TestServer, portal: TestPortal, identifier: string): Promise<boolean> =>
  server.signIn(server.browser(), portal, { identifier }).then(
    () => true,
    () => false,
  );

test.serial(
  'D12 D15 a phone is bound by the code sent to it, signs in from then on, and can be let go of',
  async (t) => {
    const { server, id, portal, browser } = await signedIn(t);
    t.false(await opens(server, portal, PHONE));
    const done = await bindPhone(server, browser);
    t.is(done.status, 303);
    await browser.follow();
    t.true(browser.page.text.includes('138****1234') && !browser.page.text.includes(PHONE));
    t.true(browser.page.text.includes('role="status"'));
    t.true(await opens(server, portal, PHONE));
    await browser.get('/account/methods');
    t.is((await browser.submit({}, '/account/methods/phone/remove')).status, 303);
    t.false(await opens(server, portal, PHONE));
    t.true(await opens(server, portal, WANG.idNumber), 'the document always opens the account');
    t.true(await until(async () => (await sentTo(server, `+86${PHONE}`)).some((text) => text.includes('登录方式'))));
    const notices = (await server.events('person.notified')).filter(({ subject }) => subject === id);
    t.is(notices.length, 2);
  },
);

test.serial('D11 a code is good for one address, one person, one browser, once and for few attempts', async (t) => {
  const { server, portal, browser } = await signedIn(t);
  await server.addPerson(LI);
  const other = server.browser();
  await server.signIn(other, portal, { identifier: LI.idNumber });
  await ask(browser, 'phone', PHONE);
  const code = await codeAt(server, `+86${PHONE}`);
  const form = { form_token: hiddenField(browser.page), address: PHONE, code };
  const elsewhere = await browser.post('/account/methods/phone/code', { ...form, address: '13900005678' });
  t.is(elsewhere.status, 400, 'not for another number');
  await other.get('/account/methods/phone');
  const stolen = await other.post('/account/methods/phone/code', { ...form, form_token: hiddenField(other.page) });
  t.is(stolen.status, 400, 'not for somebody else');
  const wrong = await browser.post('/account/methods/phone/code', { ...form, code: '000000' });
  t.regex(wrong.text, /<input id="code"[^>]*aria-invalid="true"/);
  const answers = await Promise.all([1, 2, 3].map(() => browser.post('/account/methods/phone/code', form)));
  t.deepEqual(answers.map(({ status }) => status).sort(), [303, 400, 400], 'once, also at the same time');
});

test.serial('a phone that another person proves to be theirs leaves the first, who is told', async (t) => {
  const { server, id, portal, browser } = await signedIn(t);
  await bindPhone(server, browser);
  await server.addPerson(LI);
  const other = server.browser();
  await server.signIn(other, portal, { identifier: LI.idNumber });
  t.is((await bindPhone(server, other, 2)).status, 303);
  const page = await browser.get('/account/methods');
  t.false(page.text.includes('138****1234'));
  t.deepEqual(await server.house.identifiers.list(id), []);
});

test.serial(
  'G1 a mailbox and a user name are bound, wrong ones are told at the field, a taken name is refused',
  async (t) => {
    const { server, portal, browser } = await signedIn(t);
    for (const [type, address] of [
      ['phone', '1380000'],
      ['email', 'not an address'],
    ] as const) {
      const page = await ask(browser, type, address);
      t.is(page.status, 400);
      t.regex(page.text, /<input id="address"[^>]*aria-invalid="true"/);
      t.true(page.text.includes(`value="${address}"`));
    }
    await ask(browser, 'email', 'Xiao.Wang@Example.cn');
    const code = await codeAt(server, 'xiao.wang@example.cn');
    t.is((await browser.submit({ code }, '/account/methods/email/code')).status, 303);
    t.true(await opens(server, portal, 'xiao.wang@example.cn'));

    const choose = async (userName: string) => {
      await browser.get('/account/methods/user-name');
      return browser.submit({ userName }, '/account/methods/user-name');
    };
    for (const name of ['abc', '123456', WANG.idNumber, 'admin', 'five!five']) {
      const page = await choose(name);
      t.is(page.status, 400, name);
      t.regex(page.text, /<input id="userName"[^>]*aria-invalid="true"/, name);
    }
    t.is((await choose('小明爱喝茶')).status, 303);
    t.true(await opens(server, portal, '小明爱喝茶'));
    await server.addPerson(LI);
    const other = server.browser();
    await server.signIn(other, portal, { identifier: LI.idNumber });
    await other.get('/account/methods/user-name');
    const taken = await other.submit({ userName: '小明爱喝茶' }, '/account/methods/user-name');
    t.is(taken.status, 400);
    t.true(taken.text.includes('已经有人使用'));
  },
);

test.serial('D15 D17 nothing is bound or let go of with an old proof, and codes are limited', async (t) => {
  const { server, browser } = await signedIn(t, { messages: { perNumberHour: 2 } });
  await ask(browser, 'phone', PHONE);
  await ask(browser, 'phone', PHONE);
  const limited = await ask(browser, 'phone', PHONE);
  t.is(limited.status, 429);
  t.true(limited.text.includes('role="alert"'));
  turnClock(301_000);
  for (const address of ['/account/methods/phone', '/account/methods/user-name']) {
    t.is((await browser.get(address)).location, `${server.issuer}/account/prove?next=${encodeURIComponent(address)}`);
  }
  const page = await browser.get('/account/sessions');
  const asked = await browser.post('/account/methods/user-name', {
    form_token: hiddenField(page),
    userName: '小明爱喝茶',
  });
  t.is(hiddenField(asked, 'kept.userName'), '小明爱喝茶');
  t.is((await server.events('identifier.bound')).length, 0);
  await browser.submit({ password: PASSWORD }, '/account/prove');
  t.is((await browser.submit({}, '/account/methods/user-name')).status, 303);
  t.is((await server.events('identifier.bound')).length, 1);
});
