import test, { type ExecutionContext } from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { ROOMY } from './support/portal-calls.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';

test.afterEach.always(() => turnClock(0));

interface Scene {
  readonly server: TestServer;
  readonly portal: TestPortal;
  readonly wang: string;
  readonly phone: HttpBrowser;
}

/** Somebody who is signed in on their phone. */
async function withPhone(t: ExecutionContext, overrides: Parameters<typeof startServer>[1] = {}): Promise<Scene> {
  const server = await startServer(t, { ...ROOMY, ...overrides });
  const [wang, portal] = [await server.addPerson(WANG), await server.addPortal({ client_name: '办事大厅' })];
  const phone = server.browser();
  await server.signIn(phone, portal);
  return { server, portal, wang, phone };
}

/** A screen that shows a code. */
async function screenWithCode({ server, portal }: Scene, screen = server.browser()): Promise<HttpBrowser> {
  await screen.get(authorizationPath(portal));
  await screen.follow();
  await screen.submit({}, '/scan');
  await screen.follow();
  return screen;
}

const numberOn = (page: Page): string => /scan-match">.*?<strong>(\d\d)</s.exec(page.text)?.[1] ?? '';

/** The code of a screen as a camera would read it: out of the store, since only its digest and its id are kept there. */
async function codeOf({ server }: Scene, screen: HttpBrowser): Promise<string> {
  const uid = /interaction\/([\w-]+)\/scan/.exec(screen.page.url)?.[1] ?? '';
  const browser = screen.cookie('browser')?.value ?? '';
  return (await server.house.scanCodes.shown(uid, browser))?.code ?? '';
}

const open = (phone: HttpBrowser, code: string): Promise<Page> => phone.get(`/account/scan?code=${code}`);
const approve = (phone: HttpBrowser, number: string): Promise<Page> =>
  phone.submit({ number, decision: 'approve' }, '/account/scan');

async function state(screen: HttpBrowser): Promise<unknown> {
  const page = await screen.get(`${screen.page.url.replace(/\/scan.*/, '')}/scan/state`);
  return (JSON.parse(page.text) as { state: unknown }).state;
}

const finish = async (screen: HttpBrowser, at: string): Promise<Page> => {
  await screen.get(at);
  return screen.submit({}, '/scan/finish');
};

const isIn = (page: Page): boolean => page.status === 303 && !/\/scan$|error=/.test(page.location ?? '');
const refusals = async ({ server }: Scene): Promise<readonly unknown[]> =>
  (await server.events('scan.refused')).map(({ data }) => data.reason);

test.serial(
  'a screen signs in by its code, once a phone has seen where it is, typed its number and agreed',
  async (t) => {
    const scene = await withPhone(t);
    const { server, phone, wang, portal } = scene;
    const screen = await screenWithCode(scene);
    const at = screen.page.url;
    t.true(screen.page.text.includes('<svg class="qr"'));
    t.true(screen.page.text.includes('http-equiv="refresh" content="3"'), 'without a script the page asks by itself');
    const number = numberOn(screen.page);
    t.regex(number, /^[1-9]\d$/);
    const code = await codeOf(scene, screen);
    t.is(await state(screen), 'waiting');
    const seen = await open(phone, code);
    for (const word of ['办事大厅', '127.0.0.1']) t.true(seen.text.includes(word), word);
    t.false(seen.text.includes(`>${number}<`), 'the number stands on the screen alone');
    const agreed = await approve(phone, number);
    t.is(agreed.status, 200);
    t.is(await state(screen), 'approved');
    t.true(isIn(await finish(screen, at)));
    t.like((await server.events('scan.approved'))[0], { subject: wang, client: portal.id });
    const [, event] = await server.events('sign-in.succeeded');
    t.like(event, { subject: wang, data: { amr: ['mca'] } });
  },
);

test.serial('a wrong number ends the code at once, and so does a refusal; nothing typed is only a slip', async (t) => {
  const scene = await withPhone(t);
  const { phone } = scene;
  const screen = await screenWithCode(scene);
  const at = screen.page.url;
  const number = numberOn(screen.page);
  await open(phone, await codeOf(scene, screen));
  t.is((await approve(phone, '')).status, 400);
  t.is((await approve(phone, number === '10' ? '11' : '10')).status, 403);
  t.is(await state(screen), 'refused');
  t.is((await open(phone, await codeOf(scene, await screenWithCode(scene, screen)))).status, 200);
  t.is((await phone.submit({ decision: 'refuse' }, '/account/scan')).status, 200);
  t.is(await state(screen), 'refused');
  await screen.get(at);
  t.false(screen.page.text.includes('/scan/finish'));
  t.deepEqual(await refusals(scene), ['mismatch', 'refused_by_person']);
});

test.serial(
  'V53 an approved code opens nothing in another browser, in another sign-in, or a second time',
  async (t) => {
    const scene = await withPhone(t);
    const { server, phone } = scene;
    const screen = await screenWithCode(scene);
    const at = screen.page.url;
    const page = screen.page;
    await open(phone, await codeOf(scene, screen));
    await approve(phone, numberOn(page));
    const stranger = server.browser();
    t.is((await stranger.get(at)).status, 400, 'the address of the screen in another browser');
    const other = await screenWithCode(scene);
    const foreign = await other.submit({}, '/scan/finish');
    t.true(foreign.location?.endsWith('/scan'));
    t.is((await server.events('sign-in.succeeded')).length, 1, 'a screen that nobody approved');
    await screen.get(at);
    const token = /name="form_token" value="([^"]+)"/.exec(screen.page.text)?.[1] ?? '';
    const action = new URL(`${at}/finish`).pathname;
    const pages = await Promise.all(Array.from({ length: 6 }, () => screen.post(action, { form_token: token })));
    t.is(pages.filter(isIn).length, 1, 'of six at once');
    t.is((await server.events('sign-in.succeeded')).length, 2);
  },
);

test.serial('a code is over after ninety seconds, on the phone and on the screen', async (t) => {
  const scene = await withPhone(t);
  const { phone } = scene;
  const screen = await screenWithCode(scene);
  const number = numberOn(screen.page);
  const at = screen.page.url;
  await open(phone, await codeOf(scene, screen));
  turnClock(91_000);
  t.is((await approve(phone, number)).status, 410);
  t.is(await state(screen), 'expired');
  const late = await screenWithCode(scene);
  await open(phone, await codeOf(scene, late));
  await approve(phone, numberOn(late.page));
  turnClock(182_000);
  t.is(await state(late), 'expired', 'an approval that nobody fetched ends as well');
  await screen.get(at);
  t.true(screen.page.text.includes('已经失效'));
});

test.serial('D15 an old proof on the phone lets nobody in before it is renewed', async (t) => {
  const scene = await withPhone(t, { scan: { proofAgeSeconds: 400 } });
  const { server, phone } = scene;
  turnClock(390_000);
  const screen = await screenWithCode(scene);
  const number = numberOn(screen.page);
  const code = await codeOf(scene, screen);
  await open(phone, code);
  turnClock(402_000);
  const page = await approve(phone, number);
  t.true(page.location?.includes('/account/prove?next='), 'a form from before does not help');
  t.is((await open(phone, code)).location, `${server.issuer}/account/prove?next=%2Faccount%2Fscan%3Fcode%3D${code}`);
  t.is(await state(screen), 'waiting');
});

test.serial('D9 without a session there is nothing to approve, and what is no code is no page', async (t) => {
  const scene = await withPhone(t);
  const { server, phone } = scene;
  const screen = await screenWithCode(scene);
  const code = await codeOf(scene, screen);
  const stranger = server.browser();
  t.true((await open(stranger, code)).location?.includes('/auth?client_id=account-centre'));
  t.is((await open(phone, 'nothing')).status, 404);
  t.is((await open(phone, 'A'.repeat(32))).status, 410);
});

test.serial('E2 the answer belongs to the code and the session it was shown in', async (t) => {
  const scene = await withPhone(t);
  const { server, phone } = scene;
  const [first, second] = [await screenWithCode(scene), await screenWithCode(scene)];
  await open(phone, await codeOf(scene, first));
  const swapped = await phone.submit(
    { code: await codeOf(scene, second), number: numberOn(second.page), decision: 'approve' },
    '/account/scan',
  );
  t.is(swapped.status, 403, 'another code than was shown');
  await server.addPerson(LI);
  const other = server.browser();
  await server.signIn(other, scene.portal, { identifier: LI.idNumber });
  await open(other, await codeOf(scene, first));
  await server.house.persons.disable(
    (await server.house.persons.findByIdNumber(LI.idNumber as never))?.id ?? '',
    'test',
  );
  t.not((await approve(other, numberOn(first.page))).status, 200, 'somebody who may not act any more');
  t.is(await state(first), 'waiting');
});

test.serial('F2 an approval of somebody who was disabled meanwhile opens nothing', async (t) => {
  const scene = await withPhone(t);
  const { server, phone, wang } = scene;
  const screen = await screenWithCode(scene);
  const at = screen.page.url;
  await open(phone, await codeOf(scene, screen));
  await approve(phone, numberOn(screen.page));
  await server.house.persons.disable(wang, 'test');
  t.is((await finish(screen, at)).status, 401);
  t.is((await server.events('sign-in.succeeded')).length, 1);
});

test.serial('D7 X6 who signs in by a code makes no room for guesses from the same address', async (t) => {
  const scene = await withPhone(t, { limits: { ...ROOMY.limits, failuresPerAddress: 3, failuresPerNetwork: 1000 } });
  const { server, portal, phone } = scene;
  const guess = async (): Promise<number> => {
    const browser = server.browser();
    await browser.get(authorizationPath(portal));
    return (await browser.submit({ identifier: LI.idNumber, password: 'a guess' }, '/identify')).status;
  };
  t.deepEqual([await guess(), await guess(), await guess()], [401, 401, 401]);
  const screen = await screenWithCode(scene);
  const at = screen.page.url;
  const number = numberOn(screen.page);
  await open(phone, await codeOf(scene, screen));
  await approve(phone, number);
  t.true(isIn(await finish(screen, at)));
  t.is(await guess(), 429);
});

test.serial('codes for one address are limited', async (t) => {
  const scene = await withPhone(t, { scan: { startsPerAddress: 2 } });
  const screen = await screenWithCode(scene);
  await screenWithCode(scene, screen);
  t.is((await screenWithCode(scene, screen)).page.status, 429);
});

test.serial('an approval is spent once, and nothing else is', async (t) => {
  const { house } = await startServer(t);
  const { scanCodes, database } = house;
  const place = { ceremony: 'one', browser: 'mine', clientId: 'portal', address: '127.0.0.1', userAgent: '' };
  await scanCodes.begin(place);
  const scan = await scanCodes.shown('one', 'mine');
  const spend = () => database.write((tx) => scanCodes.spend(tx, scan?.id ?? ''));
  t.false(await spend(), 'nobody has approved it');
  await database.write((tx) => scanCodes.answer(tx, scan?.code ?? '', 'psn_1', { number: scan?.matchNumber ?? '' }));
  t.deepEqual(await Promise.all([spend(), spend(), spend()]), [true, false, false]);
});

test.serial('S1 a phone whose password has grown too old lets nobody in, and the screen says what to do', async (t) => {
  const scene = await withPhone(t, { password: { ageDays: 90 } });
  const { server, phone, wang } = scene;
  const screen = await screenWithCode(scene);
  const at = screen.page.url;
  const number = numberOn(screen.page);
  await open(phone, await codeOf(scene, screen));
  await server.house.database.run('UPDATE passwords SET changed_at = changed_at - $1 WHERE person_id = $2', [
    91 * 86_400,
    wang,
  ]);
  await approve(phone, number);
  const refused = await finish(screen, at);
  t.is(refused.status, 401);
  t.regex(refused.text, /data-page="sign-in"/);
  t.true(refused.text.includes('您的密码已超过使用期限'));
  t.like((await server.events('sign-in.refused')).at(-1), {
    subject: wang,
    data: { factor: 'scan', reason: 'password_outdated' },
  });
  t.deepEqual(await server.events('sign-in.continued'), [], 'nothing was proven that counts');
  await screen.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await screen.follow();
  t.regex(screen.page.text, /data-page="new-password"/, 'the password leads on from there');
});
