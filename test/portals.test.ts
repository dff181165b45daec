import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose';
import Provider, { type Adapter, type AdapterPayload, type Configuration, interactionPolicy } from 'oidc-provider';
import { BUSINESS_START_UP, CITIZEN_CENTRE, PORTALS, SCOPE } from '../examples/portals/definitions.ts';
import { masked } from '../examples/portals/person-facts.ts';
import { type RunningPortal, startPortal } from '../examples/portals/portal.ts';
import { languageOf } from '../examples/portals/texts.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { axeViolations, launchBrowser, openContext, overflowsSideways, screenshot } from './support/browser.ts';
import { createBrowser, formOf } from './support/http-client.ts';

const SECRET = 'a-secret-of-the-portals-in-this-test-only';
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const PERSON = {
  name: '欧阳晓明 <b>',
  name_masked: '***明',
  id_number_masked: '3****************X',
  ial: 2,
};

class MemoryAdapter implements Adapter {
  static readonly #kept = new Map<string, AdapterPayload>();
  readonly #model: string;
  constructor(model: string) {
    this.#model = model;
  }
  #key = (id: string): string => `${this.#model}:${id}`;
  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    MemoryAdapter.#kept.set(this.#key(id), payload);
    if (payload.uid !== undefined) MemoryAdapter.#kept.set(`uid:${payload.uid}`, payload);
  }
  async find(id: string): Promise<AdapterPayload | undefined> {
    return MemoryAdapter.#kept.get(this.#key(id));
  }
  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return MemoryAdapter.#kept.get(`uid:${uid}`);
  }
  async findByUserCode(): Promise<undefined> {
    return undefined;
  }
  async consume(id: string): Promise<void> {
    const payload = MemoryAdapter.#kept.get(this.#key(id));
    if (payload !== undefined) payload.consumed = nowSeconds();
  }
  async destroy(id: string): Promise<void> {
    MemoryAdapter.#kept.delete(this.#key(id));
  }
  async revokeByGrantId(): Promise<void> {}
}

interface World {
  readonly issuer: string;
  readonly citizen: RunningPortal;
  readonly business: RunningPortal;
  readonly privateJwk: JWK;
  close(): Promise<void>;
}

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));

/** A portal's record as a server by the letter of the specifications takes it: none begins a sign-in over http. */
function plainRecord(definition: typeof CITIZEN_CENTRE, url: string): Record<string, unknown> {
  const { initiate_login_uri: _, ...record } = definition.registration(url);
  return { ...record, client_secret: SECRET };
}

/** Two portals and a plain identity server that signs every new browser in as a new person, without a page. */
async function world(): Promise<World> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const privateJwk = { ...(await exportJWK(privateKey)), kid: 'of-the-test', alg: 'ES256', use: 'sig' };
  const server = createServer();
  const issuer = `http://127.0.0.1:${await listen(server)}`;
  const portal = (definition: typeof CITIZEN_CENTRE, pushedRequests: boolean) =>
    startPortal({ definition, issuer, clientId: definition.clientId, clientSecret: SECRET, port: 0, pushedRequests });
  const citizen = await portal(CITIZEN_CENTRE, false);
  const business = await portal(BUSINESS_START_UP, true);

  const configuration: Configuration = {
    adapter: MemoryAdapter,
    clients: [
      plainRecord(CITIZEN_CENTRE, citizen.url),
      plainRecord(BUSINESS_START_UP, business.url),
    ] as unknown as NonNullable<Configuration['clients']>,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], profile: ['name'], identity: Object.keys(PERSON).slice(1) },
    cookies: { keys: ['a-cookie-key-of-this-test'] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        // The library's own page loads a font from abroad.
        logoutSource: (context, form) => {
          context.body = `<!doctype html><title>Sign out?</title>${form}
            <button form="op.logoutForm" name="logout" value="yes">Sign out everywhere</button>`;
        },
      },
    },
    // The library's own dispatcher refuses loopback addresses, where the portals of a test live.
    fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined } as RequestInit),
    findAccount: (_context, sub) => ({ accountId: sub, claims: async () => ({ sub, ...PERSON }) }),
    interactions: { policy: interactionPolicy.base(), url: (_context, { uid }) => `/approve/${uid}` },
    jwks: { keys: [privateJwk] } as NonNullable<Configuration['jwks']>,
    pkce: { required: () => true },
    responseTypes: ['code'],
  };
  const provider = new Provider(issuer, configuration);
  const answer = provider.callback();
  server.on('request', async (request, response) => {
    if (!request.url?.startsWith('/approve/')) return answer(request, response);
    const { params, session } = await provider.interactionDetails(request, response);
    const accountId = session?.accountId ?? crypto.randomUUID();
    const grant = new provider.Grant({ accountId, clientId: params.client_id as string });
    grant.addOIDCScope(SCOPE);
    const result = { login: { accountId, amr: ['pwd', 'otp'] }, consent: { grantId: await grant.save() } };
    await provider.interactionFinished(request, response, result);
  });
  return {
    issuer,
    citizen,
    business,
    privateJwk,
    async close() {
      await Promise.all([citizen.close(), business.close()]);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

let shared: World;
test.before(async () => {
  shared = await world();
});
test.after.always(() => shared?.close());

const sessionOf = async (browser: ReturnType<typeof createBrowser>, { url }: RunningPortal) =>
  JSON.parse((await browser.get(`${url}/session.json`)).text) as {
    signedIn: boolean;
    sub: string;
    sid: string;
    claims: Record<string, unknown>;
  };

async function signedIn() {
  const browser = createBrowser(shared.citizen.url);
  await browser.get('/login');
  const home = await browser.follow();
  return { browser, home, session: await sessionOf(browser, shared.citizen) };
}

const logoutClaims = (
  session: { readonly sub: string; readonly sid: string },
  jti = crypto.randomUUID(),
): JWTPayload => ({
  iss: shared.issuer,
  aud: CITIZEN_CENTRE.clientId,
  iat: nowSeconds(),
  exp: nowSeconds() + 120,
  jti,
  sub: session.sub,
  sid: session.sid,
  events: { [LOGOUT_EVENT]: {} },
});

async function logoutToken(claims: JWTPayload, { typ = 'logout+jwt', jwk = shared.privateJwk } = {}): Promise<string> {
  const header = { alg: 'ES256', typ, kid: shared.privateJwk.kid as string };
  return new SignJWT(claims).setProtectedHeader(header).sign(await importJWK(jwk, 'ES256'));
}

const send = (token: string) => createBrowser(shared.citizen.url).post('/backchannel-logout', { logout_token: token });

test('a person who signs in at one portal is signed in at the other without a page (G1)', async (t) => {
  const { browser, home, session } = await signedIn();
  t.is(home.url, `${shared.citizen.url}/`);
  t.true(home.text.includes('欧阳晓明 &lt;b&gt;，您好'), 'the name is shown, escaped');
  t.true(home.text.includes('3****************X'));
  t.true(session.signedIn);
  t.is(session.claims.name, PERSON.name);
  await browser.get(`${shared.business.url}/login`);
  t.is((await browser.follow()).url, `${shared.business.url}/`);
  await browser.get(`${shared.citizen.url}/login?prompt=none`);
  t.is((await browser.follow()).url, `${shared.citizen.url}/`, 'now also when no page may be shown');
  t.is((await sessionOf(browser, shared.business)).claims.name, PERSON.name);
});

test('asked silently, a stranger gets a calm page and a way to sign in', async (t) => {
  const browser = createBrowser(shared.citizen.url);
  await browser.get('/login?prompt=none');
  const page = await browser.follow();
  t.is(page.status, 403);
  t.true(page.text.includes('您还没有登录'));
  t.true(page.text.includes('href="/login"'));
});

test('signing out at one portal ends the session at the other (C8, C10)', async (t) => {
  const { browser } = await signedIn();
  await browser.get(`${shared.business.url}/login`);
  await browser.follow();
  t.true((await sessionOf(browser, shared.business)).signedIn);

  await browser.get(`${shared.citizen.url}/`);
  await browser.submit({}, '/logout');
  t.true(browser.page.location?.startsWith(`${shared.issuer}/session/end`));
  await browser.follow();
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  const end = await browser.follow();
  t.is(end.url, `${shared.citizen.url}/signed-out`);
  t.true(end.text.includes('您已退出本站'));
  t.false((await sessionOf(browser, shared.citizen)).signedIn);
  t.false((await sessionOf(browser, shared.business)).signedIn, 'told by the back channel');
});

test('a GET or a post from another site signs nobody out (C9)', async (t) => {
  const { browser } = await signedIn();
  const led = await browser.get('/logout');
  t.true(
    led.location?.startsWith(`${shared.issuer}/session/end?`),
    'a link leads to the question of the identity server',
  );
  t.true((await sessionOf(browser, shared.citizen)).signedIn, 'and by itself ends nothing');
  const asked = await browser.post('/logout', {}, { origin: 'https://elsewhere.example' });
  t.is(asked.status, 200);
  t.is(formOf(asked.text).action, '/logout');
  t.true((await sessionOf(browser, shared.citizen)).signedIn);
});

test('a good logout token ends the session it names, once (C10)', async (t) => {
  const [one, another] = [await signedIn(), await signedIn()];
  const token = await logoutToken(logoutClaims(one.session));
  const first = await send(token);
  t.is(first.status, 200);
  t.is(first.headers['cache-control'], 'no-store');
  t.false((await sessionOf(one.browser, shared.citizen)).signedIn);
  t.true((await sessionOf(another.browser, shared.citizen)).signedIn, 'the other device stays signed in');
  t.is((await send(token)).status, 400, 'replayed');
  const { sid: _sid, ...ofThePerson } = logoutClaims(another.session);
  t.is((await send(await logoutToken(ofThePerson))).status, 200);
  t.false((await sessionOf(another.browser, shared.citizen)).signedIn, 'without sid all sessions of the person end');
});

test('logout tokens that are not exactly right end nothing (C10, B3)', async (t) => {
  const { browser, session } = await signedIn();
  const good = logoutClaims(session);
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const stranger = await exportJWK(privateKey);
  const without = (...names: string[]): JWTPayload =>
    Object.fromEntries(Object.entries(good).filter(([key]) => !names.includes(key)));
  const unsigned = [{ alg: 'none', typ: 'logout+jwt' }, good].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const bad: Record<string, string> = {
    'signed by another key': await logoutToken(good, { jwk: stranger }),
    unsigned: `${unsigned.join('.')}.`,
    'no token at all': 'x',
    'typed as an ID token': await logoutToken(good, { typ: 'JWT' }),
    'of another issuer': await logoutToken({ ...good, iss: 'https://elsewhere.example' }),
    'for another portal': await logoutToken({ ...good, aud: BUSINESS_START_UP.clientId }),
    expired: await logoutToken({ ...good, exp: nowSeconds() - 30 }),
    'issued long ago': await logoutToken({ ...good, iat: nowSeconds() - 3600, exp: nowSeconds() + 3600 }),
    'issued in the future': await logoutToken({ ...good, iat: nowSeconds() + 600, exp: nowSeconds() + 900 }),
    'with a nonce': await logoutToken({ ...good, nonce: 'n' }),
    'with another event': await logoutToken({ ...good, events: { 'urn:other': {} } }),
    'with an event that is no object': await logoutToken({ ...good, events: { [LOGOUT_EVENT]: true } }),
    'with an empty sid': await logoutToken({ ...good, sid: '' }),
    'naming nobody': await logoutToken(without('sub', 'sid')),
  };
  for (const name of ['iss', 'aud', 'iat', 'exp', 'jti', 'events'])
    bad[`without ${name}`] = await logoutToken(without(name));
  for (const [what, token] of Object.entries(bad)) t.is((await send(token)).status, 400, what);
  t.is((await createBrowser(shared.citizen.url).post('/backchannel-logout', { a: 'b'.repeat(20_000) })).status, 413);
  t.true((await sessionOf(browser, shared.citizen)).signedIn);
});

test('an answer is accepted once, and only in the browser that asked (E1)', async (t) => {
  const victim = createBrowser(shared.citizen.url);
  await victim.get('/login');
  await victim.follow(`${shared.citizen.url}/callback`);
  const answer = victim.page.location ?? '';
  t.is((await createBrowser(shared.citizen.url).get(answer)).status, 400);
  t.is((await victim.get(answer)).status, 400, 'spent by the attempt of the other browser');
  t.is((await victim.get('/callback?error=access_denied')).status, 400);
  await victim.get('/login');
  await victim.follow(`${shared.citizen.url}/callback`);
  const denied = new URL(victim.page.location ?? '');
  denied.searchParams.delete('code');
  denied.searchParams.set('error', 'access_denied');
  const page = await victim.get(denied.href);
  t.is(page.status, 403);
  t.true(page.text.includes('登录没有完成'));
});

test('a portal starts before its identity server, and says calmly that it cannot be reached', async (t) => {
  const reserved = createServer();
  const issuer = `http://127.0.0.1:${await listen(reserved)}`;
  await new Promise((resolve) => reserved.close(resolve));
  const definition = CITIZEN_CENTRE;
  const portal = await startPortal({ definition, issuer, clientId: 'citizen-centre', clientSecret: SECRET, port: 0 });
  t.teardown(() => portal.close());
  const browser = createBrowser(portal.url);
  t.is((await browser.get('/')).status, 200);
  const page = await browser.get('/login');
  t.is(page.status, 503);
  t.true(page.text.includes('暂时连不上统一身份'));
  t.is(
    (await browser.post('/backchannel-logout', { logout_token: 'x' })).status,
    503,
    'so that the server sends it again',
  );

  const late = createServer();
  await new Promise<void>((resolve) => late.listen(Number(new URL(issuer).port), '127.0.0.1', resolve));
  t.teardown(() => late.close());
  const provider = new Provider(issuer, {
    cookies: { keys: ['k'] },
    features: { devInteractions: { enabled: false } },
  });
  late.on('request', provider.callback());
  t.true((await browser.get('/login')).location?.startsWith(`${issuer}/auth?`), 'found as soon as it is there');
});

test('plain http is refused for an issuer that is not on this machine', async (t) => {
  const definition = CITIZEN_CENTRE;
  for (const issuer of ['http://id.example', 'http://localhost.example', 'http://127.0.0.1.example']) {
    const options = { definition, issuer, clientId: 'citizen-centre', clientSecret: SECRET, port: 0 };
    await t.throwsAsync(startPortal(options), { message: /https/ });
  }
});

test('numbers are masked and the language follows the browser', (t) => {
  t.is(masked('11010519491231002X'), '1****************X');
  t.is(masked('3****************X'), '3****************X');
  t.is(masked('12'), '**');
  t.is(languageOf(undefined), 'zh');
  t.is(languageOf('fr;q=0.9, de'), 'zh');
  t.is(languageOf('en-GB,en;q=0.9'), 'en');
  t.is(languageOf('zh-CN,zh;q=0.9,en;q=0.8'), 'zh');
  t.is(languageOf('zh;q=0.2,en;q=0.8'), 'en');
});

test('the pages are accessible, need no script and ask nobody else, narrow and wide', async (t) => {
  t.timeout(120_000);
  const launched = await launchBrowser();
  if (launched.state === 'absent') {
    t.log(launched.reason);
    t.pass();
    return;
  }
  t.teardown(() => launched.browser.close());
  const urls = { 'citizen-centre': shared.citizen.url, 'business-start-up': shared.business.url };
  for (const width of [360, 1280]) {
    const { context, watch } = await openContext(launched.browser, { viewport: { width, height: 800 } });
    const page = await context.newPage();
    const inspect = async (name: string): Promise<void> => {
      t.deepEqual(await axeViolations(page), [], `${name} at ${width}`);
      t.false(await overflowsSideways(page), `${name} at ${width} scrolls sideways`);
      await screenshot(page, `portal-${name}-${width}`);
    };
    for (const { clientId, texts } of PORTALS) {
      const url = urls[clientId as keyof typeof urls];
      await page.goto(url);
      await inspect(`${clientId}-landing`);
      await page.goto(`${url}/callback?state=unknown`);
      await inspect(`${clientId}-expired`);
      await page.goto(url);
      await page.getByRole('link', { name: '使用统一身份登录' }).click();
      await page.getByRole('heading', { level: 1, name: /您好/ }).waitFor();
      await inspect(`${clientId}-person`);
      t.is(await page.title(), texts.zh.name);
    }
    await page.goto(urls['citizen-centre']);
    await page.getByRole('button', { name: '退出登录' }).click();
    await page.getByRole('button', { name: 'Sign out everywhere' }).click();
    await page.waitForURL(`${urls['citizen-centre']}/signed-out`);
    await inspect('signed-out');
    t.deepEqual(watch.problems, []);
    await context.close();
  }
  const english = await openContext(launched.browser, { locale: 'en-GB', viewport: { width: 360, height: 800 } });
  const page = await english.context.newPage();
  await page.goto(shared.business.url);
  t.is(await page.getByRole('heading', { level: 1 }).textContent(), BUSINESS_START_UP.texts.en.heading);
  t.deepEqual(await axeViolations(page), []);
  await screenshot(page, 'portal-business-start-up-english-360');

  const scriptless = await openContext(launched.browser, { javaScriptEnabled: false });
  const plain = await scriptless.context.newPage();
  await plain.goto(`${shared.citizen.url}/login`);
  await plain.getByRole('button', { name: '退出登录' }).click();
  await plain.waitForURL(`${shared.issuer}/session/end**`);
});
