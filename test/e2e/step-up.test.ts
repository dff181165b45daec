import test, { type ExecutionContext } from 'ava';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import {
  axeViolations,
  chromiumPath,
  launchBrowser,
  openContext,
  overflowsSideways,
  screenshot,
} from '../support/browser.ts';
import { webServer } from '../support/listeners.ts';
import { ROOMY } from '../support/portal-calls.ts';
import { bindApp, somebody } from '../support/second-factor.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer } from '../support/server.ts';

const absent = chromiumPath() === undefined;
/** Without Chromium each test is counted as skipped and says why in its title. */
const seen = (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
  if (absent) test.skip(`${title} (no Chromium here; set CHROMIUM_PATH)`, body);
  else test.serial(title, body);
};

let browser: Browser;

test.before(async () => {
  const launched = await launchBrowser();
  if (launched.state === 'ready') browser = launched.browser;
});
test.after.always(() => browser?.close());

interface Scene {
  readonly server: TestServer;
  readonly origin: string;
  readonly plain: TestPortal;
  readonly strong: TestPortal;
}

/** Two portals on this machine, of which one wants level 3. */
async function scene(t: ExecutionContext): Promise<Scene> {
  const origin = await webServer(t, (_request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end('<!doctype html><html lang="zh-CN"><title>门户</title><h1>已登录</h1>');
  });
  const server = await startServer(t, ROOMY);
  const record = { redirect_uris: [`${origin}/callback`] };
  const plain = await server.addPortal({ ...record, client_name: '图书馆' });
  const strong = await server.addPortal({ ...record, client_name: '不动产登记', minimum_acr: 'urn:tongban:acr:3' });
  return { server, origin, plain, strong };
}

const addressOf = ({ server, origin }: Scene, portal: TestPortal, query: Record<string, string> = {}): string =>
  server.issuer + authorizationPath(portal, { redirect_uri: `${origin}/callback`, scope: 'openid', ...query });

async function visitor(t: ExecutionContext, options: BrowserContextOptions) {
  const { context, watch } = await openContext(browser, options);
  t.teardown(() => context.close());
  const page = await context.newPage();
  const look = async (name: string): Promise<void> => {
    await page.waitForLoadState('load');
    t.deepEqual(options.javaScriptEnabled === false ? [] : await axeViolations(page), [], `axe on ${name}`);
    t.false(await overflowsSideways(page), `${name} scrolls sideways`);
    await screenshot(page, `e2e-${name}`);
  };
  return { page, watch, look };
}

async function signIn(page: Page, identifier: string): Promise<void> {
  await page.locator('input[name="identifier"]').fill(identifier);
  await page.locator('input[name="password"]').fill(PASSWORD);
  await page.locator('#sign-in button.primary').click();
}

const isAt = ({ origin }: Scene, page: Page): Promise<void> => page.waitForURL((url) => url.origin === origin);

async function allow(at: Scene, page: Page): Promise<void> {
  const consent = page.locator('button[name="decision"][value="allow"]');
  if (new URL(page.url()).origin !== at.origin) await consent.click();
  await isAt(at, page);
}

const WAYS: readonly (readonly [string, BrowserContextOptions, string])[] = [
  ['narrow', { viewport: { width: 360, height: 780 } }, ''],
  ['english', { locale: 'en-GB' }, ''],
  ['large', { viewport: { width: 360, height: 780 } }, '?text=large'],
  ['without-scripts', { javaScriptEnabled: false }, ''],
];

for (const [way, options, choice] of WAYS) {
  seen(`C5 a step up from level 2 to 3 for one portal while the other stays in, ${way}`, async (t) => {
    const at = await scene(t);
    const { server, plain, strong } = at;
    const { id, idNumber } = await somebody(server);
    const app = await bindApp(server, id);
    await server.house.database.write((tx) => server.house.reaching.recoveryCodes.make(tx, id));
    const { page, watch, look } = await visitor(t, options);
    await page.goto(addressOf(at, plain));
    if (choice !== '') await page.goto(page.url() + choice);
    await signIn(page, idNumber);
    await allow(at, page);
    t.truthy(new URL(page.url()).searchParams.get('code'), 'level 2 takes one factor');

    await page.goto(addressOf(at, strong));
    t.is(await page.locator('input[name="password"]').count(), 0, 'the password is not asked again');
    await look(`step-up-${way}`);
    await page.locator('input[name="code"]').fill('000000');
    await page.locator('form[action$="/second-factor"] button.primary').click();
    await look(`step-up-refused-${way}`);
    await page.locator('input[name="code"]').fill(app.code());
    await page.locator('form[action$="/second-factor"] button.primary').click();
    await page.waitForURL((url) => url.origin === at.origin || !url.pathname.endsWith('/second-factor'));
    await allow(at, page);
    t.truthy(new URL(page.url()).searchParams.get('code'));

    await page.goto(addressOf(at, plain, { prompt: 'none' }));
    t.truthy(new URL(page.url()).searchParams.get('code'), 'the other portal stays in, without a question');
    const sessions = await server.house.sessionEnds.list(id);
    t.is(sessions.length, 1);
    t.deepEqual([...(sessions[0]?.clientIds ?? [])].sort(), [plain.id, strong.id].sort());
    t.deepEqual(watch.problems, []);
  });
}

seen('C5 whoever has no second factor, or an identity not proven well enough, is told what to do', async (t) => {
  const at = await scene(t);
  const { server, strong } = at;
  const { id, idNumber } = await somebody(server);
  const { page, look } = await visitor(t, { viewport: { width: 360, height: 780 } });
  await page.goto(addressOf(at, strong));
  await signIn(page, idNumber);
  await page.locator('a.primary[href="/account/methods"]').waitFor();
  await look('second-factor-none');
  await server.house.persons.setLevel(id, { ial: 1, reason: 'register_mismatch', origin: 'test' });
  await page.goto(addressOf(at, strong));
  await page.locator('a.primary[href="/account/documents"]').waitFor();
  await look('prove-identity');
});
