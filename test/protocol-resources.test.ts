import test from 'ava';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { BRIDGES, ListedActing, mandateOf } from './support/acting.ts';
import { introspect, payloadOf, postAs, ROOMY, userinfo } from './support/portal-calls.ts';
import { LI, redemption, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

const FILING = 'https://filing.province.example/api';
const ARCHIVE = 'https://archive.province.example/api';
const SCOPE = 'openid profile offline_access';

const acting = new ListedActing();
let server: TestServer;
let filing: TestPortal;
let archive: TestPortal;
let portal: TestPortal;
let company: string;

test.before(async () => {
  server = await startServer(undefined, ROOMY, { acting });
  const wang = await server.addPerson(WANG);
  await server.addPerson(LI);
  company = acting.add(wang, BRIDGES, { mandate: mandateOf('mdt_bridges') });
  const service = { grant_types: ['client_credentials'], redirect_uris: [], scope: undefined };
  filing = await server.addPortal({
    ...service,
    client_id: 'filing-api',
    api: { identifier: FILING, scopes: ['filing:read', 'filing:write'] },
  });
  archive = await server.addPortal({
    ...service,
    client_id: 'archive-api',
    api: { identifier: ARCHIVE, scopes: ['archive:read'], token_format: 'opaque' },
  });
  portal = await server.addPortal({
    scope: SCOPE,
    apis: [
      { client_id: 'filing-api', scopes: ['filing:read', 'filing:write'] },
      { client_id: 'archive-api', scopes: ['archive:read'] },
    ],
    accepts_subjects: ['natural', 'legal'],
  });
});
test.after.always(() => server.stop());

type Claims = Record<string, unknown>;

/** Signs in for these APIs, and redeems the code for a token of `wanted`. */
async function tokenFor(
  wanted: string,
  query: Record<string, string>,
  actingAs = 'self',
): Promise<{ readonly status: number; readonly body: Claims }> {
  const callback = await server.signIn(server.browser(), portal, { actingAs, query });
  return server.token(portal, { ...redemption(callback), resource: wanted });
}

test('F3 an access token for an API is a JWT that says for whom by itself, for five minutes at most', async (t) => {
  const query = { scope: 'openid filing:read', resource: FILING };
  const { body } = await tokenFor(FILING, query, company);
  const keys = (await (await fetch(`${server.issuer}/jwks`)).json()) as JSONWebKeySet;
  const { payload, protectedHeader } = await jwtVerify(String(body.access_token), createLocalJWKSet(keys), {
    issuer: server.issuer,
    audience: FILING,
    typ: 'at+jwt',
  });
  t.is(protectedHeader.alg, 'ES256');
  t.is(payload.scope, 'filing:read');
  t.is(payload.client_id, portal.id);
  t.true((payload.exp ?? 0) - (payload.iat ?? 0) <= 300);
  const { sub } = payloadOf(body.id_token);
  t.like(payload, { sub, act: { sub }, legal_person: { uscc: BRIDGES.uscc, role: 'agent' } });
  t.is(payload.authorization_details, undefined, 'how a grant is marked is nobody’s business');

  const own = payloadOf((await tokenFor(FILING, query)).body.access_token);
  t.is(own.legal_person, undefined);
  t.is(own.act, undefined);
});

test('A19 a token of an API opens nothing at userinfo, and one for userinfo nothing at the API', async (t) => {
  const { body } = await tokenFor(FILING, { scope: 'openid filing:read', resource: FILING });
  t.is((await userinfo(server, body.access_token)).status, 401);
  const callback = await server.signIn(server.browser(), portal, {
    actingAs: 'self',
    query: { scope: 'openid filing:read', resource: FILING },
  });
  const plain = await server.token(portal, redemption(callback));
  t.is((await userinfo(server, plain.body.access_token)).status, 200);
  t.is((await introspect(server, portal, plain.body.access_token)).aud, undefined);
  t.is((await introspect(server, filing, plain.body.access_token)).active, false);
});

test('A19 V11 an opaque token of an API is shown to that API and to its portal, and to no other', async (t) => {
  const { body } = await tokenFor(ARCHIVE, { scope: 'openid archive:read', resource: ARCHIVE }, company);
  for (const asker of [archive, portal]) {
    const seen = await introspect(server, asker, body.access_token);
    t.like(seen, { active: true, aud: ARCHIVE, scope: 'archive:read', legal_person: { uscc: BRIDGES.uscc } });
  }
  t.deepEqual(await introspect(server, filing, body.access_token), { active: false });
});

test('A19 APIs that are not opened to a portal and those that do not exist are refused alike', async (t) => {
  const stranger = await server.addPortal({ scope: SCOPE });
  const answers: string[] = [];
  for (const resource of [FILING, 'https://nowhere.example/api']) {
    const response = await postAs(server, stranger, '/token', { grant_type: 'client_credentials', resource });
    t.is(response.status, 400);
    answers.push(await response.text());
  }
  t.is(answers[0], answers[1]);
  t.is((JSON.parse(answers[0] ?? '') as Claims).error, 'invalid_target');
  await server.house.relyingParties.disable('archive-api', 'test');
  const off = await postAs(server, portal, '/token', { grant_type: 'client_credentials', resource: ARCHIVE });
  t.is(off.status, 400);
  await server.house.relyingParties.enable('archive-api', 'test');
});

test('a service gets a token of an API in its own name, with the scopes that are the API’s', async (t) => {
  const scope = 'filing:write archive:read';
  const response = await postAs(server, portal, '/token', {
    grant_type: 'client_credentials',
    resource: FILING,
    scope,
  });
  const { access_token: token } = (await response.json()) as Claims;
  t.like(payloadOf(token), { aud: FILING, sub: portal.id, scope: 'filing:write' });
});

test('one refresh token serves every API it was granted for, and no further', async (t) => {
  const query = { scope: 'openid offline_access filing:read', resource: FILING, prompt: 'consent' };
  const { body } = await tokenFor(FILING, query, company);
  const again = await server.token(portal, {
    grant_type: 'refresh_token',
    refresh_token: String(body.refresh_token),
    resource: FILING,
  });
  t.like(payloadOf(again.body.access_token), { aud: FILING, legal_person: { uscc: BRIDGES.uscc } });
  const beyond = await server.token(portal, {
    grant_type: 'refresh_token',
    refresh_token: String(again.body.refresh_token),
    resource: ARCHIVE,
  });
  t.is(beyond.body.error, 'invalid_target');
});

test('an API is registered with an address without query and with its own scopes', async (t) => {
  const record = { client_name: '接口', redirect_uris: ['https://portal.example/callback'] };
  for (const api of [
    { identifier: 'https://a.example/?q=1', scopes: ['a'] },
    { identifier: 'http://a.example/', scopes: ['a'] },
    { identifier: 'https://a.example/#f', scopes: ['a'] },
    { identifier: 'https://a.example/', scopes: [] },
    { identifier: 'https://a.example/', scopes: ['a'], token_format: 'saml' },
  ]) {
    const outcome = await server.house.relyingParties.add({ ...record, api }, 'test');
    t.false(outcome.ok, JSON.stringify(api));
    if (!outcome.ok) t.true(outcome.faults.every(({ field }) => field.startsWith('api')));
  }
});
