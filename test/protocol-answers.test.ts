import { createHash } from 'node:crypto';
import test from 'ava';
import { answerOf, basic, OFFLINE, pause, ROOMY, refresh, tokensOf, userinfo } from './support/portal-calls.ts';
import {
  authorizationPath,
  CHALLENGE,
  REDIRECT_URI,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  portal = await server.addPortal();
});
test.after.always(() => server.stop());

const push = (client: TestPortal, fields: Record<string, string> = {}) =>
  fetch(`${server.issuer}/request`, {
    method: 'POST',
    headers: basic(client),
    body: new URLSearchParams({
      client_id: client.id,
      redirect_uri: REDIRECT_URI,
      response_type: 'code',
      scope: 'openid profile',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      ...fields,
    }),
  });

const pushed = async (client: TestPortal) => {
  const answer = (await (await push(client)).json()) as { request_uri: string; expires_in: number };
  return answer;
};

test('A15 a pushed request lives briefly and belongs to the portal that pushed it', async (t) => {
  const stranger = await server.addPortal();
  const { request_uri: requestUri, expires_in: expiresIn } = await pushed(portal);
  t.true(expiresIn <= 600);
  t.regex(requestUri, /^urn:ietf:params:oauth:request_uri:/);
  const path = (id: string) => `/auth?${new URLSearchParams({ client_id: id, request_uri: requestUri })}`;
  const stolen = await server.browser().get(path(stranger.id));
  t.is(stolen.status, 400);
  t.is(stolen.location, undefined);
  t.regex((await server.browser().get(path(portal.id))).location ?? '', /\/interaction\//);
});

test('A15 A16 V26 a pushed request names no other request, and no request is fetched from an address', async (t) => {
  t.is((await push(portal, { request_uri: 'urn:ietf:params:oauth:request_uri:x' })).status, 400);
  t.is((await push(portal, { request: 'eyJhbGciOiJub25lIn0.e30.' })).status, 400);
  t.is((await push(portal, { redirect_uri: 'https://evil.cn/' })).status, 400);
  t.is((await push(portal, { code_challenge: '' })).status, 400);
  t.is((await push({ ...portal, secret: 'wrong' })).status, 401);
  for (const requestUri of [`${server.issuer}/health/live`, 'https://evil.cn/request', 'file:///etc/passwd']) {
    const page = await server.browser().get(authorizationPath(portal, { request_uri: requestUri }));
    t.regex(
      answerOf(page).get('error') ?? String(page.status),
      /^(invalid_request_uri|request_uri_not_supported|invalid_request|400)$/,
    );
  }
});

test('A16 what stands beside a pushed request is not merged into it', async (t) => {
  const browser = server.browser();
  await server.signIn(browser, portal);
  const { request_uri: requestUri } = await pushed(portal);
  const query = new URLSearchParams({
    client_id: portal.id,
    request_uri: requestUri,
    state: 'smuggled',
    scope: 'openid',
  });
  const answer = answerOf(await browser.get(`/auth?${query}`));
  t.truthy(answer.get('code'));
  t.is(answer.get('state'), null);
});

test('A16 A25 a portal registered for pushed requests gets no others through', async (t) => {
  const strict = await server.addPortal({ require_pushed_authorization_requests: true });
  const page = await server.browser().get(authorizationPath(strict));
  t.is(answerOf(page).get('error'), 'invalid_request');
  t.is(answerOf(page).get('code'), null);
});

test('A21 V25 the form_post page escapes, runs one script by hash, and may post to the portal alone', async (t) => {
  const browser = server.browser();
  await server.signIn(browser, portal);
  const state = `"><script>alert(1)</script>'&`;
  const page = await browser.get(authorizationPath(portal, { response_mode: 'form_post', state }));
  t.is(page.status, 200);
  t.false(page.text.includes('<script>alert(1)'));
  t.regex(page.text, /action="https:\/\/portal\.example\/callback"/);
  const scripts = [...page.text.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text = '']) => text);
  t.is(scripts.length, 1);
  const policy = String(page.headers['content-security-policy']);
  const hash = createHash('sha256')
    .update(scripts[0] ?? '')
    .digest('base64');
  t.true(policy.includes(`'sha256-${hash}'`), policy);
  t.regex(policy, /form-action 'self' https:\/\/portal\.example(;|$)/);
  t.false(policy.includes('unsafe-inline'));
  t.is(page.headers['cache-control'], 'no-store');
});

test('A21 a portal gets the response modes it is registered for', async (t) => {
  const queryOnly = await server.addPortal({ response_modes: ['query'] });
  for (const [client, mode] of [
    [queryOnly, 'form_post'],
    [portal, 'fragment'],
    [portal, 'web_message'],
    [portal, 'jwt'],
    [portal, '__proto__'],
  ] as const) {
    const page = await server.browser().get(authorizationPath(client, { response_mode: mode }));
    t.not(page.status, 200, mode);
    t.false(`${page.location} ${page.url}`.includes('/interaction/'), `${mode} ${page.location}`);
  }
});

test('A23 after a password the browser is sent on with 303, never with a repetition of it', async (t) => {
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  const page = await browser.submit({ identifier: WANG.idNumber, password: 'correct horse battery' }, '/identify');
  t.is(page.status, 303);
  t.false((page.location ?? '').includes(WANG.idNumber));
  await browser.follow((url) => url.origin !== server.issuer);
  t.is((await browser.submit({ decision: 'allow' }, '/consent')).status, 303);
});

test('A28 discovery and keys may be read from anywhere, the rest by the portal’s own pages', async (t) => {
  const from = (origin: string, path: string, init: RequestInit = {}) =>
    fetch(server.issuer + path, { ...init, headers: { origin, ...(init.headers ?? {}) } });
  const allowed = (answer: Response) => answer.headers.get('access-control-allow-origin');
  for (const path of ['/.well-known/openid-configuration', '/jwks']) {
    for (let time = 0; time < 2; time += 1) {
      const answer = await from('https://anywhere.cn', path);
      t.is(answer.status, 200);
      t.is(allowed(answer), '*', path);
      t.is(answer.headers.get('access-control-allow-credentials'), null);
    }
  }
  const token = (origin: string) =>
    from(origin, '/token', {
      method: 'POST',
      headers: basic(portal),
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
  t.is(allowed(await token('https://portal.example')), 'https://portal.example');
  for (const origin of ['https://evil.cn', 'null', 'https://portal.example.evil.cn', 'http://portal.example']) {
    const answer = await token(origin);
    t.not(allowed(answer), origin, origin);
    t.not(allowed(answer), '*');
  }
  for (const path of ['/', '/account', '/interaction/x', authorizationPath(portal)]) {
    t.is(allowed(await from('https://portal.example', path, { redirect: 'manual' })), null, path);
  }
});

test('A3 X8 an interaction left lying is over, and says so with a number', async (t) => {
  const brief = await startServer(t, { ttl: { interactionSeconds: 60 } });
  const client = await brief.addPortal();
  const browser = brief.browser();
  await browser.get(authorizationPath(client));
  const { url: address } = await browser.follow();
  const left = await brief.house.database.all<{ id: string }>(
    "SELECT id FROM artifacts WHERE model = 'Interaction'",
    [],
  );
  await brief.house.store.apply(left.map(({ id }) => ({ kind: 'destroy', model: 'Interaction', id }) as const));
  await pause(10);
  const page = await browser.get(address);
  t.is(page.status, 400);
  t.regex(page.text, /class="number">\d{4}</);
});

test('F2 V42 a portal that is switched off is out at once: no request, no token, none of its old ones', async (t) => {
  const closed = await server.addPortal();
  const tokens = await tokensOf(server, closed, server.browser(), OFFLINE);
  await server.house.relyingParties.disable(closed.id, 'test');
  const page = await server.browser().get(authorizationPath(closed));
  t.is(page.status, 400);
  t.is(page.location, undefined);
  t.is((await server.token(closed, { grant_type: 'client_credentials' })).status, 401);
  t.is((await refresh(server, closed, tokens.refresh_token)).status, 401);
  t.is((await userinfo(server, tokens.access_token)).status, 401);
});
