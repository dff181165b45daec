import { connect } from 'node:net';
import test from 'ava';
import { basic, ROOMY } from './support/portal-calls.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  portal = await server.addPortal();
});
test.after.always(() => server.stop());

/** Sends bytes as they are and resolves with all that comes back until the server hangs up, or `null` when it does not in time. */
function speak(address: string, text: string, timeoutMs = 20_000): Promise<string | null> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(new URL(address).port), '127.0.0.1', () => socket.write(text));
    const giveUp = setTimeout(() => {
      socket.destroy();
      resolve(null);
    }, timeoutMs);
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(giveUp);
      resolve(answer);
    });
  });
}

const hostOf = (address: string): string => new URL(address).host;
const ask = (line: string, headers = ''): Promise<string | null> =>
  speak(server.issuer, `${line} HTTP/1.1\r\nHost: ${hostOf(server.issuer)}\r\nConnection: close\r\n${headers}\r\n`);

test('E5 R13 every answer has the security headers, whatever its status and kind', async (t) => {
  const auth = authorizationPath(portal);
  const requests: [string, RequestInit, number][] = [
    ['/', {}, 200],
    ['/health/live', {}, 200],
    ['/.well-known/openid-configuration', {}, 200],
    ['/jwks', {}, 200],
    [auth, {}, 200],
    [`${auth}&login_hint=x`, {}, 303],
    ['/account', {}, 303],
    ['/auth', { headers: { accept: 'text/html' } }, 400],
    ['/token', { method: 'POST', body: new URLSearchParams({ grant_type: 'x' }) }, 400],
    ['/me', { headers: { authorization: 'Bearer x' } }, 401],
    ['/nowhere', {}, 404],
    ['/TOKEN', { method: 'POST' }, 404],
    ['/token', { method: 'PUT' }, 405],
    ['/interaction/x', { headers: { accept: 'text/html' } }, 400],
    ['/interaction/x/nowhere', {}, 404],
    ['/interaction/x/nowhere', { method: 'POST' }, 405],
    ['/interaction/x/%63onsent', { method: 'POST' }, 405],
    ['/interaction/x/constructor', { method: 'POST' }, 405],
    ['/auth/x', {}, 400],
  ];
  for (const [path, init, status] of requests) {
    const { headers, status: actual } = await fetch(server.issuer + path, { redirect: 'manual', ...init });
    t.is(actual, status, path);
    const policy = headers.get('content-security-policy') ?? '';
    t.regex(policy, /default-src 'none'/, path);
    t.regex(policy, /frame-ancestors 'none'/, path);
    t.regex(policy, /form-action 'self'/, path);
    t.false(policy.includes('unsafe-'), path);
    t.is(headers.get('x-content-type-options'), 'nosniff', path);
    t.is(headers.get('referrer-policy'), 'no-referrer', path);
    t.is(headers.get('x-frame-options'), 'DENY', path);
    t.is(headers.get('cross-origin-opener-policy'), 'same-origin', path);
    t.is(headers.get('server'), null);
    t.is(headers.get('x-powered-by'), null);
  }
});

test('E5 behind https the year of HSTS comes with every answer, and the session cookie is __Host-', async (t) => {
  const secure = await startServer(t, { issuer: 'https://id.example' });
  const answer = await speak(
    `http://localhost:${secure.house.config.port}`,
    'GET /.well-known/openid-configuration HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n',
  );
  t.regex(answer ?? '', /strict-transport-security: max-age=31536000; includeSubDomains/i);
  t.true(answer?.includes('"authorization_endpoint":"https://id.example/auth"'));
  t.false(answer?.includes('"http://'));
});

test('C1 G3 V30 V44 V61 behind a proxy that passes strange headers on, all addresses are still the issuer’s', async (t) => {
  const proxied = await startServer(t, { issuer: 'https://id.example', http: { trustedProxies: 1 } });
  const through = (path: string, headers: string) =>
    speak(
      `http://localhost:${proxied.house.config.port}`,
      `GET ${path} HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n${headers}\r\n`,
    );
  const strange =
    'X-Forwarded-Host: evil.cn\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: <script>, not-an-address\r\n';
  const first = await through('/.well-known/openid-configuration', strange);
  t.true(first?.includes('"token_endpoint":"https://id.example/token"'));
  t.false(first?.includes('evil.cn'));
  const page = await through('/session/end', strange);
  t.regex(page ?? '', /^HTTP\/1.1 200/);
  t.false(page?.includes('evil.cn'));
  for (const name of ['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto'])
    for (const value of [', '.repeat(6000), `${' '.repeat(12_000)}a`, `user@${'a.'.repeat(6000)}cn`])
      t.regex((await through('/session/end', `${name}: ${value}\r\n`)) ?? '', /^HTTP\/1.1 200/, `V61 ${name}`);
});

test('H3 TRACE and methods nobody needs are refused without an echo', async (t) => {
  for (const method of ['TRACE', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'CONNECT']) {
    const answer = await ask(`${method} /token`, 'X-Secret: abc\r\n');
    t.true(
      answer === null || /^HTTP\/1.1 (405|400) /.test(answer) || answer === '',
      `${method} ${answer?.slice(0, 40)}`,
    );
    t.false(answer?.includes('abc') ?? false);
  }
  const override = await fetch(`${server.issuer}/account`, {
    method: 'POST',
    headers: { 'x-http-method-override': 'GET' },
    redirect: 'manual',
  });
  t.true([404, 405].includes(override.status));
});

test('G6 a form or a call without any body is answered at once, and the connection serves the next request', async (t) => {
  const form = 'Content-Type: application/x-www-form-urlencoded\r\n';
  const portalProof = `Authorization: ${basic(portal).authorization}\r\n`;
  for (const [path, headers, expected] of [
    ['/token', portalProof, /^400$/],
    ['/token', form + portalProof, /^400$/],
    ['/token/introspection', form + portalProof, /^400$/],
    ['/request', form + portalProof, /^400$/],
    ['/me', form, /^40[01]$/],
    ['/auth', form, /^400$/],
    ['/session/end', form, /^400$/],
    ['/interaction/x/identify', form, /^400$/],
    ['/register', form, /^400$/],
    ['/account/sign-out', form, /^[34]\d\d$/],
  ] as const) {
    const first = `POST ${path} HTTP/1.1\r\nHost: ${hostOf(server.issuer)}\r\nAccept: text/html\r\n${headers}\r\n`;
    const next = `GET /jwks HTTP/1.1\r\nHost: ${hostOf(server.issuer)}\r\nConnection: close\r\n\r\n`;
    const answers = (await speak(server.issuer, first + next)) ?? '';
    const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status!);
    t.is(statuses.length, 2, `${path} ${answers.slice(0, 200)}`);
    t.regex(statuses[0]!, expected, path);
    t.is(statuses[1], '200', path);
  }
});

test('H3 no answer shows a stack, a path of the machine or a version', async (t) => {
  for (const path of [
    '/auth/unknown-uid?client_id=x',
    `/auth/unknown-uid?client_id=${portal.id}`,
    '/device/x',
    '/interaction/%00',
    '/interaction/%ff',
    '/assets/../../package.json',
    '/assets/%2e%2e%2fpackage.json',
    '/session/end?id_token_hint=%00',
    '/%c0%ae%c0%ae/etc/passwd',
    '/?lang=%ff',
    `/auth?${'a='.repeat(2000)}`,
  ]) {
    const answer = (await ask(`GET ${path}`)) ?? '';
    t.regex(answer, /^HTTP\/1\.1 [234]\d\d /, path);
    t.notRegex(answer, /node_modules|at \w+ \(|\/work\/|\.ts:\d|SQLITE|oidc-provider|koa/i, path);
  }
});

test('E8 no page of a ceremony or an account is kept by a browser', async (t) => {
  const browser = server.browser();
  const kept: string[] = [];
  const look = () => {
    if (browser.page.headers['cache-control'] !== 'no-store') kept.push(browser.page.url);
  };
  await browser.get(authorizationPath(portal));
  look();
  await browser.follow();
  look();
  await browser.submit({ identifier: WANG.idNumber, password: 'wrong' }, '/identify');
  look();
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await browser.follow((url) => url.origin !== server.issuer);
  look();
  for (const path of ['/account', '/session/end', '/', '/register', '/nowhere']) {
    await browser.get(path);
    look();
  }
  t.deepEqual(kept, []);
});

test('H4 the health of the server is asked by address, and says no more than that', async (t) => {
  for (const path of ['/health/live', '/health/ready']) {
    const answer = await speak(server.issuer, `GET ${path} HTTP/1.1\r\nHost: 10.0.0.7\r\nConnection: close\r\n\r\n`);
    t.regex(answer ?? '', /^HTTP\/1.1 200 /);
    t.regex(answer ?? '', /\{"status":"ok"\}$/);
  }
});

test('G6 a body or an address above the limit is refused, and so is a form with more parameters than any has', async (t) => {
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(server.issuer + path, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...basic(portal), ...headers },
      body,
    });
  const big = `grant_type=client_credentials&x=${'x'.repeat(60_000)}`;
  const many = `grant_type=client_credentials${'&a=b'.repeat(1200)}`;
  for (const path of ['/token', '/auth', '/request', '/token/introspection', '/register']) {
    const { status } = await post(path, big);
    t.true(status >= 400 && status < 500, `${path} ${status}`);
  }
  t.true([400, 413].includes((await post('/register', many)).status));
  t.is((await fetch(`${server.issuer}/auth?${'x'.repeat(9000)}`)).status, 400);
  t.regex((await ask('GET /', `X-Long: ${'x'.repeat(20_000)}\r\n`)) ?? '', /^HTTP\/1.1 431 /);
  const json = await post('/token', '{"grant_type":"client_credentials"}', { 'content-type': 'application/json' });
  t.is(json.status, 400);
});

test('G5 names of the language are nobody’s client, scope, claim or parameter', async (t) => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype']) {
    const page = await server.browser().get(authorizationPath({ id: name, secret: '' }));
    t.is(page.status, 400, name);
    t.is(page.location, undefined);
    const answer = await server.token({ id: name, secret: name }, { grant_type: 'client_credentials' });
    t.is(answer.status, 401, name);
    const scope = await server.token(portal, { grant_type: 'client_credentials', scope: name });
    t.true(scope.status === 400 || scope.body.scope === undefined, name);
    t.true((await server.browser().get(`${authorizationPath(portal)}&${name}=x`)).status < 500, name);
    t.true((await server.browser().get(`/interaction/${name}`)).status < 500, name);
    t.true((await server.browser().get(`/?lang=${name}&text=${name}`)).status < 500, name);
  }
});

test('A12 H3 an address in other letters or with a slash more is another address', async (t) => {
  for (const path of ['/Token', '/token/', '/TOKEN/introspection', '/jwks/', '/.well-known/OpenID-configuration']) {
    t.is((await fetch(server.issuer + path, { method: 'POST' })).status, 404, path);
  }
});

test('R17 P8 a client that sends too slowly is cut, before its headers are whole and after', async (t) => {
  const strict = await startServer(t, { http: { headersTimeoutMs: 1000, requestTimeoutMs: 1500 } });
  const host = `Host: ${hostOf(strict.issuer)}\r\n`;
  const [headers, body] = await Promise.all([
    speak(strict.issuer, `GET / HTTP/1.1\r\n${host}X-Slow: `),
    speak(
      strict.issuer,
      `POST /token HTTP/1.1\r\n${host}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant`,
    ),
  ]);
  t.notRegex(headers ?? 'not cut', /^HTTP\/1.1 200|not cut/);
  t.notRegex(body ?? 'not cut', /^HTTP\/1.1 200|not cut/);
});

test('R17 one address opens only so many connections, and the others are not its victims', async (t) => {
  const strict = await startServer(t, { http: { connectionsPerAddressMax: 3 } });
  const sockets = Array.from({ length: 3 }, () => connect(Number(new URL(strict.issuer).port), '127.0.0.1'));
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  const line = `GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
  t.is(await speak(strict.issuer, line), '');
  sockets[0]?.destroy();
  let answer: string | null = '';
  for (let time = 0; time < 100 && answer === ''; time += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    answer = await speak(strict.issuer, line);
  }
  t.regex(answer ?? '', /^HTTP\/1.1 200/);
});
