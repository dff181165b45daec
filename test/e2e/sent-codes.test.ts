import type { BrowserContextOptions, Page } from 'playwright-core';
import { freshPhone } from '../support/enrolment.ts';
import { webServer } from '../support/listeners.ts';
import { identifierOf } from '../support/people.ts';
import { ROOMY } from '../support/portal-calls.ts';
import { askAlways, somebody } from '../support/second-factor.ts';
import { allow, NARROW, seen, stage, typeSignIn } from '../support/seen.ts';
import { authorizationPath, PASSWORD, startServer } from '../support/server.ts';

// Each test starts a server of its own.
const { visitor } = stage(async () => {});

/** What somebody reads in the mailbox page, in a tab of their own: the newest code that came to an address. */
async function readCode(page: Page, issuer: string, address: string): Promise<string> {
  const mailbox = await page.context().newPage();
  const message = mailbox.locator('.mailbox > li').filter({ has: mailbox.getByText(address, { exact: true }) });
  await mailbox.goto(`${issuer}/mailbox`);
  // Nobody waits for a gateway: the message may come a moment after the page that speaks of it.
  while ((await message.count()) === 0) await mailbox.reload();
  const words = (await message.first().locator('.mailbox-text').textContent()) ?? '';
  await mailbox.close();
  return /\d{6}/.exec(words)?.[0] ?? '';
}

const WAYS: readonly (readonly [string, 'phone' | 'email', BrowserContextOptions])[] = [
  ['a text message, narrow', 'phone', { viewport: NARROW }],
  ['an e-mail, in English, without scripts', 'email', { locale: 'en-GB', javaScriptEnabled: false }],
];

for (const [way, type, options] of WAYS) {
  seen(`D11 D17 the code of ${way}, read in the mailbox page, is the second step of a sign-in`, async (t) => {
    const origin = await webServer(t, (_request, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end('<!doctype html><html lang="zh-CN"><title>门户</title><h1>已登录</h1>');
    });
    const server = await startServer(t, ROOMY);
    const portal = await server.addPortal({ redirect_uris: [`${origin}/callback`] });
    const { id, idNumber } = await somebody(server);
    const address = type === 'phone' ? `+86${freshPhone()}` : 'chen.yifan@example.cn';
    await server.house.identifiers.bind(id, identifierOf(type, address), { origin: 'test', verifiedBy: 'test' });
    await askAlways(server, id);
    const { page, watch, look } = await visitor(t, 'e2e-sent-codes', options);
    const isAtPortal = (url: URL) => url.origin === origin;
    await page.goto(server.issuer + authorizationPath(portal, { redirect_uri: `${origin}/callback`, scope: 'openid' }));
    await typeSignIn(page, idNumber, PASSWORD);

    const send = page.locator('form[action$="/send-code"] button.primary');
    await send.waitFor();
    t.is(await page.locator('input[name="code"]').count(), 0, 'looking at the page sends nothing');
    await look(`${type}-unsent`);
    await send.click();
    const field = page.locator('input[name="code"]');
    await field.waitFor();
    t.false((await page.content()).includes(address), 'where it went is masked');
    const code = await readCode(page, server.issuer, address);
    const answer = page.locator('form[action$="/second-factor"] button.primary');
    await field.fill(code === '000000' ? '000001' : '000000');
    await answer.click();
    await page.locator('[role="alert"]').waitFor();
    await look(`${type}-refused`);
    t.is(await send.count(), 0, 'the code that came still counts, so no other need be sent');
    await field.fill(code);
    await answer.click();
    await page.waitForURL((url) => isAtPortal(url) || !url.pathname.endsWith('/second-factor'));
    if (!isAtPortal(new URL(page.url()))) await allow(page);
    await page.waitForURL(isAtPortal);
    t.truthy(new URL(page.url()).searchParams.get('code'));
    const amr = [{ amr: type === 'phone' ? ['pwd', 'sms'] : ['pwd', 'otp'] }];
    t.like(
      (await server.events('sign-in.succeeded')).map(({ data }) => data),
      amr,
    );
    t.deepEqual(watch.problems, []);
  });
}
