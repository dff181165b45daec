import test from 'ava';
import { startMovingName } from '../bench/moving-name.ts';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { basic, postAs, ROOMY, tokensOf, userinfo } from './support/portal-calls.ts';
import { authorizationPath, PASSWORD, redemption, startServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const POSTGRES_PORT = 5432;

postgresTest(
  'H4 V52 X2 while the store is out of reach there is no login and no token but an honest 503, and then all is well',
  async (t) => {
    const wire = await startMovingName(POSTGRES_PORT);
    t.teardown(() => wire.close());
    const url = (await postgresSchema(t)).replace(`:${POSTGRES_PORT}/`, `:${wire.port}/`);
    const server = await startServer(undefined, { ...ROOMY, database: { url, connectTimeoutMs: 500, poolMax: 4 } });
    t.teardown(() => server.stop());
    await server.addPerson(WANG);
    const portal = await server.addPortal();
    const browser = server.browser();
    const tokens = await tokensOf(server, portal, browser);
    const callback = await server.signIn(browser, portal);
    const other = server.browser();
    await other.get(authorizationPath(portal));
    await other.follow();

    wire.pointTo(undefined);
    const refused = [
      await postAs(server, portal, '/token', { grant_type: 'client_credentials' }),
      await postAs(server, portal, '/token', redemption(callback)),
      await postAs(server, portal, '/token/introspection', { token: String(tokens.access_token) }),
      await userinfo(server, tokens.access_token),
    ];
    for (const answer of refused) {
      t.is(answer.status, 503, answer.url);
      t.regex(answer.headers.get('retry-after') ?? '', /^\d+$/);
      t.notRegex(await answer.text(), /access_token|ECONN|postgres|database/i);
    }
    const page = await other.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
    t.is(page.status, 503);
    t.is(page.location, undefined);
    t.deepEqual(page.setCookies, []);
    t.is((await browser.get(authorizationPath(portal, { prompt: 'none' }))).status, 503);
    t.is((await fetch(`${server.issuer}/health/ready`)).status, 503);
    t.is((await fetch(`${server.issuer}/health/live`)).status, 200);
    t.is((await fetch(`${server.issuer}/jwks`)).status, 200, 'portals go on checking tokens');

    wire.pointTo(POSTGRES_PORT);
    t.true(await until(async () => (await fetch(`${server.issuer}/health/ready`)).status === 200));
    t.is((await userinfo(server, tokens.access_token)).status, 200);
    t.is((await server.token(portal, redemption(callback))).status, 200, 'the code was not spent meanwhile');
    t.is((await fetch(`${server.issuer}/token`, { method: 'POST', headers: basic(portal) })).status, 400);
  },
);

test('H4 a store that is closed under the server gives no token', async (t) => {
  const server = await startServer(undefined);
  t.teardown(() => server.stop().catch(() => undefined));
  const portal = await server.addPortal();
  await server.house.database.close();
  const answer = await postAs(server, portal, '/token', { grant_type: 'client_credentials' });
  t.true(answer.status >= 500);
  t.notRegex(await answer.text(), /access_token|SQLITE|database/i);
  t.is((await fetch(`${server.issuer}/health/ready`)).status, 503);
});
