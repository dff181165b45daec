import test, { type ExecutionContext } from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import {
  authority,
  bindCertificate,
  certificateHouse,
  giveCertificate,
  listOf,
  personal,
  textOn,
} from './support/certificate-house.ts';
import { answerOf, freshKey, type MadeCertificate } from './support/certificate-maker.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { arrive } from './support/portal-calls.ts';
import { bindApp, giveCode } from './support/second-factor.ts';
import { authorizationPath, LI, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { BROWSER, toldBy } from './support/told-events.ts';

const USER_NAME = '/account/methods/user-name';
const BY_CERTIFICATE = '/account/prove/certificate';
const LATER_MS = 301_000;

test.afterEach.always(() => turnClock(0));

/** Somebody whose certificate was bound long ago, and who has signed in with it. `alone`: it is all they have. */
async function signedIn(t: ExecutionContext, { alone }: { readonly alone: boolean }) {
  const root = authority();
  const mine = personal(root);
  const scene = await certificateHouse(t, [root], listOf(root), { ledger: { checkpointIntervalMs: 100 } });
  const { server, wang } = scene;
  await bindCertificate(scene.browser, mine);
  await server.house.database.run('UPDATE bound_factors SET bound_at = bound_at - 1000', []);
  if (alone) await server.house.database.run('DELETE FROM passwords WHERE person_id = $1', [wang]);
  const browser = server.browser(BROWSER);
  await enter(scene.server, browser, authorizationPath(scene.portal), mine);
  return { ...scene, root, mine, browser };
}

/** Signs in with the certificate at an address that asks for it, and goes on as far as that leads. */
async function enter(server: TestServer, browser: HttpBrowser, path: string, mine: MadeCertificate): Promise<Page> {
  await browser.get(path);
  await arrive(server, browser);
  await browser.get(`${new URL(browser.page.url).pathname}/certificate`);
  await giveCertificate(browser, mine);
  await arrive(server, browser);
  if (browser.page.text.includes('/consent"')) {
    await browser.submit({ decision: 'allow' }, '/consent');
    await arrive(server, browser);
  }
  return browser.page;
}

/** Sends the form of the user name as the page would that was shown before the proof grew old. */
const send = async (browser: HttpBrowser, userName: string): Promise<Page> => {
  const page = await browser.get('/account/sessions');
  return browser.post(USER_NAME, { form_token: hiddenField(page), userName });
};

const userNamesOf = async ({ house }: TestServer, id: string) =>
  (await house.identifiers.list(id)).filter(({ type }) => type === 'user_name');

const asksForPassword = (page: Page): boolean => page.text.includes('name="password"');
const asksForCertificate = (page: Page): boolean => page.text.includes('id="to-sign"');

test.serial('D15 D18 a certificate is the first proof again, and the password is asked for beside it', async (t) => {
  const { server, wang, browser, mine } = await signedIn(t, { alone: false });
  turnClock(LATER_MS);
  const asked = await send(browser, 'wang.of.the.key');
  t.regex(asked.text, /data-page="account-prove"/);
  t.true(asksForPassword(asked) && asksForCertificate(asked));
  const before = browser.cookie('tongban')?.value;

  const half = await giveCertificate(browser, mine);
  t.is(half.status, 200);
  t.true(asksForPassword(half));
  t.false(asksForCertificate(half), 'what was given a moment ago is not asked for again');
  t.is(hiddenField(half, 'kept.userName'), 'wang.of.the.key');
  t.not(browser.cookie('tongban')?.value, before, 'E1');
  t.like(await toldBy(half, 'sign-in.renewed', server), { subject: wang, data: { amr: ['hwk'], device: 'known' } });
  t.is((await userNamesOf(server, wang)).length, 0, 'half a proof opens nothing');
  t.regex((await send(browser, 'wang.of.the.key')).text, /data-page="account-prove"/);

  await browser.submit({ password: PASSWORD }, '/account/prove');
  await browser.submit({}, USER_NAME);
  t.is((await userNamesOf(server, wang)).length, 1);
});

test.serial('D15 D18 the password first, and then the certificate as the second', async (t) => {
  const { server, wang, browser, mine } = await signedIn(t, { alone: false });
  turnClock(LATER_MS);
  await send(browser, 'wang.the.other.way');
  const half = await browser.submit({ password: PASSWORD }, '/account/prove');
  t.regex(half.text, /data-page="account-prove-factor"/);
  await browser.submit({ answer: answerOf(mine, textOn(half)) }, '/account/prove/factor');
  await browser.submit({}, USER_NAME);
  t.is((await userNamesOf(server, wang)).length, 1);
});

test.serial(
  'D8 D15 whoever has nothing but a certificate reaches their account, and proves it again by it alone',
  async (t) => {
    const { server, wang, browser, mine } = await signedIn(t, { alone: true });
    t.is((await browser.get('/account')).status, 200);
    t.is((await browser.get('/account/methods')).status, 200, 'with a proof of a moment ago');
    turnClock(LATER_MS);
    const asked = await send(browser, 'wang.key.alone');
    t.regex(asked.text, /data-page="account-prove"/);
    t.false(asksForPassword(asked), 'nobody is asked for what they do not have');
    t.true(asksForCertificate(asked));
    const proven = await giveCertificate(browser, mine);
    t.regex(proven.text, /data-page="account-proven"/);
    await browser.submit({}, USER_NAME);
    t.is((await userNamesOf(server, wang)).length, 1);

    const fresh = server.browser();
    t.is((await enter(server, fresh, '/account', mine)).status, 200, 'and signs in at the account itself');
    t.is(new URL(fresh.page.url).pathname, '/account');
  },
);

test.serial('D13 beside a certificate whatever else is bound is asked for, with a password or without', async (t) => {
  const { server, wang, browser, mine } = await signedIn(t, { alone: true });
  const app = await bindApp(server, wang);
  await server.house.database.run('UPDATE bound_factors SET bound_at = bound_at - 1000 WHERE id = $1', [app.id]);
  turnClock(LATER_MS);
  await send(browser, 'wang.key.and.app');
  const half = await giveCertificate(browser, mine);
  t.regex(half.text, /data-page="account-prove-factor"/);
  await browser.submit({ code: app.code(), factor: 'totp' }, '/account/prove/factor');
  await browser.submit({}, USER_NAME);
  t.is((await userNamesOf(server, wang)).length, 1);
  const strong = await server.addPortal({ minimum_acr: 'urn:tongban:acr:3' });
  const other = await bindApp(server, wang);
  const elsewhere = server.browser();
  await enter(server, elsewhere, authorizationPath(strong), mine);
  t.regex(elsewhere.page.text, /data-page="second-factor"/);
  await giveCode(server, elsewhere, other.code());
  t.regex(elsewhere.page.text, /data-page="consent"/);
});

test.serial(
  'D13 D18 V53 a certificate proves its own person again, once, in time, for the session and the page it was asked for',
  async (t) => {
    const { server, wang, portal, root, browser, mine, atSignIn } = await signedIn(t, { alone: false });
    const li = await server.addPerson(LI);
    const theirs = server.browser();
    await server.signIn(theirs, portal, { identifier: LI.idNumber });
    const foreign = personal(root, { subject: 'Li' });
    await bindCertificate(theirs, foreign);
    const second = server.browser();
    await server.signIn(second, portal);
    turnClock(LATER_MS);
    const refused = async (answer: (page: Page) => string, reason: string, more: Record<string, string> = {}) => {
      const page = await browser.get('/account/prove?next=/account/methods');
      const told = await browser.submit({ answer: answer(page), ...more }, BY_CERTIFICATE);
      t.is(told.status, 401, reason);
      t.true(told.text.includes('<details class="other-way" open'), 'the way that was tried stands open');
      t.is(hiddenField(told, 'next'), '/account/methods');
      const event = await toldBy(told, 'sign-in.refused', server);
      t.like(event, { subject: wang, client: 'account-centre', data: { factor: 'certificate', reason } });
    };
    await refused((page) => answerOf(foreign, textOn(page)), 'owner');
    await refused((page) => answerOf(personal(root), textOn(page)), 'unknown');
    await refused((page) => answerOf(mine, textOn(page), freshKey()), 'signature');
    await refused((page) => answerOf(personal(authority()), textOn(page)), 'issuer');
    await refused(() => 'no answer', 'form');
    const { page: signInPage } = await atSignIn();
    const other = { challenge: hiddenField(signInPage, 'challenge') };
    await refused(() => answerOf(mine, textOn(signInPage)), 'challenge', other);
    const elsewhere = { challenge: hiddenField(await second.get('/account/prove'), 'challenge') };
    t.not(elsewhere.challenge, '');
    await refused(() => answerOf(mine, textOn(second.page)), 'challenge', elsewhere);

    const page = await browser.get('/account/prove?next=/account/methods');
    const answer = answerOf(mine, textOn(page));
    const form = { form_token: hiddenField(page), challenge: hiddenField(page, 'challenge'), answer, next: '/account' };
    t.is((await browser.post(BY_CERTIFICATE, form, { origin: 'https://evil.cn' })).status, 403);
    t.is((await browser.post(BY_CERTIFICATE, { ...form, person_id: li })).status, 400, 'F5');
    t.is((await server.browser().post(BY_CERTIFICATE, form)).status, 400, 'nobody is signed in there');
    const all = await Promise.all(Array.from({ length: 6 }, () => browser.post(BY_CERTIFICATE, form)));
    t.is(all.filter(({ status }) => status < 400).length, 1, 'of six at once');

    await browser.get('/account/prove?next=/account/methods');
    await second.get('/account/prove');
    turnClock(LATER_MS + 601_000);
    t.is((await giveCertificate(second, mine)).status, 401, 'expired');
  },
);

test.serial('F2 a certificate of somebody whose account was shut meanwhile proves nothing', async (t) => {
  const { server, wang, browser, mine } = await signedIn(t, { alone: true });
  turnClock(LATER_MS);
  await browser.get('/account/prove?next=/account/methods');
  await server.house.database.run("UPDATE persons SET status = 'disabled' WHERE id = $1", [wang]);
  const before = (await server.events('sign-in.renewed')).length;
  t.is((await giveCertificate(browser, mine)).status, 400);
  t.is((await server.events('sign-in.renewed')).length, before);
});

test.serial('V36 where no authority is configured there is no such way', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const browser = server.browser();
  await server.signIn(browser, await server.addPortal());
  const page = await browser.get('/account/prove');
  t.false(asksForCertificate(page));
  const form = {
    form_token: hiddenField(await browser.get('/account/sessions')),
    challenge: 'x',
    answer: 'x',
    next: '/account',
  };
  t.is((await browser.post(BY_CERTIFICATE, form)).status, 404);
});
