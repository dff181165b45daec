import test from 'ava';
import {
  basic,
  introspect,
  OFFLINE,
  pause,
  postAs,
  ROOMY,
  refresh,
  revoke,
  tokensOf,
  userinfo,
} from './support/portal-calls.ts';
import { redemption, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  portal = await server.addPortal();
});
test.after.always(() => server.stop());

const tokenRequest = (headers: Record<string, string>, fields: Record<string, string> | string) =>
  fetch(`${server.issuer}/token`, { method: 'POST', headers, body: new URLSearchParams(fields) });

/** Makes a stored code look as if it had been issued `seconds` earlier. */
async function age({ house }: TestServer, seconds: number): Promise<void> {
  const [row] = await house.database.all<{ id: string; grant_id: string }>(
    "SELECT id, grant_id FROM artifacts WHERE model = 'AuthorizationCode' AND consumed_at IS NULL",
    [],
  );
  const code = await house.store.find('AuthorizationCode', row?.id ?? '');
  if (!row || !code) throw new Error('no code is waiting');
  const { iat, exp } = code.payload as { readonly iat: number; readonly exp: number };
  await house.store.apply([
    {
      kind: 'put',
      model: 'AuthorizationCode',
      id: row.id,
      payload: { ...code.payload, iat: iat - seconds, exp: exp - seconds },
      keys: { grantId: row.grant_id },
      expiresAt: code.expiresAt,
    },
  ]);
}

test('A3 a code is worth nothing a minute after its issue, whatever is tolerated between clocks elsewhere', async (t) => {
  const fresh = await startServer(t);
  await fresh.addPerson(WANG);
  const client = await fresh.addPortal();
  const redeemedAfter = async (seconds: number) => {
    const callback = await fresh.signIn(fresh.browser(), client);
    await age(fresh, seconds);
    return fresh.token(client, redemption(callback));
  };
  t.is((await redeemedAfter(50)).status, 200);
  const { status, body } = await redeemedAfter(60);
  t.is(status, 400);
  t.is(body.error, 'invalid_grant');
});

test('A3 the configured life of a code counts', async (t) => {
  const brief = await startServer(t, { ttl: { authorizationCodeSeconds: 10 } });
  await brief.addPerson(WANG);
  const client = await brief.addPortal();
  const callback = await brief.signIn(brief.browser(), client);
  await age(brief, 10);
  t.is((await brief.token(client, redemption(callback))).status, 400);
});

test('A7 the refresh token of a public client rotates, and its reuse ends the family', async (t) => {
  const strict = await startServer(t, { ttl: { refreshRetrySeconds: 0 } });
  await strict.addPerson(WANG);
  const app = await strict.addPortal({
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  });
  const first = await tokensOf(strict, app, strict.browser(), OFFLINE);
  const second = await refresh(strict, app, first.refresh_token);
  t.is(second.status, 200);
  t.not(second.body.refresh_token, first.refresh_token);
  t.is((await userinfo(strict, second.body.access_token)).status, 200);
  await pause(1100);
  t.is((await refresh(strict, app, first.refresh_token)).status, 400);
  t.is((await refresh(strict, app, second.body.refresh_token)).status, 400, 'the family is over');
  t.is((await userinfo(strict, second.body.access_token)).status, 401, 'and so is what it bought');
  t.true((await strict.events('refresh.reused')).length > 0);
});

test('A7 rotation never moves the end of a family', async (t) => {
  const first = await tokensOf(server, portal, server.browser(), OFFLINE);
  const end = (await introspect(server, portal, first.refresh_token)).exp as number;
  await pause(2300);
  const { body } = await refresh(server, portal, first.refresh_token);
  const successor = await introspect(server, portal, body.refresh_token);
  t.true(successor.active as boolean);
  t.true(Math.abs((successor.exp as number) - end) <= 1, `${String(successor.exp)} after ${end}`);
});

test('A12 token answers are JSON that nobody stores, errors too', async (t) => {
  const callback = await server.signIn(server.browser(), portal);
  const success = await server.token(portal, redemption(callback));
  const failure = await server.token(portal, redemption(callback));
  t.deepEqual([success.status, failure.status], [200, 400]);
  for (const { headers } of [success, failure]) {
    t.is(headers.get('cache-control'), 'no-store');
    t.regex(headers.get('content-type') ?? '', /^application\/json/);
  }
  const answers = [
    await userinfo(server, success.body.access_token),
    await postAs(server, portal, '/token/introspection', { token: String(success.body.access_token) }),
  ];
  for (const answer of answers) t.is(answer.headers.get('cache-control'), 'no-store', answer.url);
});

test('A13 a portal that fails to prove itself gets 401, with WWW-Authenticate where it tried Basic', async (t) => {
  const grant = { grant_type: 'client_credentials' };
  const wrong = await tokenRequest(basic({ ...portal, secret: 'wrong' }), grant);
  t.is(wrong.status, 401);
  t.regex(wrong.headers.get('www-authenticate') ?? '', /^Basic /i);
  t.is(((await wrong.json()) as { error: string }).error, 'invalid_client');

  const unknown = await tokenRequest(basic({ id: 'rp_nobody', secret: 'x' }), grant);
  t.is(unknown.status, 401);
  const none = await tokenRequest({}, { ...grant, client_id: portal.id });
  t.is(none.status, 401);
});

test('A13 two ways to prove oneself at once, or one that is not registered, are refused', async (t) => {
  const grant = { grant_type: 'client_credentials' };
  const two = await tokenRequest(basic(portal), { ...grant, client_id: portal.id, client_secret: portal.secret });
  t.is(two.status, 400);
  const inBody = await tokenRequest({}, { ...grant, client_id: portal.id, client_secret: portal.secret });
  t.is(inBody.status, 401, 'the portal is registered for Basic');
  const other = await tokenRequest(basic(portal), { ...grant, client_id: 'rp_someone_else' });
  t.true(other.status === 400 || other.status === 401);

  const byBody = await server.addPortal({ token_endpoint_auth_method: 'client_secret_post' });
  const good = await tokenRequest({}, { ...grant, client_id: byBody.id, client_secret: byBody.secret });
  t.is(good.status, 200);
  t.is((await tokenRequest(basic(byBody), grant)).status, 401);
});

test('A13 malformed credentials are an error of the portal, never of the server', async (t) => {
  for (const authorization of [
    'Basic',
    'Basic !!!',
    `Basic ${btoa('no-colon')}`,
    `Basic ${btoa(`${portal.id}:`)}`,
    `Basic ${btoa(`${portal.id}:%zz`)}`,
    `Basic ${btoa(`${portal.id}:\0`)}`,
    'Bearer x',
    'Basic a b c',
  ]) {
    const { status } = await tokenRequest({ authorization }, { grant_type: 'client_credentials' });
    t.true(status === 400 || status === 401, `${authorization}: ${status}`);
  }
});

test('A6 A20 V7 a portal uses the grants it is registered for, and no others exist', async (t) => {
  const codeOnly = await server.addPortal({ grant_types: ['authorization_code'] });
  const refused = await server.token(codeOnly, { grant_type: 'client_credentials' });
  t.is(refused.status, 400);
  for (const grantType of [
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:device_code',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:openid:params:grant-type:ciba',
    '__proto__',
    'constructor',
    '',
  ]) {
    for (const client of [portal, codeOnly]) {
      const answer = await server.token(client, {
        grant_type: grantType,
        username: WANG.idNumber,
        password: 'correct horse battery',
      });
      t.is(answer.status, 400, grantType);
      t.regex(String(answer.body.error), /^(unsupported_grant_type|unauthorized_client|invalid_request)$/);
    }
  }
});

test('A20 a portal without the refresh grant gets no refresh token, whatever it asks for', async (t) => {
  const codeOnly = await server.addPortal({ grant_types: ['authorization_code'] });
  const body = await tokensOf(server, codeOnly, server.browser(), OFFLINE);
  t.is(body.refresh_token, undefined);
});

test('A19 A20 a portal gets no scope it is not registered for', async (t) => {
  const modest = await server.addPortal({ scope: 'openid' });
  const browser = server.browser();
  t.is((await tokensOf(server, modest, browser, { scope: 'openid' })).scope, 'openid');
  const more = await server.signIn(browser, modest, { query: { scope: 'openid id_number' } });
  t.is(more.searchParams.get('error'), 'invalid_scope');
  const service = await server.token(modest, { grant_type: 'client_credentials', scope: 'id_number' });
  t.not(service.status, 200);
});

test('A19 V11 a token is told about and revoked for its own portal alone', async (t) => {
  const stranger = await server.addPortal();
  const browser = server.browser();
  const body = await tokensOf(server, portal, browser, OFFLINE);
  for (const token of [body.access_token, body.refresh_token]) {
    t.deepEqual(await introspect(server, stranger, token), { active: false });
    t.true((await introspect(server, portal, token)).active as boolean);
    t.is((await revoke(server, stranger, token)).status, 400);
    t.true((await introspect(server, portal, token)).active as boolean, 'a stranger revoked nothing');
  }
  t.is((await revoke(server, portal, body.access_token)).status, 200);
  t.deepEqual(await introspect(server, portal, body.access_token), { active: false });
  t.is((await userinfo(server, body.access_token)).status, 401);
  t.is((await refresh(server, portal, body.refresh_token)).status, 400, 'RFC 7009 2.1: its family ends with it');

  const again = await tokensOf(server, portal, browser, OFFLINE);
  t.is((await revoke(server, portal, again.refresh_token)).status, 200);
  t.is((await userinfo(server, again.access_token)).status, 401);
  t.is((await revoke(server, portal, 'never issued')).status, 200);
});

test('A19 introspection needs a portal that proves itself', async (t) => {
  const body = await tokensOf(server, portal, server.browser());
  const open = await server.addPortal({ token_endpoint_auth_method: 'none', grant_types: ['authorization_code'] });
  for (const [headers, fields] of [
    [{}, {}],
    [{}, { client_id: portal.id }],
    [{}, { client_id: open.id }],
    [basic({ ...portal, secret: 'x' }), {}],
  ] as const) {
    const answer = await fetch(`${server.issuer}/token/introspection`, {
      method: 'POST',
      headers,
      body: new URLSearchParams({ token: String(body.access_token), ...fields }),
    });
    t.notRegex(await answer.text(), /"active":true/);
  }
});

test('A27 a duplicate parameter at the token endpoint is refused', async (t) => {
  const callback = await server.signIn(server.browser(), portal);
  const fields = new URLSearchParams(redemption(callback));
  fields.append('code', 'other');
  const answer = await fetch(`${server.issuer}/token`, { method: 'POST', headers: basic(portal), body: fields });
  t.is(answer.status, 400);
  t.is((await server.token(portal, redemption(callback))).status, 200, 'and the code was not spent on it');
});
