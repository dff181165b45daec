import test from 'ava';
import { UNAVAILABLE_ID_NUMBER } from '../src/proofing/sample-population-register.ts';
import { turnClock } from '../src/shared/clock.ts';
import {
  codeFor,
  codesFor,
  enrol,
  enrolToPassword,
  freshPhone,
  givePhone,
  otherCode,
  proveIdentity,
} from './support/enrolment.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { authorizationPath, callbackOf, LI, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { allTold } from './support/told-events.ts';

const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' } as const;
const ZHAO = { idNumber: '339900199203170021', name: '赵雅琴' } as const;
const WU = { idNumber: '339900196505120042', name: '吴秀英' } as const;
const ZHENG = { idNumber: '339900200408150054', name: '郑浩然' } as const;
const ZHOU = { idNumber: '339900197809230034', name: '周建国' } as const;
const SUN = { idNumber: '339900199906300064', name: '孙丽' } as const;
const NEW_PASSWORD = 'seven blue kites over the lake';

let server: TestServer;

test.before(async () => {
  server = await startServer(undefined, { limits: { registrationsPerAddress: 10_000 } });
  await server.addPerson(WANG);
});
test.after.always(() => server.stop());
test.afterEach.always(() => turnClock(0));

const pathOf = ({ location, url }: Page): string => new URL(location ?? url).pathname;
const passwords = (password: string, passwordAgain = password) => ({ password, passwordAgain });

/** Where the page's own switch of language or type size leads. */
function displayLink(page: Page, choice: 'lang' | 'text'): string {
  const links = [...page.text.matchAll(/href="(\/register[^"]*\?[^"]*)"/g)].map(([, link = '']) =>
    link.replaceAll('&amp;', '&'),
  );
  const found = links.find((link) => new URL(link, page.url).searchParams.has(choice));
  if (found === undefined) throw new Error(`no switch of ${choice} on ${page.url}`);
  return found;
}

/** A page without what differs from one showing to the next. */
const bare = (page: Page): string =>
  page.text.replace(/name="(form_token|draft)" value="[^"]*"/g, '').replace(/ value="[^"]*"/g, '');

const reasons = async (at: TestServer): Promise<readonly unknown[]> =>
  (await allTold(at, 'registration.refused')).map(({ data }) => (data as { reason: string }).reason);

test('S4 who matches the register and answers their phone opens an account, and signs in with it', async (t) => {
  const browser = server.browser();
  const phone = freshPhone();
  const page = await enrol(browser, LI, NEW_PASSWORD, { phone });
  t.is(page.status, 201);
  t.false(page.text.includes(LI.idNumber), 'F6');
  const portal = await server.addPortal();
  const there = await server.signIn(server.browser(), portal, { identifier: LI.idNumber, password: NEW_PASSWORD });
  t.truthy(there.searchParams.get('code'));
  const person = await server.house.persons.findByIdNumber(LI.idNumber as never);
  t.is((await server.house.persons.profile(person!.id))?.phone, `+86${phone}`);
  t.is(person?.ial, 2);
});

test('each step is a page of its own, and a browser goes on where it stood', async (t) => {
  const browser = server.browser();
  const phone = freshPhone();
  t.is(pathOf(await proveIdentity(browser, SUN)), '/register/phone');
  const resume = await browser.get('/register');
  t.true(resume.text.includes('*丽') && !resume.text.includes(SUN.idNumber), 'masked on a shared computer (F6)');
  await browser.submit({ decision: 'continue' }, '/register/resume');
  t.is(pathOf(browser.page), '/register/phone');
  await browser.follow();
  const code = await givePhone(browser, phone);
  t.true(browser.page.text.includes(`+86${phone}`));
  await browser.get('/register');
  await browser.submit({ decision: 'continue' }, '/register/resume');
  await browser.follow();
  t.is((await browser.submit({ code }, '/register/code')).status, 303);
  t.is(pathOf(browser.page), '/register/password');
  await browser.get('/register/code');
  t.is(pathOf(browser.page), '/register/password', 'nobody is asked twice');
  await browser.follow();
  t.is((await browser.submit(passwords(NEW_PASSWORD), '/register/password')).status, 201);
});

test('who is asked whether to go on can start over', async (t) => {
  const browser = server.browser();
  await proveIdentity(browser, ZHAO);
  await browser.get('/register');
  await browser.submit({ decision: 'over' }, '/register/resume');
  t.is(pathOf(browser.page), '/register');
  await browser.follow();
  t.true(browser.page.text.includes('name="idNumber"'));
  t.is((await browser.get('/register/phone')).status, 410);
});

test('going back a step works: another number gets another code, another name is matched again', async (t) => {
  const browser = server.browser();
  const [first, second] = [freshPhone(), freshPhone()];
  await proveIdentity(browser, ZHAO);
  const old = await givePhone(browser, first);
  await browser.get('/register/phone');
  const code = await givePhone(browser, second);
  if (old !== code) {
    const refused = await browser.submit({ code: old }, '/register/code');
    t.is(refused.status, 400, 'the code of the first number is none of the second');
  }
  t.is((await browser.submit({ code }, '/register/code')).status, 303);
  await browser.get('/register/phone');
  t.true(browser.page.text.includes(second), 'also from the last step');
  await browser.get('/register?edit=1');
  await browser.submit({ name: '赵雅', idNumber: ZHAO.idNumber }, '/register');
  t.is(browser.page.status, 400);
  await browser.submit(ZHENG, '/register');
  await browser.follow();
  t.is(pathOf(browser.page), '/register/phone');
  await browser.get('/register/password');
  t.is(pathOf(browser.page), '/register/phone', 'what was proven of the one is not proven of the other');
});

test('who registers in the middle of a sign-in goes back to it, and ends at the portal', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  const waiting = new URL(browser.page.url).pathname;
  const [, link = ''] = /href="(\/register\?[^"]+)"/.exec(browser.page.text) ?? [];
  await browser.get(link);
  t.is((await browser.submit({ name: 'wrong', idNumber: ZHOU.idNumber }, '/register')).status, 400);
  t.true(browser.page.text.includes(`href="${waiting}"`), 'the way back stands on the form as well');
  const done = await enrol(browser, ZHOU, PASSWORD, { path: displayLink(browser.page, 'lang') });
  t.is(done.status, 201);
  t.true(done.text.includes(`href="${waiting}"`));
  await browser.get(waiting);
  await browser.submit({ identifier: ZHOU.idNumber, password: PASSWORD }, '/identify');
  await browser.follow((url) => url.origin !== server.issuer);
  await browser.submit({ decision: 'allow' }, '/consent');
  await browser.follow((url) => url.origin !== server.issuer);
  t.truthy(callbackOf(browser.page).searchParams.get('code'));
});

for (const [choice, chosen, before, person] of [
  ['lang', 'lang="en"', 'lang="zh-CN"', WU],
  ['text', 'data-text="large"', 'data-text="normal"', ZHENG],
] as const) {
  test(`a change of ${choice} at any step keeps the sign-in that waits`, async (t) => {
    const browser = server.browser();
    await browser.get(authorizationPath(await server.addPortal()));
    await browser.follow();
    const waiting = new URL(browser.page.url).pathname;
    const [, link = ''] = /href="(\/register\?[^"]+)"/.exec(browser.page.text) ?? [];
    const change = async (expected: string) => {
      const page = await browser.get(displayLink(browser.page, choice));
      t.is(page.status, 200);
      t.regex(page.text, new RegExp(`<html[^>]* ${expected}`));
    };
    const both = async () => {
      await change(chosen);
      await change(before);
    };
    await browser.get(link);
    await both();
    await browser.submit({ idNumber: person.idNumber, name: 'wrong' }, '/register');
    await both();
    await browser.submit(person, '/register');
    await browser.follow();
    await browser.submit({ phone: 'no number' }, '/register/phone');
    await both();
    const code = await givePhone(browser, freshPhone());
    await browser.submit({ code: otherCode(code) }, '/register/code');
    await both();
    await browser.submit({ code }, '/register/code');
    await browser.follow();
    await browser.submit(passwords('short'), '/register/password');
    await both();
    const done = await browser.submit(passwords(PASSWORD), '/register/password');
    t.is(done.status, 201);
    t.true(done.text.includes(`href="${waiting}"`));
    const after = await browser.get(displayLink(browser.page, choice));
    t.true(after.text.includes(`href="${waiting}"`));
  });
}

test('a change of language on a form that nobody waits for invents no way back', async (t) => {
  const browser = server.browser();
  await browser.get('/register');
  t.is((await browser.submit({ name: ' ' }, '/register')).status, 400);
  t.is(displayLink(browser.page, 'lang'), '/register?lang=en');
  const page = await browser.get('/register?lang=en');
  t.true(page.text.includes('href="/account"'));
  t.false(page.text.includes('name="continue"'));
});

test('A26 registering goes on nowhere but at a sign-in of ours', async (t) => {
  const uid = 'u'.repeat(43);
  const browser = server.browser();
  for (const target of [
    'https://evil.cn',
    '//evil.cn',
    '/account',
    `../${uid}`,
    `${uid}/..`,
    `${uid}\n`,
    `${uid}u`,
    `%2e%2e${uid}`,
    '',
  ]) {
    const page = await browser.get(`/register?${new URLSearchParams({ continue: target })}`);
    t.is(page.status, 200, target);
    t.true(page.text.includes('href="/account"'), target);
    t.false(page.text.includes('name="continue"'), target);
    t.is((await browser.submit({ ...ZHAO, continue: target }, '/register')).status, 400, target);
  }
  const twice = await browser.get(`/register?continue=${uid}&continue=${uid}`);
  t.true(twice.text.includes('href="/account"'));
});

test('D9 V13 V36 until name, number and phone are proven, a number that has an account is answered like one that has none', async (t) => {
  const [known, unknown] = [server.browser(), server.browser()];
  const both = async (step: (browser: HttpBrowser) => Promise<Page>): Promise<readonly [Page, Page]> => [
    await step(known),
    await step(unknown),
  ];
  const people = new Map<HttpBrowser, { readonly [field: string]: string; readonly idNumber: string }>([
    [known, WANG],
    [unknown, CHEN],
  ]);
  const same = ([left, right]: readonly [Page, Page], what: string): void => {
    t.is(left.status, right.status, what);
    t.is(left.location, right.location, what);
    t.is(bare(left).replaceAll(/192\d{8}/g, ''), bare(right).replaceAll(/192\d{8}/g, ''), what);
    t.deepEqual(Object.keys(left.headers).sort(), Object.keys(right.headers).sort(), what);
  };
  await both((browser) => browser.get('/register'));
  same(
    await both((browser) => browser.submit({ name: '没有人', idNumber: people.get(browser)!.idNumber }, '/register')),
    'mismatch',
  );
  same(await both((browser) => browser.submit(people.get(browser)!, '/register')), 'match');
  same(await both((browser) => browser.follow()), 'the form for the phone');
  const codes = [await givePhone(known, freshPhone()), await givePhone(unknown, freshPhone())] as const;
  same([known.page, unknown.page], 'the form for the code');
  same(await both((browser) => browser.submit({ code: 'abc' }, '/register/code')), 'a wrong code');
  await known.submit({ code: codes[0] }, '/register/code');
  await unknown.submit({ code: codes[1] }, '/register/code');
  t.deepEqual([pathOf(known.page), pathOf(unknown.page)], ['/register/exists', '/register/password']);
  await known.follow();
  t.true(known.page.text.includes('href="/recover"'));
  t.is(pathOf(await known.get('/register/password')), '/register/exists', 'and no way past it');
  const callback = await server.signIn(server.browser(), await server.addPortal());
  t.truthy(callback.searchParams.get('code'), 'the password of the person who was there first still holds');
});

test('X12 a register that does not answer is no mismatch, and what was typed is kept', async (t) => {
  const browser = server.browser();
  await browser.get('/register');
  const page = await browser.submit({ name: CHEN.name, idNumber: UNAVAILABLE_ID_NUMBER }, '/register');
  t.is(page.status, 503);
  t.false(page.text.includes('role="alert"'), 'nobody did anything wrong');
  t.is((await browser.submit({}, '/register/resume')).status, 503, 'asked again with one button');
  await browser.get('/register');
  t.true(browser.page.text.includes('*雨桐'), 'also later');
  await browser.submit({ decision: 'continue' }, '/register/resume');
  t.is(browser.page.status, 503);
  const other = server.browser();
  await other.get('/register');
  const mismatch = await other.submit({ name: CHEN.name, idNumber: ZHAO.idNumber }, '/register');
  t.is(mismatch.status, 400);
  t.not(bare(page), bare(mismatch));
});

test('D3 S1 a weak password, two different ones, a wrong number or no name are told at their field', async (t) => {
  const browser = server.browser();
  const phone = freshPhone();
  const refused = (page: Page, field: string, what: string): void => {
    t.is(page.status, 400, what);
    t.true(page.text.includes(`id="${field}-problem"`), `${what} ${field}`);
    t.false(page.text.includes('something else'), 'no password comes back');
  };
  await browser.get('/register');
  for (const [fields, field] of [
    [{ idNumber: '449900200002290029' }, 'idNumber'],
    [{ idNumber: '' }, 'idNumber'],
    [{ name: ' ' }, 'name'],
  ] as const)
    refused(await browser.submit({ ...CHEN, ...fields }, '/register'), field, JSON.stringify(fields));
  await proveIdentity(browser, CHEN);
  for (const bad of ['', '1234', '12345678901', '+12', 'one three nine'])
    refused(await browser.submit({ phone: bad }, '/register/phone'), 'phone', bad);
  const code = await givePhone(browser, phone);
  refused(await browser.submit({ code: otherCode(code) }, '/register/code'), 'code', 'wrong code');
  await browser.submit({ code }, '/register/code');
  await browser.follow();
  for (const [fields, field] of [
    [passwords('short'), 'password'],
    [passwords('12345678'), 'password'],
    [passwords(CHEN.idNumber), 'password'],
    [passwords(`my phone ${phone}`), 'password'],
    [passwords('a'.repeat(257)), 'password'],
    [passwords(NEW_PASSWORD, 'something else'), 'passwordAgain'],
  ] as const)
    refused(await browser.submit(fields, '/register/password'), field, JSON.stringify(fields));
});

test('E2 V3 a form from another site, without a token or with somebody else’s changes nothing', async (t) => {
  const browser = server.browser();
  await proveIdentity(browser, ZHAO);
  const token = hiddenField(browser.page);
  const fields = { form_token: token, draft: hiddenField(browser.page, 'draft'), phone: freshPhone() };
  t.is((await browser.post('/register/phone', fields, { origin: 'https://evil.cn' })).status, 403);
  t.is((await browser.post('/register/phone', fields, { 'sec-fetch-site': 'cross-site' })).status, 403);
  t.is((await browser.post('/register/phone', { ...fields, form_token: '' })).status, 403);
  const theirs = server.browser();
  await theirs.get('/register');
  t.is((await theirs.post('/register/phone', fields)).status, 403);
  t.is((await browser.post('/register/phone', fields)).status, 303);
});

test('V3 every step out of order or sent twice is refused kindly and on record', async (t) => {
  const own = await startServer(t, { limits: { registrationsPerAddress: 1000 } });
  const browser = own.browser();
  const phone = freshPhone();
  await proveIdentity(browser, CHEN);
  const sent = () => ({ form_token: hiddenField(browser.page), draft: hiddenField(browser.page, 'draft') });
  const first = sent();
  for (const [path, fields] of [
    ['/register/code', { code: '000000' }],
    ['/register/code/again', {}],
    ['/register/password', passwords(NEW_PASSWORD)],
  ] as const) {
    const page = await browser.post(path, { ...first, ...fields });
    t.is(page.status, 409, path);
    t.true(page.text.includes('href="/register/phone"'), `${path} names the way`);
    t.is(pathOf(await browser.get(path.replace('/again', ''))), '/register/phone', 'looking ahead leads back');
  }
  await browser.get('/register/phone');
  const code = await givePhone(browser, phone);
  t.is((await browser.post('/register/phone', { ...first, phone })).status, 409, 'the form of the step before, again');
  await browser.get('/register/code');
  const second = sent();
  t.is((await browser.post('/register/code', { ...second, code })).status, 303);
  t.is((await browser.post('/register/code', { ...second, code })).status, 409);
  await browser.get('/register/password');
  const third = { ...sent(), ...passwords(NEW_PASSWORD) };
  t.is((await browser.post('/register/password', third)).status, 201);
  const again = await browser.post('/register/password', third);
  t.is(again.status, 410);
  t.true(again.text.includes('href="/register"'));
  t.deepEqual(await reasons(own), [...Array(5).fill('out_of_order'), 'no_draft']);
  const steps = (await allTold(own, 'enrolment.advanced')).map(({ data }) => (data as { step: string }).step);
  t.deepEqual(steps, ['phone', 'code', 'password']);
});

test('D11 V53 a step in another browser finds nothing, even with the cookie of the draft', async (t) => {
  const [mine, theirs] = [server.browser(), server.browser()];
  await proveIdentity(mine, ZHAO);
  await theirs.get('/register');
  const token = hiddenField(theirs.page);
  const name = mine.cookies().find(({ name }) => name.endsWith('enrolment'))!;
  theirs.setCookie('/', `${name.name}=${name.value}; Path=/`);
  t.is((await theirs.get('/register/phone')).status, 410);
  const page = await theirs.post('/register/phone', { form_token: token, draft: '1', phone: freshPhone() });
  t.is(page.status, 410);
  t.is((await mine.get('/register/phone')).status, 200);
});

test.serial('an abandoned registration is forgotten, in the store as well', async (t) => {
  const own = await startServer(t, { registration: { draftSeconds: 300 } });
  const browser = own.browser();
  const uid = 'w'.repeat(43);
  await enrolToPassword(browser, CHEN, freshPhone(), `/register?continue=${uid}`);
  const form = {
    form_token: hiddenField(browser.page),
    draft: hiddenField(browser.page, 'draft'),
    continue: hiddenField(browser.page, 'continue'),
    ...passwords(NEW_PASSWORD),
  };
  turnClock(301_000);
  const page = await browser.post('/register/password', form);
  t.is(page.status, 410);
  t.true(page.text.includes(`href="/register?continue=${uid}"`), 'the waiting sign-in is not lost');
  const { database, reaching } = own.house;
  t.is((await database.all('SELECT id FROM enrolment_drafts', [])).length, 1);
  t.is(await reaching.drafts.sweep(10), 1);
  t.is((await database.all('SELECT id FROM enrolment_drafts', [])).length, 0);
});

test('F6 a draft holds nothing in the clear', async (t) => {
  const own = await startServer(t);
  const phone = freshPhone();
  await enrolToPassword(own.browser(), CHEN, phone);
  const rows = await own.house.database.all<{ sealed: Uint8Array }>('SELECT * FROM enrolment_drafts', []);
  const text = rows.map((row) => JSON.stringify(row) + Buffer.from(row.sealed).toString('latin1')).join();
  for (const secret of [CHEN.idNumber, CHEN.name, phone]) t.false(text.includes(secret), secret);
});

test('F5 G5 fields nobody asked for, or sent twice, are refused', async (t) => {
  const browser = server.browser();
  await browser.get('/register');
  for (const name of ['ial', 'status', 'constructor', 'toString', 'phone', ''])
    t.is(
      (
        await browser
          .submit({ ...ZHAO, [name]: '4' }, '/register')
          .then((page) => browser.get('/register').then(() => page))
      ).status,
      400,
      name,
    );
  await proveIdentity(browser, ZHAO);
  for (const name of ['ial', 'idNumber', 'step', 'password'])
    t.is(
      (
        await browser
          .submit({ phone: freshPhone(), [name]: '4' }, '/register/phone')
          .then((page) => browser.get('/register/phone').then(() => page))
      ).status,
      400,
      name,
    );
});

test('E7 what was typed comes back as text', async (t) => {
  const browser = server.browser();
  await browser.get('/register');
  const page = await browser.submit({ name: '"><script>alert(1)</script>', idNumber: '"><b>' }, '/register');
  t.is(page.status, 400);
  t.false(page.text.includes('<script>alert'));
  t.false(page.text.includes('"><b>'));
});

test('X6 one address asks the register only so often, whatever becomes of it', async (t) => {
  const strict = await startServer(t, { limits: { registrationsPerAddress: 2 } });
  const attempt = async () => {
    const browser = strict.browser();
    await browser.get('/register');
    return browser.submit({ name: CHEN.name, idNumber: ZHAO.idNumber }, '/register');
  };
  t.deepEqual([(await attempt()).status, (await attempt()).status], [400, 400]);
  const refused = await attempt();
  t.is(refused.status, 429);
  t.regex(String(refused.headers['retry-after']), /^\d+$/);
});

test('D17 one number is sent only so many codes, and the person is told so', async (t) => {
  const strict = await startServer(t, { messages: { perNumberHour: 2 } });
  const phone = freshPhone();
  const ask = async () => {
    const browser = strict.browser();
    await proveIdentity(browser, CHEN);
    return browser.submit({ phone }, '/register/phone');
  };
  t.deepEqual([(await ask()).status, (await ask()).status], [303, 303]);
  const refused = await ask();
  t.is(refused.status, 429);
  t.true(refused.text.includes('role="alert"'));
  t.true((await reasons(strict)).includes('message_quota_number'));
});

test.serial('D11 after five wrong codes the right one comes too late, and another can be asked for', async (t) => {
  const own = await startServer(t, { limits: { registrationsPerAddress: 1000 } });
  const browser = own.browser();
  const phone = freshPhone();
  await proveIdentity(browser, CHEN);
  const code = await givePhone(browser, phone);
  const form = { form_token: hiddenField(browser.page), draft: hiddenField(browser.page, 'draft') };
  const pages = await Promise.all(
    Array.from({ length: 40 }, () => own.browser()).map(async (clone) => {
      for (const { name, value } of browser.cookies()) clone.setCookie('/', `${name}=${value}; Path=/`);
      return clone.post('/register/code', { ...form, code: otherCode(code) });
    }),
  );
  t.true(pages.every(({ status }) => status === 400));
  t.is((await reasons(own)).length > 0, true);
  const late = await browser.post('/register/code', { ...form, code });
  t.is(late.status, 400);
  turnClock(2000);
  await browser.get('/register/code');
  await browser.submit({}, '/register/code/again');
  t.is(pathOf(browser.page), '/register/code');
  await browser.follow();
  const fresh = await codeFor(own.issuer, phone, [code]);
  t.is((await browser.submit({ code: fresh }, '/register/code')).status, 303);
  t.is((await codesFor(own.issuer, phone)).length, 2);
});

test('G1 one person opens one account, also with twelve registrations that end at once', async (t) => {
  const own = await startServer(t, { limits: { registrationsPerAddress: 1000 } });
  const browsers = Array.from({ length: 12 }, () => own.browser());
  for (const browser of browsers) await enrolToPassword(browser, CHEN);
  const pages = await Promise.all(
    browsers.map((browser) => browser.submit(passwords(NEW_PASSWORD), '/register/password')),
  );
  t.is(pages.filter(({ status }) => status === 201).length, 1);
  t.true(pages.every(({ status }) => status === 201 || status === 303 || status === 503));
  t.is((await own.events('person.added')).length, 1);
  const loser = browsers[pages.findIndex(({ status }) => status === 303)]!;
  t.is(pathOf(loser.page), '/register/exists');
});

test('V36 where registration is off there is no page and no way around it', async (t) => {
  const closed = await startServer(t, { registration: { enabled: false } });
  for (const path of ['/register', '/register/phone', '/register/code', '/register/password']) {
    t.is((await closed.browser().get(path)).status, 404, path);
    const page = await closed.browser().post(path, { name: CHEN.name, idNumber: CHEN.idNumber });
    t.true(page.status === 404 || page.status === 405, path);
  }
});
