import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { toLibraryMetadata } from '../src/oidc/sm2-client.ts';
import { answerOf, payloadOf, postAs, ROOMY, tokensOf } from './support/portal-calls.ts';
import {
  jwsBy,
  objectPath,
  type RequestAlg,
  type RequestSigner,
  requestClaims,
  requestSigner,
} from './support/request-objects.ts';
import {
  authorizationPath,
  callbackOf,
  REDIRECT_URI,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { assertionClaims, decoded, encoded, portalKey, signedBy } from './support/sm2-portal.ts';

/* Signed request objects (RFC 9101), by value and pushed, with every algorithm that is taken. */

const ALGS = ['ES256', 'PS256', 'RS256', 'SGD_SM3_SM2'] as const;
const BARE = {
  redirect_uri: '',
  response_type: '',
  scope: '',
  state: '',
  nonce: '',
  code_challenge: '',
  code_challenge_method: '',
};

let server: TestServer;
let plain: TestPortal;
const signers = new Map<RequestAlg, RequestSigner>();
const portals = new Map<RequestAlg, TestPortal>();

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  plain = await server.addPortal();
  for (const alg of ALGS) {
    signers.set(alg, requestSigner(alg));
    portals.set(alg, await server.addPortal(signing(alg)));
  }
});
test.after.always(() => server.stop());

const signing = (alg: RequestAlg, record: Record<string, unknown> = {}) => ({
  request_object_signing_alg: alg,
  jwks: { keys: [signers.get(alg)!.jwk] },
  ...record,
});
const of = (alg: RequestAlg): { portal: TestPortal; signer: RequestSigner } => ({
  portal: portals.get(alg)!,
  signer: signers.get(alg)!,
});
const claimsFor = (portal: TestPortal, more: Record<string, unknown> = {}) =>
  requestClaims(portal, server.issuer, more);
const now = (): number => Math.floor(Date.now() / 1000);

/** What a browser without a session is answered, by the registered address outside, where errors go. */
const ask = async (portal: TestPortal, request: string, outside: Record<string, string> = {}) =>
  answerOrCeremony(
    (await server.browser().get(objectPath(portal, request, { redirect_uri: REDIRECT_URI, ...outside }))).location,
  );

function answerOrCeremony(location: string | undefined): string {
  if (location === undefined) return 'page';
  const url = new URL(location);
  return url.pathname.startsWith('/interaction/') ? 'asked' : String(url.searchParams.get('error'));
}

const push = async (portal: TestPortal, fields: Record<string, string>) => {
  const answer = await postAs(server, portal, '/request', fields);
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

for (const alg of ALGS) {
  test.serial(
    `A16 S3 a request signed with ${alg} leads to a code, and nothing outside the object counts`,
    async (t) => {
      const { portal, signer } = of(alg);
      const browser = server.browser();
      const object = signer.sign(claimsFor(portal, { scope: 'openid', login_hint: WANG.idNumber }));
      await browser.get(
        objectPath(portal, object, {
          scope: 'openid profile identity',
          state: 'outside',
          nonce: 'outside',
          redirect_uri: 'https://evil.cn/',
          response_mode: 'form_post',
          acting_as: 'no code',
          prompt: 'none',
          max_age: '0',
          code_challenge: 'x'.repeat(43),
        }),
      );
      await browser.follow((url) => url.origin !== server.issuer);
      t.true(browser.page.text.includes(WANG.idNumber), 'the hint of the object stands in the form');
      await browser.submit({ identifier: WANG.idNumber, password: 'correct horse battery' }, '/identify');
      await browser.follow((url) => url.origin !== server.issuer);
      if (browser.page.text.includes('/consent"')) {
        await browser.submit({ decision: 'allow' }, '/consent');
        await browser.follow((url) => url.origin !== server.issuer);
      }
      const callback = callbackOf(browser.page);
      t.is(callback.origin + callback.pathname, REDIRECT_URI);
      t.is(callback.searchParams.get('state'), 'inside');
      const { status, body } = await server.token(portal, redemption(callback));
      t.is(status, 200, JSON.stringify(body));
      t.is(body.scope, 'openid');
      t.is(payloadOf(body.id_token).nonce, 'inside');
    },
  );

  test.serial(`A15 A16 S3 a request signed with ${alg} may be pushed, and is used once`, async (t) => {
    const { portal, signer } = of(alg);
    const browser = server.browser();
    await tokensOf(server, portal, browser);
    const object = signer.sign(claimsFor(portal));
    const { status, body } = await push(portal, { request: object, scope: 'openid identity', state: 'outside' });
    t.is(status, 201, JSON.stringify(body));
    const path = authorizationPath(portal, { ...BARE, request_uri: String(body.request_uri), state: 'outside' });
    await browser.get(path);
    const answer = answerOf(browser.page);
    t.truthy(answer.get('code'), String(browser.page.location));
    t.is(answer.get('state'), 'inside');
    t.falsy(answerOf(await browser.get(path)).get('code'), 'a second time');
    t.is((await push(portal, { request: object })).body.error, 'invalid_request_object', 'pushed again');
  });
}

for (const alg of ['ES256', 'RS256', 'SGD_SM3_SM2'] as const) {
  test.serial(
    `A14 B1 B2 B3 B9 V26 V57 V59 with ${alg}: what is not signed so, by a registered key, for us and now, is refused`,
    async (t) => {
      const { portal, signer } = of(alg);
      const good = signer.sign(claimsFor(portal));
      const [header = '', payload = '', signature = ''] = good.split('.');
      const changed = (claims: Record<string, unknown>) => signer.sign(claimsFor(portal, claims));
      const headed = (more: Record<string, unknown>) => signer.sign(claimsFor(portal), more);
      const impostor = requestSigner(alg, String(signer.jwk.kid));
      const others = ALGS.filter((other) => other !== alg).map((other) => requestSigner(other, String(signer.jwk.kid)));
      const raw = Buffer.from(signature, 'base64url');
      /** Made when they are sent: what is wrong with some is their time. */
      const refused: Record<string, () => string> = {
        'another key under its kid': () => impostor.sign(claimsFor(portal)),
        'a key in the header': () => impostor.sign(claimsFor(portal), { jwk: impostor.jwk, kid: undefined }),
        'a key at an address': () => impostor.sign(claimsFor(portal), { jku: 'https://evil.cn/jwks', kid: 'new' }),
        'an unknown kid': () => headed({ kid: 'unknown' }),
        'another scope under the same signature': () =>
          `${header}.${encoded({ ...decoded(payload), scope: 'openid identity' })}.${signature}`,
        'no signature': () => `${header}.${payload}.`,
        'a shorter signature': () => `${header}.${payload}.${raw.subarray(1).toString('base64url')}`,
        'a longer signature': () => `${header}.${payload}.${Buffer.concat([raw, Buffer.of(0)]).toString('base64url')}`,
        'alg none': () => `${encoded({ ...decoded(header), alg: 'none' })}.${payload}.`,
        'alg None': () => `${encoded({ ...decoded(header), alg: 'None' })}.${payload}.${signature}`,
        'no alg': () => `${encoded({ ...decoded(header), alg: undefined })}.${payload}.${signature}`,
        'the name of another algorithm': () => headed({ alg: alg === 'ES256' ? 'ES384' : 'ES256' }),
        'its public key as a shared secret': () => macWith(signer, payload),
        'the secret of the portal': () => mac(portal.secret, payload),
        'another kind of token': () => headed({ typ: 'at+jwt' }),
        'an ID token by its type': () => headed({ typ: 'logout+jwt' }),
        'a client assertion': () => signer.sign(assertionClaims(portal.id, server.issuer), { typ: 'JWT' }),
        'what could be an assertion as well': () => changed({ sub: portal.id }),
        'a critical extension': () => headed({ crit: ['exp'], exp: 1 }),
        'an unencoded payload': () => headed({ b64: false }),
        'a compressed one': () => headed({ zip: 'DEF' }),
        'an encrypted one': () =>
          `${encoded({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31 - 1, p2s: 'AA' })}.AA.AA.AA.AA`,
        padding: () => `${good}==`,
        'a line break': () => `${good}\n`,
        'the other alphabet': () => `${header}.${payload}.+/${signature.slice(2)}`,
        'a list for claims': () => signer.sign([claimsFor(portal)]),
        'no token': () => 'x',
        'of nobody': () => changed({ iss: undefined }),
        'of somebody else': () => changed({ iss: plain.id }),
        'for another client': () => changed({ client_id: plain.id }),
        'for nobody': () => changed({ aud: undefined }),
        'for somebody else': () => changed({ aud: 'https://evil.cn' }),
        'for an endpoint': () => changed({ aud: `${server.issuer}/auth` }),
        'without an end': () => changed({ exp: undefined }),
        'with an end that is no number': () => changed({ exp: String(now() + 60) }),
        'with half a second': () => changed({ exp: now() + 60.5 }),
        'with an end beyond all numbers': () => changed({ exp: 1e300 }),
        expired: () => changed({ exp: now() - 60 }),
        'for too long': () => changed({ exp: now() + 400 }),
        'not yet': () => changed({ nbf: now() + 60 }),
        'of the future': () => changed({ iat: now() + 60 }),
        'with an id that is no text': () => changed({ jti: 7 }),
        'with an id without end': () => changed({ jti: 'x'.repeat(257) }),
        'with another request inside': () => changed({ request: good }),
        'with the address of a request inside': () => changed({ request_uri: 'https://evil.cn/r' }),
      };
      for (const other of others) refused[`signed with ${other.alg}`] = () => other.sign(claimsFor(portal));
      for (const [what, object] of Object.entries(refused)) {
        t.regex(await ask(portal, object()), /^invalid_request(_object)?$/, what);
        const { status, body } = await push(portal, { request: object() });
        t.is(status, 400, `${what}, pushed`);
        t.regex(String(body.error), /^invalid_request(_object)?$/, `${what}, pushed`);
      }
      const once = signer.sign(claimsFor(portal));
      t.is(await ask(portal, once), 'asked', 'what they were made of is good');
      t.is(await ask(portal, once), 'invalid_request_object', 'once');
      t.is(await ask(portal, changed({ jti: undefined })), 'asked', 'nobody must name an object');
      t.is(await ask(portal, headed({ typ: undefined, kid: undefined })), 'asked', 'nor say what it is');
      t.is(
        await ask(portal, changed({ exp: now() - 5, nbf: now() + 5, iat: now() + 5 })),
        'asked',
        'clocks differ a little',
      );
      t.is(await ask(portal, changed({ aud: [server.issuer, 'https://other.example'] })), 'asked', 'RFC 7519 4.1.3');
    },
  );
}

const mac = (secret: string | Buffer, payload: string): string => {
  const input = `${encoded({ alg: 'HS256' })}.${payload}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};

/** The oldest confusion of all: what everybody may know of the key, taken for a secret. */
function macWith({ alg, jwk }: RequestSigner, payload: string): string {
  if (alg === 'SGD_SM3_SM2') return mac(JSON.stringify(jwk), payload);
  return mac(createPublicKey({ key: jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' }), payload);
}

test.serial(
  'B1 V26 an object that a stranger has altered marks nothing as used, and nothing is fetched for it',
  async (t) => {
    for (const alg of ALGS) {
      const { portal, signer } = of(alg);
      const claims = claimsFor(portal);
      const forged = requestSigner(alg, String(signer.jwk.kid)).sign(claims);
      t.is(await ask(portal, forged), 'invalid_request_object', alg);
      t.is(await ask(portal, signer.sign(claims)), 'asked', `${alg}: the id of the true one is still free`);
    }
  },
);

test.serial(
  'A16 the id of an object is one thing and that of an assertion another, and each portal counts for itself',
  async (t) => {
    const { portal, signer } = of('ES256');
    const other = await server.addPortal(signing('ES256'));
    t.is(await ask(portal, signer.sign(claimsFor(portal, { jti: 'one' }))), 'asked');
    t.is(await ask(other, signer.sign(claimsFor(other, { jti: 'one' }))), 'asked');
    t.is(await ask(portal, signer.sign(claimsFor(portal, { jti: 'one' }))), 'invalid_request_object');
  },
);

test.serial(
  'A16 V26 whoever is registered for none may send none, and is answered as if there were none',
  async (t) => {
    const { signer } = of('ES256');
    const object = signer.sign(claimsFor(plain));
    const keyed = await server.addPortal({ jwks: { keys: [signer.jwk, of('SGD_SM3_SM2').signer.jwk] } });
    for (const portal of [plain, keyed]) {
      for (const request of [
        object,
        of('SGD_SM3_SM2').signer.sign(claimsFor(portal)),
        `${encoded({ alg: 'none' })}.e30.`,
        'x',
      ]) {
        t.is(await ask(portal, request), 'request_not_supported');
        const { status, body } = await push(portal, { request });
        t.is(status, 400);
        t.is(body.error, 'request_not_supported');
      }
    }
  },
);

test.serial('V26 the address of an object is never followed, inside a pushed request least of all', async (t) => {
  const { portal, signer } = of('ES256');
  for (const uri of ['https://portal.example/r', 'http://127.0.0.1:9/r', 'urn:x']) {
    const path = authorizationPath(portal, { request_uri: uri });
    t.is(answerOrCeremony((await server.browser().get(path)).location), 'request_uri_not_supported', uri);
    t.is((await push(portal, { request_uri: uri })).status, 400, uri);
  }
  const both = authorizationPath(portal, {
    request: signer.sign(claimsFor(portal)),
    request_uri: 'https://x.example/',
  });
  t.is(answerOrCeremony((await server.browser().get(both)).location), 'invalid_request');
});

for (const alg of ['ES256', 'SGD_SM3_SM2'] as const) {
  test.serial(
    `A16 S3 a portal that must sign its requests with ${alg} cannot ask without, silently and pushed neither`,
    async (t) => {
      const { signer } = of(alg);
      const strict = await server.addPortal(signing(alg, { require_signed_request_object: true }));
      const browser = server.browser();
      await tokensOf(server, plain, browser);
      for (const query of [{}, { prompt: 'none' }, { prompt: 'login' }, { response_mode: 'query' }] as Record<
        string,
        string
      >[]) {
        t.is(answerOf(await browser.get(authorizationPath(strict, query))).get('error'), 'invalid_request');
      }
      const ordinary = Object.fromEntries(new URL(authorizationPath(strict), server.issuer).searchParams);
      const { status, body } = await push(strict, ordinary);
      t.is(status, 400);
      t.is(body.error, 'invalid_request');
      const pushed = await push(strict, { request: signer.sign(claimsFor(strict)) });
      t.is(pushed.status, 201);
      t.is(await ask(strict, signer.sign(claimsFor(strict))), 'asked');
    },
  );
}

test.serial(
  'A14 B1 a portal that signs with SM2 has no other way in, and cannot use the one that vouches inside',
  async (t) => {
    const { signer } = of('SGD_SM3_SM2');
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const es256 = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'classic', use: 'sig' };
    const both = await server.addPortal(signing('SGD_SM3_SM2', { jwks: { keys: [signer.jwk, es256] } }));
    for (const kid of ['classic', 'notary', undefined]) {
      t.is(
        await ask(both, jwsBy(pair.privateKey, 'ES256', claimsFor(both), { kid })),
        'invalid_request_object',
        String(kid),
      );
    }
    t.is(await ask(both, signer.sign(claimsFor(both))), 'asked');
    const party = await server.house.relyingParties.find(both.id);
    const notary = { kty: 'EC', crv: 'P-256', kid: 'notary', alg: 'ES256' };
    t.deepEqual(toLibraryMetadata(party!, notary).jwks, { keys: [notary] }, 'the library sees no key of the portal');
  },
);

test.serial(
  'A14 B3 S3 a portal proves itself and signs its request, both with SM2, and neither passes for the other',
  async (t) => {
    const key = portalKey('both');
    const portal = await server.addPortal({
      request_object_signing_alg: 'SGD_SM3_SM2',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'SGD_SM3_SM2',
      jwks: { keys: [key.jwk] },
    });
    const pushWith = async (assertion: string, request: string) => {
      const answer = await fetch(`${server.issuer}/request`, {
        method: 'POST',
        body: new URLSearchParams({
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
          request,
        }),
      });
      return { status: answer.status, error: ((await answer.json()) as { error?: string }).error };
    };
    const assertion = () => signedBy(key, assertionClaims(portal.id, server.issuer));
    const object = () => signedBy(key, claimsFor(portal), { header: { typ: 'oauth-authz-req+jwt' } });
    t.is((await pushWith(assertion(), object())).status, 201);
    t.like(await pushWith(object(), object()), { status: 401, error: 'invalid_client' });
    t.like(await pushWith(assertion(), assertion()), { status: 400, error: 'invalid_request_object' });
    const posing = signedBy(key, assertionClaims(portal.id, server.issuer), { header: { typ: 'oauth-authz-req+jwt' } });
    t.like(await pushWith(posing, object()), { status: 401, error: 'invalid_client' });
    const forged = signedBy(portalKey('both'), claimsFor(portal));
    t.like(await pushWith(assertion(), forged), { status: 400, error: 'invalid_request_object' });
  },
);

test.serial(
  'S3 an older portal may sign its requests under another name, or in DER, when it is registered so',
  async (t) => {
    const key = portalKey('older');
    const older = await server.addPortal({
      request_object_signing_alg: 'SGD_SM3_SM2',
      sm2_signature_form: { alg: 'SM2', encoding: 'der' },
      jwks: { keys: [key.jwk] },
    });
    t.is(await ask(older, signedBy(key, claimsFor(older), { header: { alg: 'SM2' }, encoding: 'der' })), 'asked');
    t.is(await ask(older, signedBy(key, claimsFor(older), { header: { alg: 'SM2' } })), 'invalid_request_object');
    t.is(await ask(older, signedBy(key, claimsFor(older), { encoding: 'der' })), 'invalid_request_object');
  },
);

test.serial('H5 the name of a person in a pushed object lies sealed in the store, however it is written', async (t) => {
  const { portal, signer } = of('ES256');
  const text = (jti: string) => JSON.stringify(claimsFor(portal, { login_hint: WANG.idNumber, jti }));
  for (const claims of [text('plain'), text('escaped').replace('"login_hint"', '"login\\u005fhint"')]) {
    t.is((await push(portal, { request: signer.sign(claims) })).status, 201, claims);
  }
  const rows = await server.house.database.all<{ payload: string }>(
    "SELECT payload FROM artifacts WHERE model = 'PushedAuthorizationRequest'",
    [],
  );
  const kept = rows.map(({ payload }) => (JSON.parse(payload) as { request: string }).request);
  t.is(kept.filter((request) => request.startsWith('sealed:')).length, 2);
  for (const request of kept.filter((text) => !text.startsWith('sealed:'))) {
    t.false(JSON.stringify(payloadOf(request)).includes(WANG.idNumber));
  }
});
