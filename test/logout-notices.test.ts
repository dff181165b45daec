import test from 'ava';
import { run, USAGE } from '../src/commands/logout.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { webServer } from './support/listeners.ts';
import { logoutReceiver, toldAt } from './support/logout-receiver.ts';
import { OFFLINE, payloadOf, ROOMY, refresh, tokensOf, userinfo } from './support/portal-calls.ts';
import { startServer, type TestServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const FAST = { outbox: { firstDelaySeconds: 1, pollIntervalMs: 50, attemptsMax: 2 } } as const;
const SCOPE = 'openid profile offline_access';

async function signOut(browser: ReturnType<TestServer['browser']>): Promise<void> {
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  await browser.follow();
}

test('C10 R15 a session that runs out ends at its portals, on record; offline access stays', async (t) => {
  const receiver = await logoutReceiver(t);
  const server = await startServer(t, {
    ...ROOMY,
    ...FAST,
    sweep: { intervalMs: 1000 },
    outbound: { allowedOrigins: [receiver.origin] },
  });
  const person = await server.addPerson(WANG);
  const portal = await server.addPortal({ ...toldAt(receiver), scope: SCOPE });
  const browser = server.browser();
  const tokens = await tokensOf(server, portal, browser, OFFLINE);
  const { sid } = payloadOf(tokens.id_token);
  const [there] = await server.house.sessionEnds.list(person);
  const live = await tokensOf(server, portal, server.browser());
  await server.house.database.run('UPDATE sessions SET expires_at = $2 WHERE uid = $1', [there!.uid, nowSeconds() - 1]);
  t.true(await until(() => receiver.told.length > 0));
  t.is(receiver.told[0]?.claims.sid, sid);
  t.true(await until(async () => (await server.events('logout.delivered')).length === 1));
  const [event, ...more] = await server.events('session.ended');
  t.like(event, { actor: 'system', subject: person, data: { cause: 'expired', session: there!.uid } });
  t.deepEqual(more, []);
  t.like((await server.events('logout.delivered'))[0], { data: { session: there!.uid } });
  t.is((await refresh(server, portal, tokens.refresh_token)).status, 200);
  t.is((await userinfo(server, live.access_token)).status, 200, 'the other session goes on');
});

test('C10 G1 after signing out the page says which portals have been told, without script', async (t) => {
  const quick = await logoutReceiver(t);
  const held: (() => void)[] = [];
  const slow = await webServer(t, (_request, response) => void held.push(() => response.writeHead(200).end()));
  const server = await startServer(t, { ...ROOMY, ...FAST, outbound: { allowedOrigins: [quick.origin, slow] } });
  await server.addPerson(WANG);
  const portals = [
    await server.addPortal({ client_name: '快速门户', ...toldAt(quick) }),
    await server.addPortal({ client_name: '迟缓门户', backchannel_logout_uri: `${slow}/logout` }),
    await server.addPortal({ client_name: '无址门户' }),
  ];
  const browser = server.browser();
  for (const portal of portals) await tokensOf(server, portal, browser);
  await signOut(browser);
  t.true(await until(() => quick.told.length === 1 && held.length === 1));
  t.true(await until(async () => (await server.events('logout.delivered')).length === 1));
  const shown = async (): Promise<string[]> =>
    [
      ...(await browser.get('/session/end/success')).text.matchAll(/<li><bdi>(.*?)<\/bdi><span class="state (\w+)"/g),
    ].map(([, name, state]) => `${name} ${state}`);
  t.deepEqual((await shown()).sort(), ['快速门户 told', '无址门户 none', '迟缓门户 pending'].sort());
  t.true(browser.page.text.includes('href="/session/end/success"'), 'a link shows it anew');
  held[0]?.();
  t.true(await until(async () => (await server.events('logout.delivered')).length === 2));
  t.true((await shown()).includes('迟缓门户 told'));
  t.false(browser.page.text.includes('href="/session/end/success"'));
  const stranger = await server.browser().get('/session/end/success');
  t.false(stranger.text.includes('快速门户'), 'nobody else is shown them');
  t.is((await server.events('logout.undelivered')).length, 0, 'nothing was sent to where there is no address');
});

test('C10 an operator sees every notice, and sends again what was given up', async (t) => {
  let isUp = false;
  const told: string[] = [];
  const origin = await webServer(t, (_request, response) => {
    if (isUp) told.push('told');
    response.writeHead(isUp ? 200 : 503).end();
  });
  const server = await startServer(t, { ...ROOMY, ...FAST, outbound: { allowedOrigins: [origin] } });
  await server.addPerson(WANG);
  const portal = await server.addPortal({ backchannel_logout_uri: `${origin}/logout` });
  const browser = server.browser();
  await tokensOf(server, portal, browser);
  const { database, ledger } = server.house;
  const logout = async (...args: string[]) => {
    const said = { out: '', err: '' };
    const code = await run(args, {
      database,
      ledger,
      stdout: { write: (text: string) => (said.out += text) },
      stderr: { write: (text: string) => (said.err += text) },
    });
    return { code, ...said };
  };
  t.like(await logout('deliveries'), { code: 0, out: 'There is no such notice.\n' });
  await signOut(browser);
  t.true(await until(async () => (await server.events('logout.undelivered')).length === 1));
  const [row, ...more] = JSON.parse((await logout('deliveries', '--portal', portal.id, '--json')).out);
  t.deepEqual(more, []);
  t.like(row, { portal: portal.id, state: 'dead', attempts: 2, next_at: null });
  t.regex(
    (await logout('deliveries', '--state', 'dead')).out,
    new RegExp(`${row.id}  ${portal.id}  dead  attempts 2 `),
  );
  t.is(JSON.parse((await logout('deliveries', '--state', 'waiting', '--json')).out).length, 0);
  for (const wrong of [
    [],
    ['retry'],
    ['deliveries', '--state', 'gone'],
    ['retry', row.id, '--portal', 'x'],
    ['list'],
  ]) {
    t.deepEqual(await logout(...wrong), { code: 2, out: '', err: USAGE }, wrong.join(' '));
  }
  t.is((await logout('retry', 'dlv_unknown')).code, 1);
  isUp = true;
  t.is((await logout('retry', '--portal', portal.id)).code, 0);
  t.true(await until(() => told.length === 1));
  t.true(await until(async () => (await server.events('logout.delivered')).length === 1));
  t.like((await server.events('logout.retried'))[0], { client: portal.id, data: { delivery: row.id } });
  t.is((await logout('retry', row.id)).code, 1, 'delivered is delivered');
});
