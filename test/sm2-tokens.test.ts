import test from 'ava';
import { Provider } from 'oidc-provider';
import { MapAdapter } from '../bench/map-adapter.ts';
import { createTokenSealer } from '../src/crypto/jose/token-sealer.ts';
import { createSm2Verifier, createSoftwareSm2Signer } from '../src/crypto/sm2-software-signer.ts';
import { STAND_IN_ALG, StandInKey } from '../src/oidc/sm2-stand-in.ts';
import { sealTokens } from '../src/oidc/sm2-tokens.ts';
import { webServer } from './support/listeners.ts';
import { answerOf, basic, payloadOf, postAs, ROOMY, tokensOf, userinfo } from './support/portal-calls.ts';
import {
  authorizationPath,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { decoded, decrypted, encoded, type KeySet, portalKey, signedBy, verified } from './support/sm2-portal.ts';
import { until } from './support/waiting.ts';

const BYE = 'https://portal.example/bye';
/** Of the examples of GB/T 32918.5. */
const KNOWN_KEY = '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8';
const API = 'https://filing.province.example/api';
const ALG = 'SGD_SM3_SM2';
const ALL_SM2 = {
  id_token_signed_response_alg: ALG,
  userinfo_signed_response_alg: ALG,
  introspection_signed_response_alg: ALG,
};
const encryptionKey = portalKey('for-us', 'enc');

let server: TestServer;
let portal: TestPortal;
let classic: TestPortal;
let keys: KeySet;
let received: string[];

const endings: (() => unknown)[] = [];

test.before(async () => {
  received = [];
  const receiver = await webServer({ teardown: (end) => void endings.push(end) }, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      received.push(String(new URLSearchParams(body).get('logout_token')));
      response.writeHead(200).end();
    });
  });
  server = await startServer(undefined, {
    ...ROOMY,
    outbound: { allowedOrigins: [receiver] },
    outbox: { pollIntervalMs: 50 },
  });
  await server.addPerson(WANG);
  const logout = { backchannel_logout_uri: `${receiver}/logout`, backchannel_logout_session_required: true };
  portal = await server.addPortal({ ...ALL_SM2, ...logout, post_logout_redirect_uris: [BYE] });
  classic = await server.addPortal({ post_logout_redirect_uris: [BYE] });
  ({ keys } = (await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: KeySet });
});
test.after.always(async () => {
  await server.stop();
  for (const end of endings) await end();
});

test('B5 S3 the key set and discovery offer SM2 beside the others, under the names of the profile', async (t) => {
  const sm2 = keys.filter(({ alg }) => alg === ALG);
  t.is(sm2.length, 2, 'the signing key and the next one');
  for (const key of sm2) {
    t.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    t.is(key.kty, 'EC');
    t.is(key.crv, 'sm2p256v1');
    t.is(key.use, 'sig');
  }
  t.deepEqual([...new Set(keys.map(({ crv, kty }) => crv ?? kty))].sort(), ['P-256', 'RSA', 'sm2p256v1']);
  const metadata = (await (await fetch(`${server.issuer}/.well-known/openid-configuration`)).json()) as Record<
    string,
    string[]
  >;
  for (const what of ['id_token', 'userinfo', 'introspection']) {
    t.deepEqual(metadata[`${what}_signing_alg_values_supported`], ['ES256', 'RS256', ALG]);
  }
  t.true(metadata.token_endpoint_auth_signing_alg_values_supported?.includes(ALG));
  t.false(JSON.stringify(metadata).includes(STAND_IN_ALG), 'what stands in for SM2 inside is not offered');
  for (const what of ['id_token', 'userinfo']) {
    t.deepEqual(metadata[`${what}_encryption_alg_values_supported`], ['SGD_SM2_3']);
    t.deepEqual(metadata[`${what}_encryption_enc_values_supported`], ['SGD_SM4_GCM']);
  }
});

test('S3 a portal registered for SM2 gets its ID token, userinfo and introspection signed with SM2', async (t) => {
  const body = await tokensOf(server, portal, server.browser(), { nonce: 'n-1' });
  const { header, claims } = verified(body.id_token, keys);
  t.deepEqual(header, { alg: ALG, kid: keys.find(({ alg }) => alg === ALG)!.kid! });
  t.is(claims.iss, server.issuer);
  t.is(claims.aud, portal.id);
  t.is(claims.nonce, 'n-1');

  const answer = await userinfo(server, body.access_token);
  t.regex(String(answer.headers.get('content-type')), /^application\/jwt/);
  t.is(verified(await answer.text(), keys).claims.sub, claims.sub);

  const introspected = await fetch(`${server.issuer}/token/introspection`, {
    method: 'POST',
    headers: { ...basic(portal), accept: 'application/token-introspection+jwt' },
    body: new URLSearchParams({ token: String(body.access_token) }),
  });
  const told = verified(await introspected.text(), keys);
  t.is(told.header.typ, 'token-introspection+jwt');
  t.true((told.claims.token_introspection as { active: boolean }).active);
});

test('a refresh gives an ID token signed with SM2 as well', async (t) => {
  const query = { scope: 'openid offline_access', prompt: 'consent' };
  const { refresh_token: token } = await tokensOf(server, portal, server.browser(), query);
  const refreshed = await server.token(portal, { grant_type: 'refresh_token', refresh_token: String(token) });
  t.is(verified(refreshed.body.id_token, keys).claims.aud, portal.id);
});

test('one sign-in serves a portal that takes SM2 alone and one that knows ES256 alone', async (t) => {
  const browser = server.browser();
  const modern = await tokensOf(server, portal, browser);
  await browser.get(authorizationPath(classic));
  t.false(browser.page.text.includes('name="password"'), 'nobody is asked for a password twice');
  const plain = await tokensOf(server, classic, browser);
  t.is(decoded(String(plain.id_token).split('.')[0]).alg, 'ES256');
  t.is(keys.find(({ kid }) => kid === decoded(String(plain.id_token).split('.')[0]).kid)?.crv, 'P-256');
  t.is((await userinfo(server, plain.access_token)).headers.get('content-type'), 'application/json; charset=utf-8');
  t.is(payloadOf(plain.id_token).auth_time, verified(modern.id_token, keys).claims.auth_time);
});

test('B3 a portal is told of a sign-out by a token signed with SM2', async (t) => {
  const browser = server.browser();
  const { id_token: idToken } = await tokensOf(server, portal, browser);
  const { sid } = verified(idToken, keys).claims;
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  const mine = () => received.find((token) => payloadOf(token).sid === sid);
  await until(() => mine() !== undefined);
  const { header, claims } = verified(mine(), keys);
  t.is(header.typ, 'logout+jwt');
  t.is(claims.sub, verified(idToken, keys).claims.sub);
});

test('an access token for an API registered for SM2 is a JWT signed with SM2', async (t) => {
  await server.addPortal({
    client_id: 'sm2-api',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    scope: undefined,
    api: { identifier: API, scopes: ['filing:read'], token_signing_alg: ALG },
  });
  const caller = await server.addPortal({ apis: [{ client_id: 'sm2-api', scopes: ['filing:read'] }] });
  const query = { scope: 'openid filing:read', resource: API };
  const callback = await server.signIn(server.browser(), caller, { query });
  const { body } = await server.token(caller, { ...redemption(callback), resource: API });
  const { header, claims } = verified(body.access_token, keys);
  t.is(header.typ, 'at+jwt');
  t.is(claims.aud, API);
  t.is(claims.scope, 'filing:read');
  t.is(decoded(String(body.id_token).split('.')[0]).alg, 'ES256', 'its own ID token is what it is registered for');

  const service = await server.token(caller, { grant_type: 'client_credentials', scope: 'filing:read', resource: API });
  t.is(verified(service.body.access_token, keys).claims.sub, caller.id);
});

const endPath = (hint: string) =>
  `/session/end?${new URLSearchParams({ id_token_hint: hint, post_logout_redirect_uri: BYE })}`;

test('C8 an ID token signed with SM2 is a hint for sign-out and for a silent sign-in', async (t) => {
  const browser = server.browser();
  const { id_token: idToken } = await tokensOf(server, portal, browser);
  await browser.get(authorizationPath(portal, { prompt: 'none', id_token_hint: String(idToken) }));
  t.truthy(answerOf(browser.page).get('code'));
  await browser.get(endPath(String(idToken)));
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  t.is(browser.page.location, BYE);
});

test('C4 C8 B1 B3 V35 a hint that is altered, signed by another key or algorithm, or another kind of token is refused', async (t) => {
  const browser = server.browser();
  const { id_token: idToken } = await tokensOf(server, portal, browser);
  const other = await tokensOf(server, classic, server.browser());
  const [header = '', payload = '', signature = ''] = String(idToken).split('.');
  const impostor = portalKey(String(decoded(header).kid));
  const claims = decoded(payload);
  const elsewhere = await server.addPortal(ALL_SM2);
  const theirs = await tokensOf(server, elsewhere, server.browser());
  const forged = {
    'another subject': `${header}.${encoded({ ...claims, sub: 'mallory' })}.${signature}`,
    'another key under our kid': signedBy(impostor, claims),
    'no signature': `${encoded({ alg: 'none' })}.${payload}.`,
    'an unknown kid': `${encoded({ ...decoded(header), kid: 'x' })}.${payload}.${signature}`,
    'the algorithm of another name': `${encoded({ ...decoded(header), alg: 'SM2' })}.${payload}.${signature}`,
    'a longer signature': `${header}.${payload}.${signature}AA`,
    padding: `${header}.${payload}.${signature}==`,
    'no token': 'a.b.c',
  };
  for (const [what, hint] of Object.entries(forged)) t.is((await browser.get(endPath(hint))).status, 400, what);
  // At a sign-out the token itself says whose it is; at a sign-in the portal does.
  const foreign = {
    'ES256 of our own': String(other.id_token),
    'the token of another portal': String(theirs.id_token),
    'signed userinfo of another portal': await (await userinfo(server, theirs.access_token)).text(),
  };
  for (const [what, hint] of Object.entries({ ...forged, ...foreign })) {
    await browser.get(authorizationPath(portal, { prompt: 'none', id_token_hint: hint }));
    t.falsy(answerOf(browser.page).get('code'), what);
  }
  t.is((await server.browser().get(endPath(String(idToken)))).status, 200, 'the hint itself is good');
  const fromOther = authorizationPath(classic, { prompt: 'none', id_token_hint: String(idToken) });
  await browser.get(fromOther);
  t.falsy(answerOf(browser.page).get('code'), 'a portal that knows ES256 alone cannot present it');
});

test('V57 V59 an ID token and userinfo are encrypted to a portal that has registered a key for it, and stay signed inside', async (t) => {
  const secretive = await server.addPortal({
    ...ALL_SM2,
    id_token_encrypted_response_alg: 'SGD_SM2_3',
    id_token_encrypted_response_enc: 'SGD_SM4_GCM',
    userinfo_encrypted_response_alg: 'SGD_SM2_3',
    userinfo_encrypted_response_enc: 'SGD_SM4_GCM',
    jwks: { keys: [portalKey('not-for-this').jwk, encryptionKey.jwk] },
    post_logout_redirect_uris: [BYE],
  });
  const browser = server.browser();
  const body = await tokensOf(server, secretive, browser);
  const opened = decrypted(body.id_token, encryptionKey);
  t.deepEqual(opened.header, {
    alg: 'SGD_SM2_3',
    enc: 'SGD_SM4_GCM',
    cty: 'JWT',
    kid: 'for-us',
    iss: server.issuer,
    aud: secretive.id,
  });
  const { claims } = verified(opened.token, keys);
  t.is(claims.aud, secretive.id);
  const answer = await (await userinfo(server, body.access_token)).text();
  t.is(verified(decrypted(answer, encryptionKey).token, keys).claims.sub, claims.sub);

  const again = await tokensOf(server, secretive, browser);
  const [one, two] = [body, again].map(({ id_token: token }) => String(token).split('.'));
  t.not(one?.[1], two?.[1], 'each token has a key of its own');
  t.throws(() => decrypted(body.id_token, portalKey('another', 'enc')));
  const [head, ...rest] = String(body.id_token).split('.');
  t.throws(() => decrypted([encoded({ ...decoded(head), kid: 'x' }), ...rest].join('.'), encryptionKey), {
    message: /does not open/,
  });
  t.is((await browser.get(endPath(opened.token))).status, 200, 'the token inside is the hint');
});

test('B1 B3 B8 R10 hashes are the left half of SM3 and ID tokens of ours alone are hints, by the members of the library that are relied on', async (t) => {
  const signer = createSoftwareSm2Signer(KNOWN_KEY);
  const sealer = createTokenSealer(signer, createSm2Verifier(signer.publicKey));
  const provider = new Provider('https://id.example', {
    jwks: { keys: [new StandInKey()] },
    clientDefaults: {
      id_token_signed_response_alg: STAND_IN_ALG,
      authorization_signed_response_alg: STAND_IN_ALG,
    },
    enabledJWA: { idTokenSigningAlgValues: [STAND_IN_ALG], authorizationSigningAlgValues: [STAND_IN_ALG] },
    adapter: MapAdapter,
    features: {
      devInteractions: { enabled: false },
      jwtResponseModes: { enabled: true },
      externalSigningSupport: { enabled: true, ack: 'experimental-01' },
    },
    clients: [{ client_id: 'portal', client_secret: 's'.repeat(40), redirect_uris: ['https://portal.example/'] }],
    ttl: { IdToken: 60 },
    cookies: { keys: ['x'.repeat(40)] },
  });
  const client = (await provider.Client.find('portal'))!;
  for (const member of ['issue', 'payload', 'set'] as const)
    t.is(typeof provider.IdToken.prototype[member], 'function');
  t.is(typeof provider.IdToken.validate, 'function');
  t.is(typeof client.responseModeAllowed, 'function');
  t.is(typeof provider.ReplayDetection.unique, 'function');
  for (const model of ['AccessToken', 'ClientCredentials'] as const) {
    t.is(typeof provider[model].prototype.save, 'function', model);
  }
  const unsealed = await new provider.IdToken({ sub: 'x' }, { client }).issue({ use: 'idtoken' });
  t.regex(unsealed, /^[\w-]+\.[\w-]+\.$/, 'what the library makes without us has no signature at all');

  sealTokens(provider, [sealer]);
  const token = new provider.IdToken({ sub: 'x' }, { client });
  for (const claim of ['at_hash', 'c_hash', 's_hash']) token.set(claim, 'abc');
  const { header, claims } = verified(await token.issue({ use: 'idtoken' }), [sealer.publicJwk as KeySet[number]]);
  for (const claim of ['at_hash', 'c_hash', 's_hash']) t.is(claims[claim], 'Zsfw9GLu7dnR8tRr3BDk4g');
  t.is(header.kid, 'iHtdnfdJWWJsqEUgWjJZsvTLuQkVt0ji2CgHWOJjY_0', 'the thumbprint of the published key');
  t.is(provider.IdToken.name, 'IdToken');

  const answer = new provider.IdToken({}, { client });
  answer.set('code', 'abc');
  const answered = verified(await answer.issue({ use: 'authorization' }), [sealer.publicJwk as KeySet[number]]);
  t.deepEqual(Object.keys(answered.claims).sort(), ['aud', 'code', 'exp', 'iss'], 'and no subject: it is no hint');

  const ours = { privateHex: KNOWN_KEY, publicHex: signer.publicKey.toString('hex'), jwk: { kid: sealer.kid } };
  const hint = (changed: Readonly<Record<string, unknown>>) =>
    provider.IdToken.validate(
      signedBy(ours, { iss: 'https://id.example', aud: 'portal', sub: 'x' }, { header: changed }),
      client,
    );
  t.is((await hint({})).payload.sub, 'x');
  for (const changed of [{ alg: 'SM2' }, { alg: 'ES256' }, { typ: 'logout+jwt' }, { kid: undefined }]) {
    await t.throwsAsync(hint(changed), { message: /not signed by one of our SM2 keys/ }, JSON.stringify(changed));
  }
});

test('A19 the other answers of a portal registered for SM2 are what they were', async (t) => {
  const body = await tokensOf(server, portal, server.browser());
  const plain = await postAs(server, portal, '/token/introspection', { token: String(body.access_token) });
  t.is(plain.headers.get('content-type'), 'application/json; charset=utf-8');
  t.true(((await plain.json()) as { active: boolean }).active);
});
