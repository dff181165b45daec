import test from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { formOf, type Page } from './support/http-client.ts';
import { basic, payloadOf, ROOMY, tokensOf } from './support/portal-calls.ts';
import { objectPath, requestClaims, requestSigner } from './support/request-objects.ts';
import {
  authorizationPath,
  callbackOf,
  REDIRECT_URI,
  startServer,
  type TestPortal,
  type TestServer,
  VERIFIER,
  WANG,
} from './support/server.ts';
import { decrypted, type KeySet, portalKey, verified } from './support/sm2-portal.ts';

/* Signed authorization responses (JARM), with every algorithm tokens are signed with. */

const ALGS = ['ES256', 'RS256', 'SGD_SM3_SM2'] as const;
type Alg = (typeof ALGS)[number];
const SM2 = 'SGD_SM3_SM2';
const encryptionKey = portalKey('for-us', 'enc');
const ENCRYPTED = {
  id_token_signed_response_alg: SM2,
  authorization_signed_response_alg: SM2,
  authorization_encrypted_response_alg: 'SGD_SM2_3',
  authorization_encrypted_response_enc: 'SGD_SM4_GCM',
  jwks: { keys: [encryptionKey.jwk] },
};

let server: TestServer;
let plain: TestPortal;
let keys: KeySet;
const portals = new Map<Alg, TestPortal>();

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  plain = await server.addPortal();
  for (const alg of ALGS) {
    const signed = { id_token_signed_response_alg: alg, authorization_signed_response_alg: alg };
    portals.set(alg, await server.addPortal(signed));
  }
  ({ keys } = (await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: KeySet });
});
test.after.always(() => server.stop());

/** The token an answer consists of, from the address or from the form that posts itself; nothing else may stand beside it. */
function responseIn(page: Page): { readonly at: string; readonly token: string } {
  if (page.location !== undefined) {
    const url = new URL(page.location);
    if ([...url.searchParams.keys()].join() !== 'response' || url.hash !== '') throw new Error(page.location);
    return { at: `query ${url.origin}${url.pathname}`, token: String(url.searchParams.get('response')) };
  }
  const { action, method, fields } = formOf(page.text);
  if (Object.keys(fields).join() !== 'response') throw new Error(page.text);
  return { at: `${method} ${action}`, token: String(fields.response) };
}

async function opened(alg: Alg, token: string, audience: string) {
  if (alg === SM2) {
    const { header, claims } = verified(token, keys);
    if (claims.aud !== audience || claims.iss !== server.issuer) throw new Error(JSON.stringify(claims));
    return { header, claims };
  }
  const keySet = createRemoteJWKSet(new URL(`${server.issuer}/jwks`));
  const check = { issuer: server.issuer, audience, algorithms: [alg] };
  const { payload, protectedHeader } = await jwtVerify(token, keySet, check);
  return { header: protectedHeader as Record<string, unknown>, claims: payload as Record<string, unknown> };
}

const away = (url: URL): boolean => url.origin !== server.issuer;

for (const alg of ALGS) {
  test.serial(
    `A9 A10 B3 S3 a code comes in a token signed with ${alg}, in the address and in a form, and is good`,
    async (t) => {
      const portal = portals.get(alg)!;
      const browser = server.browser();
      await tokensOf(server, portal, browser);
      for (const mode of ['jwt', 'query.jwt', 'form_post.jwt']) {
        await browser.get(authorizationPath(portal, { response_mode: mode, state: '汉字 "&' }));
        const { at, token } = responseIn(browser.page);
        t.is(at, `${mode === 'form_post.jwt' ? 'post' : 'query'} ${REDIRECT_URI}`);
        const { header, claims } = await opened(alg, token, portal.id);
        t.is(header.alg, alg);
        t.deepEqual(Object.keys(claims).sort(), ['aud', 'code', 'exp', 'iss', 'state']);
        t.is(claims.state, '汉字 "&');
        t.true(Number(claims.exp) - Date.now() / 1000 <= 600, 'JARM 2.1: ten minutes at most');
        const { status } = await server.token(portal, {
          grant_type: 'authorization_code',
          code: String(claims.code),
          redirect_uri: REDIRECT_URI,
          code_verifier: VERIFIER,
        });
        t.is(status, 200, mode);
      }
      await browser.get(authorizationPath(portal, { response_mode: 'form_post.jwt' }));
      t.regex(String(browser.page.headers['content-security-policy']), /form-action 'self' https:\/\/portal\.example/);
      await browser.get(authorizationPath(portal));
      t.truthy(callbackOf(browser.page).searchParams.get('code'), 'where nothing is asked for, the answer is plain');
    },
  );

  test.serial(
    `A9 A11 S3 an error comes in a token signed with ${alg}: at once, and when the person has gone back`,
    async (t) => {
      const portal = portals.get(alg)!;
      for (const mode of ['jwt', 'query.jwt', 'form_post.jwt']) {
        const asked = await server
          .browser()
          .get(authorizationPath(portal, { prompt: 'none', response_mode: mode, state: 's' }));
        const { at, token } = responseIn(asked);
        t.is(at, `${mode === 'form_post.jwt' ? 'post' : 'query'} ${REDIRECT_URI}`);
        const { claims } = await opened(alg, token, portal.id);
        t.is(claims.error, 'login_required', mode);
        t.is(claims.state, 's');
        t.is(claims.code, undefined);
        const early = await server.browser().get(authorizationPath(portal, { scope: 'profile', response_mode: mode }));
        t.is((await opened(alg, responseIn(early).token, portal.id)).claims.error, 'invalid_request', mode);
      }
      const browser = server.browser();
      await browser.get(authorizationPath(portal, { response_mode: 'jwt' }));
      await browser.follow();
      await browser.submit({}, '/cancel');
      await browser.follow(away);
      t.is((await opened(alg, responseIn(browser.page).token, portal.id)).claims.error, 'access_denied');
    },
  );

  test.serial(`A15 S3 what a pushed and signed request asks for holds: an answer signed with ${alg}`, async (t) => {
    const signer = requestSigner(alg);
    const portal = await server.addPortal({
      authorization_signed_response_alg: alg,
      request_object_signing_alg: alg,
      jwks: { keys: [signer.jwk] },
    });
    const browser = server.browser();
    await tokensOf(server, portal, browser);
    const object = (more: Record<string, unknown> = {}) =>
      signer.sign(requestClaims(portal, server.issuer, { response_mode: 'query.jwt', ...more }));
    await browser.get(objectPath(portal, object(), { response_mode: 'query' }));
    t.truthy((await opened(alg, responseIn(browser.page).token, portal.id)).claims.code);
    const pushed = await fetch(`${server.issuer}/request`, {
      method: 'POST',
      headers: basic(portal),
      body: new URLSearchParams({ request: object({ prompt: 'none' }) }),
    });
    const { request_uri: uri } = (await pushed.json()) as Record<string, string>;
    const where = `/auth?${new URLSearchParams({ client_id: portal.id, request_uri: String(uri) })}`;
    const silent = await server.browser().get(where);
    t.is((await opened(alg, responseIn(silent).token, portal.id)).claims.error, 'login_required');
    await browser.get(where);
    t.truthy((await opened(alg, responseIn(browser.page).token, portal.id)).claims.code);
  });
}

test.serial(
  'S3 V57 V59 an answer is encrypted to a portal that has registered a key for it, and stays signed inside',
  async (t) => {
    const portal = await server.addPortal(ENCRYPTED);
    const browser = server.browser();
    await tokensOf(server, portal, browser);
    for (const [query, what] of [
      [{}, 'code'],
      [{ max_age: 'x' }, 'error'],
    ] as const) {
      await browser.get(authorizationPath(portal, { response_mode: 'jwt', ...query }));
      const { header, token } = decrypted(responseIn(browser.page).token, encryptionKey);
      t.like(header, { alg: 'SGD_SM2_3', enc: 'SGD_SM4_GCM', cty: 'JWT', iss: server.issuer, aud: portal.id });
      const { claims } = verified(token, keys);
      t.is(typeof claims[what], 'string');
      t.is(claims.aud, portal.id);
    }
    const [told] = (await server.events('portal.refused')).filter(({ client }) => client === portal.id);
    t.like(told, { data: { error: 'invalid_request' } }, 'whoever keeps the ledger reads what the portal was told');
  },
);

test.serial('B3 an answer is no hint, no assertion, no request object and no token', async (t) => {
  const signer = requestSigner('ES256');
  for (const alg of ['ES256', SM2] as const) {
    const portal = portals.get(alg)!;
    const browser = server.browser();
    await tokensOf(server, portal, browser);
    await browser.get(authorizationPath(portal, { response_mode: 'jwt' }));
    const { token } = responseIn(browser.page);
    await browser.get(authorizationPath(portal, { prompt: 'none', id_token_hint: token }));
    t.is(callbackOf(browser.page).searchParams.get('error'), 'invalid_request', alg);
    t.is((await browser.get(`/session/end?id_token_hint=${token}`)).status, 400, alg);
    const me = await fetch(`${server.issuer}/me`, { headers: { authorization: `Bearer ${token}` } });
    t.is(me.status, 401, alg);
    const asking = await server.addPortal({ request_object_signing_alg: 'ES256', jwks: { keys: [signer.jwk] } });
    const page = await server.browser().get(objectPath(asking, token, { redirect_uri: REDIRECT_URI }));
    t.is(callbackOf(page).searchParams.get('error'), 'invalid_request_object', alg);
  }
});

test.serial('V25 a form goes to a registered address alone, and an answer in it runs nothing', async (t) => {
  const portal = portals.get('ES256')!;
  for (const uri of ['javascript:alert(1)', 'https://evil.cn/', `${REDIRECT_URI}"><script>`, 'data:text/html,x']) {
    const page = await server
      .browser()
      .get(authorizationPath(portal, { redirect_uri: uri, response_mode: 'form_post.jwt' }));
    t.is(page.status, 400, uri);
    t.false(page.text.includes('name="response"'), uri);
    t.false(String(page.headers['content-security-policy']).includes('evil.cn'), uri);
  }
  const state = '"><script>alert(1)</script>';
  const browser = server.browser();
  await tokensOf(server, portal, browser);
  await browser.get(authorizationPath(portal, { response_mode: 'form_post.jwt', state }));
  t.false(browser.page.text.includes('alert(1)'));
  t.is(payloadOf(responseIn(browser.page).token).state, state);
});

test.serial(
  'a portal that is not registered for signed answers is told that there are none, as plainly as ever',
  async (t) => {
    const browser = server.browser();
    await tokensOf(server, plain, browser);
    for (const mode of ['jwt', 'query.jwt', 'form_post.jwt', 'fragment.jwt', 'web_message.jwt']) {
      for (const query of [{}, { prompt: 'none' }, { scope: 'profile' }] as Record<string, string>[]) {
        await browser.get(authorizationPath(plain, { response_mode: mode, ...query }));
        const answer = callbackOf(browser.page).searchParams;
        t.is(answer.get('error'), 'unsupported_response_mode', mode);
        t.is(answer.get('iss'), server.issuer);
      }
      const twice = await browser.get(`${authorizationPath(plain, { response_mode: mode })}&scope=openid`);
      t.is(callbackOf(twice).searchParams.get('error'), 'invalid_request', 'earlier errors come plainly too');
      const fields = {
        ...Object.fromEntries(new URL(authorizationPath(plain), server.issuer).searchParams),
        response_mode: mode,
      };
      const pushed = await fetch(`${server.issuer}/request`, {
        method: 'POST',
        headers: basic(plain),
        body: new URLSearchParams(fields),
      });
      t.is(((await pushed.json()) as { error: string }).error, 'unsupported_response_mode', mode);
    }
    const signer = requestSigner('ES256');
    const asking = await server.addPortal({ request_object_signing_alg: 'ES256', jwks: { keys: [signer.jwk] } });
    const object = signer.sign(requestClaims(asking, server.issuer, { response_mode: 'jwt' }));
    await browser.get(objectPath(asking, object, { redirect_uri: REDIRECT_URI }));
    t.is(callbackOf(browser.page).searchParams.get('error'), 'unsupported_response_mode', 'inside an object as well');
  },
);

test.serial('a portal is answered in the modes it is registered for and in no other', async (t) => {
  const only = await server.addPortal({ authorization_signed_response_alg: 'ES256', response_modes: ['query.jwt'] });
  const browser = server.browser();
  await browser.get(authorizationPath(only));
  t.is(callbackOf(browser.page).searchParams.get('error'), 'invalid_request');
  for (const mode of ['query', 'form_post']) {
    const page = await browser.get(authorizationPath(only, { response_mode: mode }));
    t.true(page.text.includes('invalid_request') || String(page.location).includes('error=invalid_request'), mode);
  }
  for (const mode of ['jwt', 'form_post.jwt', 'fragment.jwt']) {
    await browser.get(authorizationPath(only, { response_mode: mode }));
    t.is(callbackOf(browser.page).searchParams.get('error'), 'unsupported_response_mode', mode);
  }
  const callback = await server.signIn(browser, only, { query: { response_mode: 'query.jwt' } });
  t.truthy(payloadOf(callback.searchParams.get('response')).code);
});

test.serial('what the ledger tells of a refusal does not hang on how the portal is answered', async (t) => {
  for (const mode of ['query', 'form_post', 'jwt', 'form_post.jwt']) {
    const portal = await server.addPortal({ authorization_signed_response_alg: SM2 });
    await server.browser().get(authorizationPath(portal, { response_mode: mode, max_age: 'x' }));
    await server.browser().get(authorizationPath(portal, { response_mode: mode, redirect_uri: 'https://evil.cn/' }));
    const told = (await server.events('portal.refused')).filter(({ client }) => client === portal.id);
    t.is(told.length, 1, `${mode}: a page of ours is nothing the portal was sent`);
    t.like(told[0], { data: { error: 'invalid_request' } }, mode);
  }
});

test.serial(
  'B5 discovery names the modes and the algorithms of answers and requests, those that are taken and no more',
  async (t) => {
    const metadata = (await (await fetch(`${server.issuer}/.well-known/openid-configuration`)).json()) as Record<
      string,
      unknown
    >;
    t.deepEqual(metadata.response_modes_supported, ['query', 'form_post', 'jwt', 'query.jwt', 'form_post.jwt']);
    t.deepEqual(metadata.authorization_signing_alg_values_supported, ['ES256', 'RS256', SM2]);
    t.deepEqual(metadata.authorization_encryption_alg_values_supported, ['SGD_SM2_3']);
    t.deepEqual(metadata.authorization_encryption_enc_values_supported, ['SGD_SM4_GCM']);
    t.deepEqual(metadata.request_object_signing_alg_values_supported, ['ES256', 'PS256', 'RS256', SM2]);
    t.is(metadata.request_parameter_supported, true);
    t.is(metadata.request_uri_parameter_supported, false);
    t.is(metadata.require_signed_request_object, undefined, 'each portal by itself');
  },
);

test.serial(
  'S3 B5 what a portal may register for signed answers and requests is checked when it is registered',
  async (t) => {
    const signer = requestSigner('ES256');
    const sm2 = requestSigner(SM2);
    const jwks = { keys: [signer.jwk] };
    const proof = { token_endpoint_auth_method: 'private_key_jwt' };
    const refusal = async (record: Record<string, unknown>): Promise<string> => {
      const whole = { client_name: '门户', redirect_uris: [REDIRECT_URI], ...record };
      const outcome = await server.house.relyingParties.add(whole, 'test');
      return outcome.ok ? 'registered' : outcome.faults.map(({ field, reason }) => `${field} ${reason}`).join('; ');
    };
    const cases: readonly [Record<string, unknown>, RegExp][] = [
      [{ response_modes: ['jwt'] }, /authorization_signed_response_alg must be given for the response mode jwt/],
      [{ response_modes: ['query'], authorization_signed_response_alg: 'ES256' }, /response_modes must include one of/],
      [{ response_modes: ['fragment.jwt'], authorization_signed_response_alg: 'ES256' }, /response_modes/],
      [{ authorization_signed_response_alg: 'none' }, /authorization_signed_response_alg must be/],
      [{ authorization_signed_response_alg: 'HS256' }, /authorization_signed_response_alg must be/],
      [{ ...ENCRYPTED, authorization_encrypted_response_alg: 'RSA-OAEP' }, /authorization_encrypted_response_alg/],
      [{ ...ENCRYPTED, authorization_encrypted_response_enc: undefined }, /neither goes without the other/],
      [
        { ...ENCRYPTED, authorization_signed_response_alg: 'ES256' },
        /authorization_signed_response_alg must be SGD_SM3_SM2/,
      ],
      [{ ...ENCRYPTED, jwks: undefined }, /hold a key on sm2p256v1 with the use enc/],
      [{ request_object_signing_alg: 'ES256' }, /jwks must be given, or jwks_uri, with request_object_signing_alg/],
      [{ request_object_signing_alg: 'none', jwks }, /request_object_signing_alg must be/],
      [{ request_object_signing_alg: 'HS256', jwks }, /request_object_signing_alg must be/],
      [{ require_signed_request_object: true, jwks }, /request_object_signing_alg must be given/],
      [{ request_object_signing_alg: SM2, jwks }, /hold a key on sm2p256v1 for SGD_SM3_SM2/],
      [{ request_object_signing_alg: SM2, jwks_uri: 'https://portal.example/jwks' }, /hold a key on sm2p256v1/],
      [
        { ...proof, request_object_signing_alg: SM2, jwks: { keys: [signer.jwk, sm2.jwk] } },
        /token_endpoint_auth_signing_alg must be SGD_SM3_SM2 too, as request_object_signing_alg is/,
      ],
      [
        {
          ...proof,
          token_endpoint_auth_signing_alg: SM2,
          request_object_signing_alg: 'ES256',
          jwks: { keys: [signer.jwk, sm2.jwk] },
        },
        /request_object_signing_alg must be SGD_SM3_SM2 too, as token_endpoint_auth_signing_alg is/,
      ],
      [{ request_object_signing_alg: 'ES256', jwks, sm2_signature_form: {} }, /sm2_signature_form is for a/],
      [{ request_object_encryption_alg: 'RSA-OAEP' }, /not a field/],
      [{ request_uris: ['https://portal.example/r'] }, /not a field/],
    ];
    for (const [record, expected] of cases) t.regex(await refusal(record), expected, JSON.stringify(record));
    t.is(await refusal({ request_object_signing_alg: SM2, jwks: { keys: [sm2.jwk, signer.jwk] } }), 'registered');
  },
);
