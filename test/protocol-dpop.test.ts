import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import test from 'ava';
import { type JWK, SignJWT } from 'jose';
import { basic, introspect, ROOMY } from './support/portal-calls.ts';
import { redemption, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const others = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  portal = await server.addPortal({ dpop_bound_access_tokens: true });
});
test.after.always(() => server.stop());

interface Proof {
  readonly method?: string;
  readonly address: string;
  readonly nonce?: string;
  readonly token?: string;
  readonly pair?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly jwk?: JWK;
  readonly claims?: Record<string, unknown>;
}

function proof({ method = 'POST', address, nonce, token, pair = keys, jwk, claims = {} }: Proof): Promise<string> {
  const ath = token && createHash('sha256').update(token).digest('base64url');
  return new SignJWT({
    htm: method,
    htu: server.issuer + address,
    jti: randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    ...(nonce === undefined ? {} : { nonce }),
    ...(ath === undefined ? {} : { ath }),
    ...claims,
  })
    .setProtectedHeader({
      alg: 'ES256',
      typ: 'dpop+jwt',
      jwk: jwk ?? (pair.publicKey.export({ format: 'jwk' }) as JWK),
    })
    .sign(pair.privateKey);
}

const service = (dpop: string) =>
  fetch(`${server.issuer}/token`, {
    method: 'POST',
    headers: { ...basic(portal), dpop },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });

/** A nonce of the server, learnt as RFC 9449 section 8 says: from the refusal of a proof without one, or from any answer. */
async function nonce(): Promise<string> {
  const answer = await service(await proof({ address: '/token' }));
  return answer.headers.get('dpop-nonce') ?? '';
}

test('A17 a token bound to a key works with that key and is worth nothing as a bearer token', async (t) => {
  const callback = await server.signIn(server.browser(), portal);
  const redeem = async (headers: Record<string, string>) => server.token(portal, redemption(callback), headers);
  t.not((await redeem({})).status, 200, 'this portal must bind its tokens');

  const again = await server.signIn(server.browser(), portal);
  const { status, body } = await server.token(portal, redemption(again), {
    dpop: await proof({ address: '/token', nonce: await nonce() }),
  });
  t.is(status, 200, JSON.stringify(body));
  t.is(body.token_type, 'DPoP');
  const token = String(body.access_token);
  t.truthy(((await introspect(server, portal, token)).cnf as { jkt?: string }).jkt);

  const me = async (headers: Record<string, string>) => (await fetch(`${server.issuer}/me`, { headers })).status;
  const bound = { method: 'GET', address: '/me', token, nonce: await nonce() };
  t.is(await me({ authorization: `DPoP ${token}`, dpop: await proof(bound) }), 200);
  t.is(await me({ authorization: `Bearer ${token}` }), 401);
  t.is(await me({ authorization: `DPoP ${token}` }), 400, 'without a proof the request is not even one');
  t.is(await me({ authorization: `DPoP ${token}`, dpop: await proof({ ...bound, pair: others }) }), 401);
  t.is(await me({ authorization: `DPoP ${token}`, dpop: await proof({ ...bound, token: 'another' }) }), 401);
  t.is(await me({ authorization: `DPoP ${token}`, dpop: await proof({ ...bound, claims: { ath: undefined } }) }), 401);
});

test('A17 a proof is for one method, one address, one moment and one use', async (t) => {
  const fresh = await nonce();
  const good = await proof({ address: '/token', nonce: fresh });
  t.is((await service(good)).status, 200);
  t.is((await service(good)).status, 400, 'used already');
  const now = Math.floor(Date.now() / 1000);
  for (const [name, bad] of Object.entries({
    method: await proof({ address: '/token', method: 'GET', nonce: fresh }),
    address: await proof({ address: '/me', nonce: fresh }),
    host: await proof({ address: '/token', nonce: fresh, claims: { htu: 'https://evil.cn/token' } }),
    'no jti': await proof({ address: '/token', nonce: fresh, claims: { jti: undefined } }),
    'another nonce': await proof({ address: '/token', nonce: 'x'.repeat(43) }),
    'a private key in the header': await proof({
      address: '/token',
      nonce: fresh,
      jwk: keys.privateKey.export({ format: 'jwk' }) as JWK,
    }),
    'a key that did not sign': await proof({
      address: '/token',
      nonce: fresh,
      jwk: others.publicKey.export({ format: 'jwk' }) as JWK,
    }),
    old: await proof({ address: '/token', claims: { iat: now - 3600 } }),
    future: await proof({ address: '/token', claims: { iat: now + 3600 } }),
    none: 'eyJhbGciOiJub25lIn0.e30.',
    garbage: 'x',
  })) {
    t.is((await service(bad)).status, 400, name);
  }
});

test('A17 R1 one proof ten times at once is used once', async (t) => {
  const dpop = await proof({ address: '/token', nonce: await nonce() });
  const answers = await Promise.all(Array.from({ length: 10 }, () => service(dpop)));
  t.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: 9 }, () => 400)]);
});
