import test from 'ava';
import { prepareConfig } from '../src/config/prepare.ts';
import { createRelyingParties } from '../src/relying-parties/relying-parties.ts';
import { ROOMY, tokensOf, userinfo } from './support/portal-calls.ts';
import { objectPath, requestClaims, requestSigner } from './support/request-objects.ts';
import { authorizationPath, callbackOf, REDIRECT_URI, startServer, type TestServer, WANG } from './support/server.ts';
import { assertionClaims, type KeySet, portalKey, signedBy, verified } from './support/sm2-portal.ts';

const ALG = 'SGD_SM3_SM2';
const key = portalKey('one');
const ES256_JWK = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};

let server: TestServer;

test.before(async () => {
  server = await startServer(undefined, { ...ROOMY, keys: { smOnly: true } });
  await server.addPerson(WANG);
});
test.after.always(() => server.stop());

const keysOf = async (): Promise<KeySet> =>
  ((await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: KeySet }).keys;

test('S3 a house of SM2 alone publishes SM2 keys and promises SM2, and nothing else', async (t) => {
  const keys = await keysOf();
  t.deepEqual([...new Set(keys.map(({ alg, crv }) => `${alg} ${crv}`))], [`${ALG} sm2p256v1`]);
  const stored = await server.house.database.all<{ alg: string }>(
    "SELECT DISTINCT alg FROM keys WHERE purpose = 'signing'",
    [],
  );
  t.deepEqual(stored, [{ alg: ALG }], 'no other key is even made');
  const answer = await fetch(`${server.issuer}/.well-known/openid-configuration`);
  const text = await answer.text();
  t.notRegex(text, /"(?:RS|PS|ES|HS|Ed)\d*(?:25519)?"/);
  const metadata = JSON.parse(text) as Record<string, string[]>;
  const listed = Object.keys(metadata).filter((name) => name.includes('signing_alg_values'));
  t.is(listed.length, 6);
  for (const name of listed) t.deepEqual(metadata[name], [ALG], name);
});

test('S3 a portal that leaves the algorithms to a house of SM2 alone gets SM2', async (t) => {
  const portal = await server.addPortal();
  const body = await tokensOf(server, portal, server.browser());
  t.is(verified(body.id_token, await keysOf()).claims.aud, portal.id);
  t.is((await userinfo(server, body.access_token)).status, 200);
  const party = await server.house.relyingParties.inspect(portal.id);
  t.regex(String(party?.secretDigest), /^sm3:/);
  const entered = await server.browser().get('/account');
  t.is(entered.status, 303, 'the account centre opens');
});

test('A14 S3 a house of SM2 alone takes assertions signed with SM2', async (t) => {
  const portal = await server.addPortal({
    grant_types: ['client_credentials'],
    redirect_uris: [],
    scope: undefined,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
  });
  const answer = await fetch(`${server.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signedBy(key, assertionClaims(portal.id, server.issuer)),
    }),
  });
  t.is(answer.status, 200);
});

test('B1 S3 a house of SM2 alone takes requests and gives answers signed with SM2, and with nothing else', async (t) => {
  const signer = requestSigner(ALG);
  const portal = await server.addPortal({
    authorization_signed_response_alg: ALG,
    request_object_signing_alg: ALG,
    jwks: { keys: [signer.jwk] },
  });
  const browser = server.browser();
  await tokensOf(server, portal, browser);
  const claims = () => requestClaims(portal, server.issuer, { response_mode: 'jwt' });
  const answered = async (object: string): Promise<unknown> => {
    await browser.get(objectPath(portal, object, { redirect_uri: REDIRECT_URI, response_mode: 'jwt' }));
    const { claims } = verified(callbackOf(browser.page).searchParams.get('response'), await keysOf());
    return claims.error ?? typeof claims.code;
  };
  t.is(await answered(signer.sign(claims())), 'string');
  for (const alg of ['ES256', 'RS256', 'PS256'] as const) {
    t.is(await answered(requestSigner(alg).sign(claims())), 'invalid_request_object', alg);
  }
  const open = await server.addPortal();
  await browser.get(authorizationPath(open, { request: requestSigner('ES256').sign(claims()) }));
  t.is(callbackOf(browser.page).searchParams.get('error'), 'request_not_supported');
});

test('S3 a house of SM2 alone registers nothing else', async (t) => {
  const proof = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } };
  const cases: readonly [Record<string, unknown>, RegExp][] = [
    [{ id_token_signed_response_alg: 'ES256' }, /id_token_signed_response_alg must be/],
    [{ id_token_signed_response_alg: 'RS256' }, /id_token_signed_response_alg must be/],
    [{ userinfo_signed_response_alg: 'ES256' }, /userinfo_signed_response_alg must be/],
    [{ introspection_signed_response_alg: 'PS256' }, /introspection_signed_response_alg must be/],
    [{ ...proof, token_endpoint_auth_signing_alg: 'ES256' }, /token_endpoint_auth_signing_alg must be/],
    [{ ...proof, jwks: { keys: [key.jwk, ES256_JWK] } }, /jwks must hold keys on sm2p256v1 alone/],
    [
      { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://portal.example/jwks' },
      /jwks_uri must be left out/,
    ],
    [{ authorization_signed_response_alg: 'ES256' }, /authorization_signed_response_alg must be/],
    [
      { request_object_signing_alg: 'ES256', jwks: { keys: [ES256_JWK] } },
      /request_object_signing_alg must be.*jwks must hold keys/,
    ],
    [{ dpop_bound_access_tokens: true }, /dpop_bound_access_tokens must be false/],
    [
      { api: { identifier: 'https://api.example/', scopes: ['a'], token_signing_alg: 'ES256' } },
      /api.token_signing_alg must be/,
    ],
  ];
  for (const [record, expected] of cases) {
    const whole = { client_name: '门户', redirect_uris: [REDIRECT_URI], ...record };
    const outcome = await server.house.relyingParties.add(whole, 'test');
    const told = outcome.ok ? 'registered' : outcome.faults.map(({ field, reason }) => `${field} ${reason}`).join('; ');
    t.regex(told, expected, JSON.stringify(record));
  }
});

test('S3 a portal of before, registered for other algorithms, is refused everywhere while SM2 alone is on', async (t) => {
  const { database, ledger } = server.house;
  const before = createRelyingParties({ database, ledger });
  const outcome = await before.add(
    { client_name: '旧门户', redirect_uris: [REDIRECT_URI], grant_types: ['authorization_code', 'client_credentials'] },
    'test',
  );
  if (!outcome.ok) return t.fail();
  const portal = { id: outcome.party.clientId, secret: outcome.secret ?? '' };
  const answer = await server.token(portal, { grant_type: 'client_credentials' });
  t.is(answer.status, 401);
  t.is(answer.body.error, 'invalid_client');
  t.is((await server.browser().get(authorizationPath(portal))).status, 400);
  t.truthy(await server.house.relyingParties.inspect(portal.id), 'it is still there to be registered anew');
});

test('S3 the sample portals, which know no SM2, cannot stand beside it', (t) => {
  const prepared = prepareConfig({
    env: { TONGBAN_PROFILE: 'demo', TONGBAN_KEYS_SM_ONLY: 'true' },
    overrides: { demo: { portals: true } },
  });
  t.false(prepared.ok);
  t.regex(prepared.ok ? '' : prepared.sentences.join('\n'), /demo\.portals.*must be false when keys\.smOnly/);
});
