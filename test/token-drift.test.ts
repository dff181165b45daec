import test from 'ava';
import type { HttpBrowser } from './support/http-client.ts';
import {
  allow,
  askAlways,
  asksForSecond,
  bindApp,
  bindToken,
  enter,
  giveCode,
  somebody,
} from './support/second-factor.ts';
import { startServer, type TestPortal, type TestServer } from './support/server.ts';

let server: TestServer;
let plain: TestPortal;
let strong: TestPortal;

test.before(async () => {
  const limits = { failuresPerAccount: 6, knownDeviceFailures: 6, failuresPerAddress: 10_000 };
  server = await startServer(undefined, { limits });
  plain = await server.addPortal();
  strong = await server.addPortal({ minimum_acr: 'urn:tongban:acr:3' });
});
test.after.always(() => server.stop());

const asksForNext = ({ page }: HttpBrowser): boolean => page.text.includes('name="next"');

const reasonsOf = async (personId: string): Promise<readonly unknown[]> =>
  (await server.events('sign-in.refused'))
    .filter(({ subject }) => subject === personId)
    .map(({ data }) => (data as { reason: string }).reason);

/** Somebody at the page that asks for the digits of their token, whose clock is half an hour ahead. */
async function astray(browser: HttpBrowser, aheadMinutes = 30) {
  const { id, idNumber } = await somebody(server);
  const token = await bindToken(server, id, aheadMinutes);
  await enter(server, browser, strong, idNumber);
  return { id, idNumber, token };
}

test('D10 a token whose clock has gone astray is found again by two codes in a row, and counts by one from then on', async (t) => {
  const browser = server.browser();
  const { id, idNumber, token } = await astray(browser);
  t.false(asksForNext(browser), 'nobody is asked for two at first');
  await giveCode(server, browser, token.never(), 'otp_token');
  t.is(browser.page.status, 401);
  t.false(asksForNext(browser), 'nor after digits the token shows at no time');
  await giveCode(server, browser, token.code(), 'otp_token');
  t.is(browser.page.status, 401, 'it proves nothing yet');
  t.true(asksForNext(browser));
  await browser.submit({ next: token.code(2) }, '/second-factor');
  t.true(asksForNext(browser), 'one was missed: what was typed last may be the first of a pair');
  await browser.submit({ next: token.code(3) }, '/second-factor');
  await browser.follow((url) => url.origin !== server.issuer);
  await allow(server, browser);
  t.truthy(browser.page.location?.includes('code='));
  t.deepEqual(await reasonsOf(id), ['mismatch', 'astray', 'astray']);
  const again = server.browser();
  await enter(server, again, strong, idNumber);
  await giveCode(server, again, token.code(4), 'otp_token');
  t.false(asksForSecond(again.page), 'where its clock is was remembered');
});

test('D10 two codes are tries like any other, and too far away is not looked for', async (t) => {
  const browser = server.browser();
  const { id, token } = await astray(browser);
  for (let at = 0; at < 5; at += 1) await giveCode(server, browser, token.never(), 'otp_token');
  await giveCode(server, browser, token.code(), 'otp_token');
  t.true(asksForNext(browser));
  await browser.submit({ next: token.code(1) }, '/second-factor');
  t.is(browser.page.status, 401);
  t.is((await reasonsOf(id)).at(-1), 'exhausted');
  t.false(asksForNext(browser));
  const elsewhere = server.browser();
  const far = await astray(elsewhere, 180);
  await giveCode(server, elsewhere, far.token.code(), 'otp_token');
  t.deepEqual(await reasonsOf(far.id), ['mismatch']);
});

test('E9 to trust the browser is offered only where that would spare the question', async (t) => {
  const { id, idNumber } = await somebody(server);
  const app = await bindApp(server, id);
  await askAlways(server, id);
  const browser = server.browser();
  const isOffered = (): boolean => browser.page.text.includes('name="trust"');
  await enter(server, browser, strong, idNumber);
  t.true(asksForSecond(browser.page));
  t.false(isOffered(), 'a portal of level 3 asks all the same');
  await browser.submit({ code: app.code(), factor: 'totp', trust: 'yes' }, '/second-factor');
  t.is(browser.cookie('trusted'), undefined, 'and whoever says so unasked is not heard');
  const other = server.browser();
  await enter(server, other, plain, idNumber);
  t.true(other.page.text.includes('name="trust"'));
  await other.submit({ code: app.code(), factor: 'totp', trust: 'yes' }, '/second-factor');
  t.truthy(other.cookie('trusted'));
});
