import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { basic, postAs, ROOMY, tokensOf, userinfo } from './support/portal-calls.ts';
import { authorizationPath, PASSWORD, redemption, startServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

/** A wire between the server and its store that can be cut and mended. */
interface Wire {
  readonly port: number;
  cut(): void;
  mend(): void;
}

async function wireTo(t: ExecutionContext, port: number): Promise<Wire> {
  const open = new Set<Socket>();
  let whole = true;
  const listener = createServer((near) => {
    if (!whole) return void near.destroy();
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        open.delete(from);
      });
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const cut = (): void => {
    whole = false;
    for (const socket of open) socket.destroy();
  };
  t.teardown(() => {
    cut();
    listener.close();
  });
  const mend = (): void => {
    whole = true;
  };
  return { port: (listener.address() as AddressInfo).port, cut, mend };
}

postgresTest(
  'H4 V52 X2 while the store is out of reach there is no login and no token but an honest 503, and then all is well',
  async (t) => {
    const wire = await wireTo(t, 5432);
    const url = (await postgresSchema(t)).replace(':5432/', `:${wire.port}/`);
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

    wire.cut();
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

    wire.mend();
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
