import test from 'ava';
import type { ConfigOverrides } from '../src/config/schema.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { captchaIn, puzzleIn, readCaptcha, solve } from './support/passage.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { until } from './support/waiting.ts';

/** After the second failure from one address strangers have to work. */
const WARY: ConfigOverrides = {
  defence: { proofAfterAddress: 2 },
  limits: { failuresPerAccount: 20, addressWindowSeconds: 3600 },
};

test.afterEach.always(() => turnClock(0));

async function open(server: TestServer, portal: TestPortal): Promise<HttpBrowser> {
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  return browser;
}

const enter = (browser: HttpBrowser, fields: Record<string, string> = {}) =>
  browser.submit({ identifier: WANG.idNumber, password: PASSWORD, ...fields }, '/identify');

async function wary(t: Parameters<typeof startServer>[0], overrides: ConfigOverrides = WARY) {
  const server = await startServer(t, overrides);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const quiet = await open(server, portal);
  t?.is(puzzleIn(quiet.page.text), undefined, 'nobody sees it on a quiet day');
  for (let n = 0; n < 2; n += 1) await enter(await open(server, portal), { password: 'wrong' });
  return { server, portal };
}

test.serial(
  'P7 X6 under suspicion no password of a stranger is looked at without the work, and its owner loses no guess',
  async (t) => {
    const { server, portal } = await wary(t, { ...WARY, limits: { failuresPerAccount: 3 } });
    const before = server.house.passwords.load().started;
    for (let n = 0; n < 10; n += 1) {
      const page = await enter(await open(server, portal), { password: 'wrong', proof: '' });
      t.is(page.status, 429);
      t.regex(String(page.headers['retry-after']), /^\d+$/);
    }
    t.is(server.house.passwords.load().started, before, 'no hash');
    const browser = await open(server, portal);
    const puzzle = puzzleIn(browser.page.text);
    if (puzzle === undefined) throw new Error('the page asks for nothing');
    const page = await enter(browser, { proof: solve(puzzle) });
    t.is(page.status, 303, 'D8 ten strangers without it have used up nothing');
  },
);

test.serial('P7 a hall full of people who sign in at once is no reason for suspicion', async (t) => {
  const server = await startServer(t, WARY);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const people = await Promise.all(Array.from({ length: 6 }, () => open(server, portal)));
  const pages = await Promise.all(people.map((browser) => enter(browser, {})));
  t.deepEqual(
    pages.map(({ status }) => status),
    pages.map(() => 303),
  );
});

test.serial('X6 a proof works once, for its own puzzle, and not for ever', async (t) => {
  const { server, portal } = await wary(t);
  const fresh = async () => {
    const browser = await open(server, portal);
    const puzzle = puzzleIn(browser.page.text);
    if (puzzle === undefined) throw new Error('the page asks for nothing');
    return { browser, puzzle };
  };
  const one = await fresh();
  const proof = solve(one.puzzle);
  t.is((await enter(one.browser, { proof, password: 'wrong' })).status, 401);
  t.is((await enter((await fresh()).browser, { proof })).status, 429, 'a second time');

  const parts = JSON.parse(atob(solve((await fresh()).puzzle))) as Record<string, unknown>;
  const forged: readonly Record<string, unknown>[] = [
    { ...parts, number: Number(parts.number) + 1 },
    { ...parts, signature: 'f'.repeat(64) },
    { ...parts, salt: String(parts.salt).replace(/expires=\d+/, 'expires=9999999999') },
    { ...parts, algorithm: 'SHA-1' },
    { ...parts, salt: 7 },
    {},
  ];
  for (const change of forged)
    t.is(
      (await enter((await fresh()).browser, { proof: btoa(JSON.stringify(change)) })).status,
      429,
      JSON.stringify(change),
    );
  for (const text of ['x', '%%%', btoa('null'), btoa('[]'), 'A'.repeat(1024)])
    t.is((await enter((await fresh()).browser, { proof: text })).status, 429, text.slice(0, 20));
  const old = await fresh();
  const late = solve(old.puzzle);
  turnClock(601_000);
  t.is((await enter(old.browser, { proof: late })).status, 429, 'ten minutes later');
});

test.serial('P7 whoever goes on failing has ever more to do', async (t) => {
  const { server, portal } = await wary(t);
  const workAt = async (): Promise<number> => puzzleIn((await open(server, portal)).page.text)?.maxnumber ?? 0;
  const first = await workAt();
  for (let n = 0; n < 4; n += 1) {
    const browser = await open(server, portal);
    await enter(browser, { password: 'wrong', proof: solve(puzzleIn(browser.page.text)!) });
  }
  t.is(await workAt(), first * 3);
});

test.serial('D8 a device its person has used is asked for nothing', async (t) => {
  const server = await startServer(t, WARY);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const known = server.browser();
  await server.signIn(known, portal);
  await known.get('/session/end');
  await known.submit({ logout: 'yes' }, '/session/end/confirm');
  for (let n = 0; n < 3; n += 1) await enter(await open(server, portal), { password: 'wrong' });
  t.is((await enter(await open(server, portal))).status, 429, 'a stranger');
  await known.get(authorizationPath(portal));
  await known.follow();
  t.is((await enter(known, { proof: '' })).status, 303);
});

test.serial('X6 without script a picture and tones ask for six digits, each good for one try', async (t) => {
  const { server, portal } = await wary(t);
  const { encryptionKey } = server.house.config.secrets;
  const shown = async () => {
    const browser = await open(server, portal);
    const token = captchaIn(browser.page.text);
    if (token === undefined) throw new Error('the page shows no picture');
    return { browser, token, answer: readCaptcha(token, encryptionKey) };
  };
  const one = await shown();
  t.regex(one.answer, /^[1-6]{6}$/);
  const picture = await fetch(`${server.issuer}/captcha/picture?c=${one.token}`);
  t.is(picture.headers.get('content-type'), 'image/png');
  t.is(picture.headers.get('cache-control'), 'no-store');
  t.deepEqual(
    Buffer.from(await picture.arrayBuffer())
      .subarray(1, 4)
      .toString(),
    'PNG',
  );
  const sound = await fetch(`${server.issuer}/captcha/sound?c=${one.token}`);
  t.is(sound.headers.get('content-type'), 'audio/wav');
  t.is(tonesIn(Buffer.from(await sound.arrayBuffer())), one.answer, 'the tones, counted, are the digits');

  t.is((await enter(one.browser, { captcha: one.token, captcha_answer: '111111 ' })).status, 429, 'a wrong one');
  t.is(
    (await enter((await shown()).browser, { captcha: one.token, captcha_answer: one.answer })).status,
    429,
    'is spent',
  );
  const two = await shown();
  const spaced = `${two.answer.slice(0, 3)} ${two.answer.slice(3)}`;
  t.is((await enter(two.browser, { captcha: two.token, captcha_answer: spaced })).status, 303);
  const old = await shown();
  turnClock(601_000);
  t.is((await fetch(`${server.issuer}/captcha/picture?c=${old.token}`)).status, 404);
  for (const path of ['/captcha/picture', '/captcha/picture?c=AAAA', '/captcha/sound?c=../x'])
    t.is((await fetch(server.issuer + path)).status, 404, path);
});

test.serial(
  'H5 X6 a flood from everywhere raises the defence for all strangers, and both ends are on record',
  async (t) => {
    const server = await startServer(t, {
      defence: { proofAfterMinute: 3, calmSeconds: 1, proofAfterAddress: 1_000_000 },
      limits: { failuresPerAccount: 50 },
    });
    await server.addPerson(LI);
    const portal = await server.addPortal();
    for (let n = 0; n < 4; n += 1)
      await (await open(server, portal)).submit({ identifier: LI.idNumber, password: 'wrong' }, '/identify');
    t.truthy(puzzleIn((await open(server, portal)).page.text));
    t.true(await until(async () => (await server.events('defence.raised')).length === 1));
    const [raised] = await server.events('defence.raised');
    t.deepEqual(raised?.data.reasons, ['house']);
    t.is(raised?.actor, 'system');
  },
);

test.serial(
  'H5 X6 a crowd before the hashes raises the defence too, and the house is calm again afterwards',
  async (t) => {
    const server = await startServer(t, {
      defence: { proofAfterWaiting: 1, calmSeconds: 1 },
      limits: { failuresPerAccount: 50 },
    });
    await server.addPerson(WANG);
    const portal = await server.addPortal();
    const crowd = await Promise.all(Array.from({ length: 12 }, () => open(server, portal)));
    await Promise.all(crowd.map((browser) => enter(browser, { password: 'wrong' })));
    t.true(await until(async () => (await server.events('defence.raised')).length === 1));
    t.deepEqual((await server.events('defence.raised'))[0]?.data.reasons, ['queue']);
    const isCalm = async (): Promise<boolean> =>
      puzzleIn((await open(server, portal)).page.text) === undefined &&
      (await server.events('defence.lowered')).length === 1;
    t.true(await until(isCalm));
    const [lowered] = await server.events('defence.lowered');
    t.deepEqual(lowered?.data.reasons, ['queue']);
    t.true(Number(lowered?.data.failures) >= 1);
  },
);

test.serial(
  'X6 V31 under suspicion a recovery begins with work as well: no message goes out, and no code is looked at',
  async (t) => {
    const { server } = await wary(t);
    const told = async (): Promise<number> =>
      (await server.events('recovery.begun')).length + (await server.events('recovery.refused')).length;
    const asking = server.browser();
    await asking.get('/recover');
    const person = { name: WANG.name, idNumber: WANG.idNumber };
    t.is((await asking.submit({ ...person, proof: '' }, '/recover')).status, 429);
    t.is(await told(), 0);
    t.is((await asking.submit({ ...person, proof: solve(puzzleIn(asking.page.text)!) }, '/recover')).status, 303);
    t.is(await told(), 1);

    const browser = server.browser();
    await browser.get('/recover/with-code');
    const fields = { identifier: WANG.idNumber, recoveryCode: 'AAAA-BBBB-CCCC-DDDD' };
    t.is((await browser.submit({ ...fields, proof: '' }, '/with-code')).status, 429);
    t.is((await browser.submit({ ...fields, proof: solve(puzzleIn(browser.page.text)!) }, '/with-code')).status, 400);
    t.is(await told(), 2);
  },
);

/** Counts the tones between the low marks of a sound, as a listener does. */
function tonesIn(wav: Buffer): string {
  const rate = wav.readUInt32LE(24);
  const samples = [...wav.subarray(44)].map((sample) => sample - 128);
  const step = Math.round(rate * 0.02);
  let digits = '';
  let count = 0;
  let sounded = 0;
  let crossings = 0;
  for (let at = 0; at + step <= samples.length; at += step) {
    const part = samples.slice(at, at + step);
    if (Math.max(...part) > 25) {
      sounded += 1;
      crossings += part.filter((sample, n) => n > 0 && sample >= 0 !== (part[n - 1] ?? 0) >= 0).length;
      continue;
    }
    if (sounded > 2) {
      const hertz = crossings / 2 / (sounded * 0.02);
      if (hertz > 450) count += 1;
      else if (count > 0) {
        digits += count;
        count = 0;
      }
    }
    sounded = 0;
    crossings = 0;
  }
  return digits + (count > 0 ? String(count) : '');
}

test.serial(
  'X6 under suspicion nobody asks the register about a name without the work, and no allowance is used up',
  async (t) => {
    const server = await startServer(t, {
      defence: { proofAfterAddress: 2 },
      limits: { registrationsPerAddress: 4, addressWindowSeconds: 3600 },
    });
    const browser = server.browser();
    const ask = (fields: Record<string, string>) =>
      browser.submit({ name: '查无此人', idNumber: LI.idNumber, ...fields }, '/register');
    await browser.get('/register');
    t.is(puzzleIn(browser.page.text), undefined, 'nobody sees it on a quiet day');
    for (let n = 0; n < 2; n += 1) t.is((await ask({})).status, 400);
    for (let n = 0; n < 6; n += 1) {
      const page = await ask({ proof: '' });
      t.is(page.status, 429);
      t.regex(String(page.headers['retry-after']), /^\d+$/);
    }
    t.true(browser.page.text.includes('查无此人'), 'nothing that was typed is lost');
    const reasons = async () => (await server.events('registration.refused')).map(({ data }) => data.reason);
    t.is((await reasons()).filter((reason) => reason === 'mismatch').length, 2, 'the register was asked no more');
    const puzzle = puzzleIn(browser.page.text);
    if (puzzle === undefined) return t.fail('the page asks for nothing');
    const answered = await ask({ name: LI.name, proof: solve(puzzle) });
    t.is(answered.status, 303);
    await browser.get('/register?edit=1&captcha=1');
    const token = captchaIn(browser.page.text);
    if (token === undefined) return t.fail('no picture');
    const read = readCaptcha(token, server.house.config.secrets.encryptionKey);
    t.is((await ask({ name: LI.name, captcha: token, captcha_answer: read })).status, 303, 'or with the picture');
  },
);
