import { generateKeyPairSync, randomUUID } from 'node:crypto';
import test from 'ava';
import { type JWTHeaderParameters, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { startServer, type TestPortal, type TestServer } from './support/server.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const others = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const nowSeconds = () => Math.floor(Date.now() / 1000);

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined);
  portal = await server.addPortal({
    grant_types: ['client_credentials'],
    redirect_uris: [],
    scope: undefined,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...keys.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' }] },
  });
});
test.after.always(() => server.stop());

interface Made {
  readonly claims?: JWTPayload;
  readonly header?: Partial<JWTHeaderParameters>;
  readonly key?: Parameters<SignJWT['sign']>[0];
}

const claimsOf = (claims: JWTPayload = {}): JWTPayload => ({
  iss: portal.id,
  sub: portal.id,
  aud: server.issuer,
  jti: randomUUID(),
  iat: nowSeconds(),
  exp: nowSeconds() + 60,
  ...claims,
});

const assertion = ({ claims = {}, header = {}, key = keys.privateKey }: Made = {}): Promise<string> =>
  new SignJWT(claimsOf(claims)).setProtectedHeader({ alg: 'ES256', kid: 'one', ...header }).sign(key);

const present = async (jwt: string, fields: Record<string, string> = {}, headers: Record<string, string> = {}) => {
  const answer = await fetch(`${server.issuer}/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: portal.id,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: jwt,
      ...fields,
    }),
  });
  return { status: answer.status, error: ((await answer.json()) as { error?: string }).error };
};

test('A14 a portal proves itself with a signed assertion made out to the issuer', async (t) => {
  t.is((await present(await assertion())).status, 200);
  t.is((await present(await assertion({ claims: { iat: nowSeconds() + 8 } }))).status, 200, 'a clock slightly ahead');
});

test('A14 V55 an assertion made out to anybody but the issuer alone is refused', async (t) => {
  for (const aud of [
    `${server.issuer}/token`,
    `${server.issuer}/`,
    [server.issuer],
    [server.issuer, 'https://evil.cn'],
    'https://evil.cn',
    '',
  ]) {
    const { status, error } = await present(await assertion({ claims: { aud } }));
    t.is(status, 401, JSON.stringify(aud));
    t.is(error, 'invalid_client');
  }
});

test('A14 V52 an assertion works once', async (t) => {
  const jwt = await assertion();
  t.is((await present(jwt)).status, 200);
  t.is((await present(jwt)).status, 401);
  const same = await assertion({ claims: { jti: 'the-same' } });
  t.is((await present(same)).status, 200);
  t.is((await present(await assertion({ claims: { jti: 'the-same' } }))).status, 401, 'the jti counts, not the bytes');
});

test('A14 R1 an assertion presented ten times at once works once, and no answer is a server error', async (t) => {
  const jwt = await assertion();
  const answers = await Promise.all(Array.from({ length: 10 }, () => present(jwt)));
  t.is(answers.filter(({ status }) => status === 200).length, 1);
  t.is(answers.filter(({ status }) => status === 401).length, 9);
});

test('A14 B4 V19 dates are judged: five minutes at most, not over, not from the future', async (t) => {
  for (const claims of [
    { exp: nowSeconds() + 400 },
    { exp: nowSeconds() + 10_000_000 },
    { exp: nowSeconds() - 60 },
    { iat: nowSeconds() + 60 },
    { nbf: nowSeconds() + 60 },
    { exp: undefined },
    { jti: undefined },
    { sub: undefined },
    { iss: undefined },
    { iss: 'somebody-else' },
    { sub: 'somebody-else' },
    { exp: '9999999999' as unknown as number },
  ]) {
    const { status } = await present(await assertion({ claims }));
    t.true(status === 401 || (status === 400 && 'sub' in claims), `${JSON.stringify(claims)} ${status}`);
  }
});

test('A14 B1 V10 only the registered key with its own algorithm proves anything', async (t) => {
  const forged: Record<string, string> = {
    'another key': await assertion({ key: others.privateKey }),
    'another key in the header': await assertion({
      key: others.privateKey,
      header: { jwk: others.publicKey.export({ format: 'jwk' }) as JWTHeaderParameters['jwk'] & object },
    }),
    none: new UnsecuredJWT(claimsOf()).encode(),
    'RS256 with a key of its own': await assertion({ key: rsa.privateKey, header: { alg: 'RS256' } }),
    'HS256 with the public key': await assertion({
      key: Buffer.from(keys.publicKey.export({ format: 'pem', type: 'spki' })),
      header: { alg: 'HS256' },
    }),
    'an unknown kid': await assertion({ header: { kid: 'two' } }),
    'a broken signature': `${(await assertion()).slice(0, -6)}AAAAAA`,
    'four parts': `${await assertion()}.x`,
    empty: '',
    __proto__: '__proto__',
  };
  for (const [name, jwt] of Object.entries(forged)) {
    const { status } = await present(jwt);
    t.true(status === 401 || status === 400, `${name}: ${status}`);
  }
});

test('A13 A14 an assertion does not go together with a secret, nor is a secret enough', async (t) => {
  const basic = { authorization: `Basic ${btoa(`${portal.id}:anything`)}` };
  t.is((await present(await assertion(), {}, basic)).status, 400);
  t.is((await present(await assertion(), { client_secret: 'anything' })).status, 400);
  const alone = await fetch(`${server.issuer}/token`, {
    method: 'POST',
    headers: basic,
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  t.is(alone.status, 401);
});
