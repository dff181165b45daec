import type { ExecutionContext } from 'ava';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { ConfigOverrides } from '../../src/config/schema.ts';
import { webServer } from '../support/listeners.ts';
import { ROOMY } from '../support/portal-calls.ts';
import { bindApp, somebody } from '../support/second-factor.ts';
import { allow, NARROW, seen, stage, typeSignIn } from '../support/seen.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer } from '../support/server.ts';

// Each test starts a server of its own.
const { visitor } = stage(async () => {});

interface Scene {
  readonly server: TestServer;
  readonly origin: string;
  readonly plain: TestPortal;
  readonly strong: TestPortal;
}

/** Two portals on this machine, of which one wants level 3. */
async function scene(t: ExecutionContext, settings: ConfigOverrides = {}): Promise<Scene> {
  const origin = await webServer(t, (_request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end('<!doctype html><html lang="zh-CN"><title>门户</title><h1>已登录</h1>');
  });
  const server = await startServer(t, { ...ROOMY, ...settings });
  const record = { redirect_uris: [`${origin}/callback`] };
  const plain = await server.addPortal({ ...record, client_name: '图书馆' });
  const strong = await server.addPortal({ ...record, client_name: '不动产登记', minimum_acr: 'urn:tongban:acr:3' });
  return { server, origin, plain, strong };
}

const addressOf = ({ server, origin }: Scene, portal: TestPortal, query: Record<string, string> = {}): string =>
  server.issuer + authorizationPath(portal, { redirect_uri: `${origin}/callback`, scope: 'openid', ...query });

const isAt = ({ origin }: Scene, page: Page): Promise<void> => page.waitForURL((url) => url.origin === origin);

/** Agrees where that is asked, and is back at the portal. */
async function arrive(at: Scene, page: Page): Promise<void> {
  if (new URL(page.url()).origin !== at.origin) await allow(page);
  await isAt(at, page);
}

const WAYS: readonly (readonly [string, BrowserContextOptions, string])[] = [
  ['narrow', { viewport: NARROW }, ''],
  ['english', { locale: 'en-GB' }, ''],
  ['large', { viewport: NARROW }, '?text=large'],
  ['without-scripts', { javaScriptEnabled: false }, ''],
];

for (const [way, options, choice] of WAYS) {
  seen(`C5 a step up from level 2 to 3 for one portal while the other stays in, ${way}`, async (t) => {
    const at = await scene(t);
    const { server, plain, strong } = at;
    const { id, idNumber } = await somebody(server);
    const app = await bindApp(server, id);
    await server.house.database.write((tx) => server.house.reaching.recoveryCodes.make(tx, id));
    const { page, watch, look } = await visitor(t, 'e2e', options);
    await page.goto(addressOf(at, plain));
    if (choice !== '') await page.goto(page.url() + choice);
    await typeSignIn(page, idNumber, PASSWORD);
    await arrive(at, page);
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
    await arrive(at, page);
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
  const { page, look } = await visitor(t, 'e2e', { viewport: NARROW });
  await page.goto(addressOf(at, strong));
  await typeSignIn(page, idNumber, PASSWORD);
  await page.locator('a.primary[href="/account/methods"]').waitFor();
  await look('second-factor-none');
  await server.house.persons.setLevel(id, { ial: 1, reason: 'register_mismatch', origin: 'test' });
  await page.goto(addressOf(at, strong));
  await page.locator('a.primary[href="/account/documents"]').waitFor();
  await look('prove-identity');
});

for (const [way, options, choice] of WAYS) {
  seen(`D15 a form waits while the second factor is given again, ${way}`, async (t) => {
    const { server } = await scene(t);
    const { id, idNumber } = await somebody(server);
    const app = await bindApp(server, id);
    const { page, watch, look } = await visitor(t, 'e2e', options);
    await page.goto(`${server.issuer}/account`);
    if (choice !== '') await page.goto(page.url() + choice);
    await typeSignIn(page, idNumber, PASSWORD);
    await page.waitForURL(/\/account$/);
    await page.goto(`${server.issuer}/account/methods/user-name`);
    await page.locator('input[name="userName"]').fill('chen.of.the.lake');
    await server.house.database.run('UPDATE bound_factors SET bound_at = bound_at - 1000 WHERE id = $1', [app.id]);
    await page.locator('form[action="/account/methods/user-name"] button').first().click();
    await look(`second-proof-${way}`);
    await page.locator('input[name="code"]').fill('000000');
    await page.locator('form[action="/account/prove/factor"] button.primary').click();
    await look(`second-proof-refused-${way}`);
    await page.locator('input[name="code"]').fill(app.code());
    await page.locator('form[action="/account/prove/factor"] button.primary').click();
    await page.locator('main[data-page="account-proven"]').waitFor();
    await page.locator('form[action="/account/methods/user-name"] button').click();
    await page.waitForURL(/done=bound$/);
    t.deepEqual(
      (await server.house.identifiers.list(id)).map(({ type }) => type),
      ['user_name'],
    );
    t.deepEqual(watch.problems, []);
  });
}

for (const [way, options, choice] of WAYS) {
  seen(`S1 a password that has grown too old is changed on the way in, ${way}`, async (t) => {
    const at = await scene(t, { password: { ageDays: 90, history: 5 } });
    const { server, plain } = at;
    const { id, idNumber } = await somebody(server);
    await server.house.database.run('UPDATE passwords SET changed_at = 0 WHERE person_id = $1', [id]);
    const { page, watch, look } = await visitor(t, 'e2e', options);
    await page.goto(addressOf(at, plain));
    if (choice !== '') await page.goto(page.url() + choice);
    await typeSignIn(page, idNumber, PASSWORD);
    await page.locator('main[data-page="new-password"]').waitFor();
    await look(`new-password-${way}`);
    const choose = async (password: string) => {
      await page.locator('input[name="newPassword"]').fill(password);
      await page.locator('input[name="newPasswordAgain"]').fill(password);
      await page.locator('form[action$="/new-password"] button.primary').click();
    };
    await choose(PASSWORD);
    await page.locator('.field-problem').waitFor();
    await look(`new-password-reused-${way}`);
    await choose('nine green boats on the river');
    await page.waitForURL((url) => url.origin === at.origin || !url.pathname.endsWith('/new-password'));
    await arrive(at, page);
    t.truthy(new URL(page.url()).searchParams.get('code'));
    t.is(await server.house.passwords.verify(id, 'nine green boats on the river'), 'match');
    t.deepEqual(watch.problems, []);
  });
}
