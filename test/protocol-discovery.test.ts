import { request } from 'node:http';
import test from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { payloadOf, postAs, ROOMY, refresh, tokensOf, userinfo } from './support/portal-calls.ts';
import { redemption, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  portal = await server.addPortal();
});
test.after.always(() => server.stop());

const DISCOVERY = '/.well-known/openid-configuration';

function raw(path: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const { port } = new URL(server.issuer);
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path, headers, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    })
      .on('error', reject)
      .end();
  });
}

test('C1 R12 discovery is the same bytes whatever the headers claim, and names nothing but the issuer', async (t) => {
  const { host } = new URL(server.issuer);
  const plain = await raw(DISCOVERY, { host });
  t.is(plain.status, 200);
  for (const headers of [
    { 'x-forwarded-host': 'evil.cn' },
    { 'x-forwarded-proto': 'https' },
    { 'x-forwarded-for': '203.0.113.9' },
    { forwarded: 'host=evil.cn;proto=https' },
    { 'x-original-host': 'evil.cn', 'x-zitadel-forward-host': 'evil.cn' },
    { origin: 'https://evil.cn' },
  ] as Record<string, string>[]) {
    t.deepEqual(await raw(DISCOVERY, { host, ...headers }), plain);
  }
  const { issuer, ...metadata } = JSON.parse(plain.text) as Record<string, unknown>;
  t.is(issuer, server.issuer);
  for (const [name, value] of Object.entries(metadata)) {
    if (/(endpoint|_uri)$/.test(name)) t.true(String(value).startsWith(`${server.issuer}/`), name);
  }
});

test('C1 G3 R12 V30 V34 V61 a request made out to another host is misdirected', async (t) => {
  const { host, port } = new URL(server.issuer);
  for (const other of [
    'evil.cn',
    `evil.cn:${port}`,
    'localhost',
    `127.0.0.1:${port}`,
    `${host}.evil.cn`,
    `evil.cn@${host}`,
    `${host}@evil.cn`,
    `${host}, evil.cn`,
    '',
  ]) {
    for (const path of [DISCOVERY, '/auth?client_id=x', '/session/end', '/account']) {
      const { status, text } = await raw(path, { host: other });
      t.is(status, 421, `${other} ${path}`);
      t.false(text.includes('evil'));
    }
  }
});

test('C1 A5 A6 A14 S4 discovery promises what the server does and nothing else', async (t) => {
  const metadata = (await (await fetch(server.issuer + DISCOVERY)).json()) as Record<string, unknown>;
  t.deepEqual(metadata.response_types_supported, ['code']);
  t.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
  t.deepEqual(
    new Set(metadata.grant_types_supported as string[]),
    new Set(['authorization_code', 'refresh_token', 'client_credentials']),
  );
  for (const mode of ['form_post', 'query']) t.true((metadata.response_modes_supported as string[]).includes(mode));
  t.is(metadata.authorization_response_iss_parameter_supported, true);
  t.is(metadata.claims_parameter_supported, true);
  t.is(metadata.backchannel_logout_supported, true);
  t.is(metadata.backchannel_logout_session_supported, true);
  t.not(metadata.request_uri_parameter_supported, true);
  t.is(metadata.registration_endpoint, undefined);
  t.is(metadata.device_authorization_endpoint, undefined);
  for (const name of ['token_endpoint_auth_signing_alg_values_supported', 'id_token_signing_alg_values_supported']) {
    for (const alg of metadata[name] as string[]) t.regex(alg, /^(ES256|PS256|RS256|SGD_SM3_SM2)$/, name);
  }
});

test('B5 the key set shows public members alone, each key with a kid of its own, a use and an algorithm', async (t) => {
  const { keys } = (await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: Record<string, string>[] };
  t.true(keys.length >= 2);
  t.is(new Set(keys.map(({ kid }) => kid)).size, keys.length);
  const allowed = new Set(['kty', 'kid', 'use', 'alg', 'crv', 'x', 'y', 'n', 'e']);
  for (const key of keys) {
    t.deepEqual(
      Object.keys(key).filter((member) => !allowed.has(member)),
      [],
    );
    t.regex(String(key.kty), /^(EC|RSA)$/);
    t.is(key.use, 'sig');
    t.truthy(key.alg);
  }
});

test('B7 a person is one subject to the portals of one sector, and strangers to all others', async (t) => {
  const neighbour = await server.addPortal({ redirect_uris: ['https://portal.example/callback'] });
  const far = await server.addPortal({ sector: 'tax.example' });
  const browser = server.browser();
  const sub = async (client: TestPortal) => payloadOf((await tokensOf(server, client, browser)).id_token).sub as string;
  const here = await sub(portal);
  t.is(await sub(portal), here, 'stable');
  t.is(await sub(neighbour), here);
  t.not(await sub(far), here);
  const person = await server.house.persons.findByIdNumber(WANG.idNumber as never);
  for (const seen of [here, await sub(far)]) {
    t.false(seen.includes(WANG.idNumber));
    t.not(seen, person?.id);
  }
});

test('B8 C7 the ID token says how the citizen signed in and no more; its signature and hash hold', async (t) => {
  const callback = await server.signIn(server.browser(), portal, { query: { nonce: 'n-1' } });
  const { body } = await server.token(portal, redemption(callback));
  const keySet = createRemoteJWKSet(new URL(`${server.issuer}/jwks`));
  const { payload, protectedHeader } = await jwtVerify(String(body.id_token), keySet, {
    issuer: server.issuer,
    audience: portal.id,
    algorithms: ['ES256'],
  });
  t.true(protectedHeader.typ === undefined || protectedHeader.typ === 'JWT');
  const allowed = new Set(['iss', 'sub', 'aud', 'exp', 'iat', 'nonce', 'auth_time', 'acr', 'amr', 'at_hash', 'sid']);
  t.deepEqual(
    Object.keys(payload).filter((claim) => !allowed.has(claim)),
    [],
  );
  t.deepEqual(payload.amr, ['pwd']);
  t.is(payload.acr, 'urn:tongban:acr:2');
  t.true(Math.abs((payload.auth_time as number) - Date.now() / 1000) < 30);
});

test('B8 C7 userinfo and introspection come signed to a portal that asked for it, with either algorithm', async (t) => {
  const keySet = createRemoteJWKSet(new URL(`${server.issuer}/jwks`));
  for (const alg of ['ES256', 'RS256']) {
    const signing = await server.addPortal({
      id_token_signed_response_alg: alg,
      userinfo_signed_response_alg: alg,
      introspection_signed_response_alg: alg,
    });
    const body = await tokensOf(server, signing, server.browser());
    const check = { issuer: server.issuer, audience: signing.id, algorithms: [alg] };
    const { payload: idToken } = await jwtVerify(String(body.id_token), keySet, check);
    const me = await userinfo(server, body.access_token);
    t.regex(me.headers.get('content-type') ?? '', /^application\/jwt/);
    const { payload: person } = await jwtVerify(await me.text(), keySet, check);
    t.is(person.sub, idToken.sub);
    t.is(person.name, WANG.name);
    const answer = await fetch(`${server.issuer}/token/introspection`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`${signing.id}:${signing.secret}`)}`,
        accept: 'application/token-introspection+jwt',
      },
      body: new URLSearchParams({ token: String(body.access_token) }),
    });
    const told = await jwtVerify(await answer.text(), keySet, { ...check, typ: 'token-introspection+jwt' });
    t.true((told.payload.token_introspection as { active: boolean }).active);
  }
});

test('C7 A12 userinfo answers GET and POST alike, and 401 with a challenge to whoever may not ask', async (t) => {
  const body = await tokensOf(server, portal, server.browser());
  const sub = payloadOf(body.id_token).sub;
  const headers = { authorization: `Bearer ${String(body.access_token)}` };
  const byGet = (await (await fetch(`${server.issuer}/me`, { headers })).json()) as { sub: string };
  const byPost = await fetch(`${server.issuer}/me`, { method: 'POST', headers });
  t.is(byGet.sub, sub as string);
  t.deepEqual(await byPost.json(), byGet);
  const inBody = await fetch(`${server.issuer}/me`, {
    method: 'POST',
    body: new URLSearchParams({ access_token: String(body.access_token) }),
  });
  t.is(inBody.status, 200);
  for (const token of ['', 'x', 'at_x', String(body.id_token), '__proto__', `${String(body.access_token)}x`]) {
    const answer = await userinfo(server, token);
    t.true(answer.status === 401 || (token === '' && answer.status === 400), `${token} ${answer.status}`);
    t.truthy(answer.headers.get('www-authenticate'), token);
  }
  const inQuery = await fetch(`${server.issuer}/me?access_token=${String(body.access_token)}`);
  t.not(inQuery.status, 200, 'a token in an address ends up in logs');
  const service = await server.token(portal, { grant_type: 'client_credentials' });
  t.is((await userinfo(server, service.body.access_token)).status, 401, 'a service is no person');
  t.is((await postAs(server, portal, '/me', {})).status, 400);
});

test('F6 C6 the ID number goes to a portal approved for it, and no longer once the approval is withdrawn', async (t) => {
  const record = { scope: 'openid id_number offline_access', approved_scopes: ['id_number'] };
  const approved = await server.addPortal(record);
  const claims = JSON.stringify({ id_token: { id_number: null } });
  const query = { scope: 'openid id_number offline_access', prompt: 'consent', claims };
  const body = await tokensOf(server, approved, server.browser(), query);
  t.is(payloadOf(body.id_token).id_number, WANG.idNumber);
  t.true((await (await userinfo(server, body.access_token)).text()).includes(WANG.idNumber));

  const party = await server.house.relyingParties.inspect(approved.id);
  const changed = { ...party?.record, scope: 'openid offline_access', approved_scopes: [] };
  t.true((await server.house.relyingParties.update(approved.id, changed, 'test')).ok);
  t.false((await (await userinfo(server, body.access_token)).text()).includes(WANG.idNumber));
  const renewed = await refresh(server, approved, body.refresh_token);
  t.is(payloadOf(renewed.body.id_token).id_number, undefined);
  t.false((await (await userinfo(server, renewed.body.access_token)).text()).includes(WANG.idNumber));
});
