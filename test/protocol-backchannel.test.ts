import test, { type ExecutionContext } from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { hiddenField } from './support/hidden-field.ts';
import { webServer } from './support/listeners.ts';
import { introspect, OFFLINE, payloadOf, ROOMY, refresh, tokensOf, userinfo } from './support/portal-calls.ts';
import { startServer, type TestServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

/** A portal's logout address on this machine: keeps what arrives, answers what it is told to. */
interface Receiver {
  readonly origin: string;
  readonly received: string[];
  /** Status codes of the next answers; 200 when there are none left, `0` for no answer at all. */
  readonly answers: number[];
}

async function receiver(t: ExecutionContext): Promise<Receiver> {
  const received: string[] = [];
  const answers: number[] = [];
  const origin = await webServer(t, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      received.push(body);
      const status = answers.shift() ?? 200;
      if (status !== 0) response.writeHead(status).end();
    });
  });
  return { origin, received, answers };
}

async function housed(t: ExecutionContext, origins: readonly string[]): Promise<TestServer> {
  const server = await startServer(t, {
    ...ROOMY,
    outbound: { allowedOrigins: origins, timeoutMs: 2500 },
    outbox: { firstDelaySeconds: 1, pollIntervalMs: 50, attemptsMax: 2 },
  });
  await server.addPerson(WANG);
  return server;
}

const portalAt = (server: TestServer, { origin }: Receiver) =>
  server.addPortal({
    backchannel_logout_uri: `${origin}/logout`,
    backchannel_logout_session_required: true,
    scope: 'openid profile offline_access',
  });

async function signOut(browser: ReturnType<TestServer['browser']>): Promise<void> {
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
}

test('C10 a portal is told of the sign-out by a signed token that says who, which session and nothing else', async (t) => {
  const portal = await receiver(t);
  const server = await housed(t, [portal.origin]);
  const client = await portalAt(server, portal);
  const browser = server.browser();
  const idToken = payloadOf((await tokensOf(server, client, browser)).id_token);
  await signOut(browser);
  t.true(await until(() => portal.received.length === 1));
  const token = new URLSearchParams(portal.received[0]).get('logout_token') ?? '';
  const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(new URL(`${server.issuer}/jwks`)), {
    issuer: server.issuer,
    audience: client.id,
    algorithms: ['ES256'],
    typ: 'logout+jwt',
  });
  t.is(protectedHeader.alg, 'ES256');
  t.is(payload.sub, idToken.sub as string);
  t.is(payload.sid, idToken.sid);
  t.deepEqual(payload.events, { 'http://schemas.openid.net/event/backchannel-logout': {} });
  t.truthy(payload.jti);
  t.is(payload.nonce, undefined);
  t.true(Math.abs((payload.iat as number) - Date.now() / 1000) < 10);
  t.true((payload.exp as number) - (payload.iat as number) <= 120);
  t.false(JSON.stringify(payload).includes(WANG.idNumber));
  t.true(await until(async () => (await server.events('logout.delivered')).length === 1));
});

test('C10 R15 a first delivery that fails is tried again', async (t) => {
  const portal = await receiver(t);
  portal.answers.push(503);
  const server = await housed(t, [portal.origin]);
  const client = await portalAt(server, portal);
  const browser = server.browser();
  await tokensOf(server, client, browser);
  await signOut(browser);
  t.true(await until(() => portal.received.length === 2));
  const [first, second] = portal.received.map((body) => payloadOf(new URLSearchParams(body).get('logout_token')));
  t.is(first?.sid, second?.sid);
  t.true(await until(async () => (await server.events('logout.delivered')).length === 1));
});

test('C10 R15 a dead portal neither delays the citizen nor keeps the others from hearing; its silence is in the ledger', async (t) => {
  const [dead, alive] = [await receiver(t), await receiver(t)];
  dead.answers.push(0, 0, 0, 0);
  const server = await housed(t, [dead.origin, alive.origin]);
  const [one, two] = [await portalAt(server, dead), await portalAt(server, alive)];
  const browser = server.browser();
  await tokensOf(server, one, browser);
  await tokensOf(server, two, browser);
  const startedMs = performance.now();
  await signOut(browser);
  t.true(performance.now() - startedMs < 2400);
  t.true(await until(() => alive.received.length === 1));
  t.true(await until(async () => (await server.events('logout.undelivered')).length === 1, 20_000));
});

test('V16 V37 a portal on a private address that nobody allowed is never called', async (t) => {
  const trap = await receiver(t);
  const server = await housed(t, []);
  const client = await portalAt(server, trap);
  const browser = server.browser();
  await tokensOf(server, client, browser);
  await signOut(browser);
  await until(async () => (await server.events('logout.undelivered')).length > 0);
  t.deepEqual(trap.received, []);
});

test('C11 F2 V15 V40 a disabled person is out at once: sessions, tokens, refresh, and the portals hear of it', async (t) => {
  const portal = await receiver(t);
  const server = await housed(t, [portal.origin]);
  const client = await portalAt(server, portal);
  const browser = server.browser();
  const body = await tokensOf(server, client, browser);
  const earlier = server.browser();
  const offline = await tokensOf(server, client, earlier, OFFLINE);
  await signOut(earlier);
  t.true(await until(() => portal.received.length === 1));

  const person = await server.house.persons.findByIdNumber(WANG.idNumber as never);
  await server.house.persons.disable(person?.id ?? '', 'test');
  t.is((await userinfo(server, body.access_token)).status, 401);
  for (const token of [body.access_token, offline.access_token, offline.refresh_token]) {
    t.deepEqual(await introspect(server, client, token), { active: false });
  }
  t.is((await refresh(server, client, offline.refresh_token)).status, 400);
  t.true(await until(() => portal.received.length === 2), 'the live session is told of');
  const callback = await server.signIn(browser, client).catch((error: Error) => error.message);
  t.true(typeof callback === 'string' && callback.includes('401'), 'neither session nor password helps');

  await server.house.persons.enable(person?.id ?? '', 'test');
  t.is((await refresh(server, client, offline.refresh_token)).status, 400, 'what ended stays ended');
});

test('E9 C10 a portal that the person withdraws, or whose session they end elsewhere, hears of it', async (t) => {
  const portal = await receiver(t);
  const server = await housed(t, [portal.origin]);
  const client = await portalAt(server, portal);
  const person = await server.house.persons.findByIdNumber(WANG.idNumber as never);
  const there = payloadOf((await tokensOf(server, client, server.browser())).id_token).sid;
  const [elsewhere] = await server.house.sessionEnds.list(person?.id ?? '');
  const browser = server.browser();
  const here = payloadOf((await tokensOf(server, client, browser)).id_token).sid;
  await browser.get('/account');
  const form_token = hiddenField(browser.page);
  const told = () => portal.received.map((body) => payloadOf(new URLSearchParams(body).get('logout_token')).sid);

  await browser.post('/account/sessions/end', { form_token, id: elsewhere?.uid ?? '' });
  t.true(await until(() => portal.received.length === 1));
  t.deepEqual(told(), [there]);
  await browser.post('/account/portals/withdraw', { form_token, client_id: client.id });
  t.true(await until(() => portal.received.length === 2));
  t.deepEqual(told(), [there, here]);
});
