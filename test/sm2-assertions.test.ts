import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { SignJWT } from 'jose';
import { toLibraryMetadata } from '../src/oidc/sm2-client.ts';
import { startServer, type TestPortal, type TestServer } from './support/server.ts';
import {
  assertionClaims,
  decoded,
  encoded,
  type PortalKey,
  portalKey,
  type Signing,
  signedBy,
} from './support/sm2-portal.ts';

const ALG = 'SGD_SM3_SM2';
const key = portalKey('one');
const otherKey = portalKey('one');
const es256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const es256Jwk = { ...es256.publicKey.export({ format: 'jwk' }), kid: 'classic', use: 'sig', alg: 'ES256' };

let server: TestServer;
let portal: TestPortal;

const service = (record: Record<string, unknown> = {}) => ({
  grant_types: ['client_credentials'],
  redirect_uris: [],
  scope: undefined,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: ALG,
  jwks: { keys: [key.jwk, es256Jwk] },
  ...record,
});

test.before(async () => {
  server = await startServer(undefined);
  portal = await server.addPortal(service());
});
test.after.always(() => server.stop());

const claimsOf = (claims: Record<string, unknown> = {}, who = portal) => ({
  ...assertionClaims(who.id, server.issuer),
  ...claims,
});
const assertion = (claims: Record<string, unknown> = {}, by: PortalKey = key, signing: Signing = {}) =>
  signedBy(by, claimsOf(claims), signing);

async function present(jwt: string, path = '/token'): Promise<{ readonly status: number; readonly error: unknown }> {
  const answer = await fetch(server.issuer + path, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: jwt,
    }),
  });
  return { status: answer.status, error: ((await answer.json()) as { error?: string }).error };
}

test('A14 a portal proves itself with an assertion signed with SM2, once', async (t) => {
  const jwt = assertion();
  t.is((await present(jwt)).status, 200);
  t.is((await present(jwt)).status, 401);
  t.is(
    (await present(signedBy(key, claimsOf(), { header: { kid: undefined, typ: 'JWT' } }))).status,
    200,
    'without kid',
  );
});

test('A14 V55 the checks of an assertion hold for SM2 too: audience, dates, names', async (t) => {
  const now = Math.floor(Date.now() / 1000);
  for (const claims of [
    { aud: `${server.issuer}/token` },
    { aud: [server.issuer] },
    { aud: 'https://evil.example' },
    { exp: now - 60 },
    { exp: now + 400 },
    { exp: now + 60.5 },
    { exp: undefined },
    { nbf: now + 60 },
    { iat: now + 60 },
    { jti: undefined },
    { iss: 'somebody-else' },
    { sub: 'somebody-else' },
    { sub: undefined },
  ]) {
    const { status, error } = await present(assertion(claims));
    t.is(status, 401, JSON.stringify(claims));
    t.is(error, 'invalid_client');
  }
});

test('B1 B2 B9 V56 V57 V59 an assertion that is not signed with SM2 by a registered key is refused', async (t) => {
  const good = assertion();
  const [header = '', payload = '', signature = ''] = good.split('.');
  const raw = Buffer.from(signature, 'base64url');
  const signed = (bytes: Buffer) => `${header}.${payload}.${bytes.toString('base64url')}`;
  const order = 'fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123';
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)];
  const zero = Buffer.alloc(32);
  const raised = (BigInt(`0x${r.toString('hex')}`) + BigInt(`0x${order}`)).toString(16);
  const refused: Readonly<Record<string, string>> = {
    'another key under its kid': assertion({}, otherKey),
    'the signature of another assertion': `${header}.${encoded(claimsOf())}.${signature}`,
    'another subject under the same signature': `${header}.${encoded({ ...decoded(payload), jti: 'x' })}.${signature}`,
    'r zero': signed(Buffer.concat([zero, s])),
    's zero': signed(Buffer.concat([r, zero])),
    'r the order': signed(Buffer.concat([Buffer.from(order, 'hex'), s])),
    's the order': signed(Buffer.concat([r, Buffer.from(order, 'hex')])),
    'r and the order': signed(Buffer.concat([Buffer.from(raised.padStart(66, '0'), 'hex'), s])),
    'r + s the order': signed(
      Buffer.concat([
        r,
        Buffer.from((BigInt(`0x${order}`) - BigInt(`0x${r.toString('hex')}`)).toString(16).padStart(64, '0'), 'hex'),
      ]),
    ),
    'all ones': signed(Buffer.alloc(64, 0xff)),
    '63 bytes': signed(raw.subarray(1)),
    '65 bytes': signed(Buffer.concat([raw, Buffer.of(0)])),
    'a zero before s': signed(Buffer.concat([r, Buffer.of(0), s])),
    DER: assertion({}, key, { encoding: 'der' }),
    'no signature': `${header}.${payload}.`,
    'alg none': `${encoded({ alg: 'none' })}.${payload}.`,
    'an alias it is not registered for': assertion({}, key, { header: { alg: 'SM2' } }),
    'a key in the header': assertion({}, otherKey, { header: { jwk: otherKey.jwk, kid: undefined } }),
    'an unknown kid': assertion({}, key, { header: { kid: 'two' } }),
    'a critical extension': assertion({}, key, { header: { crit: ['exp'], exp: 1 } }),
    'an unencoded payload': assertion({}, key, { header: { b64: false } }),
    'an encrypted token with a password for a key': `${encoded({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31 - 1, p2s: 'AA' })}.AA.AA.AA.AA`,
    zip: assertion({}, key, { header: { zip: 'DEF' } }),
    padding: `${good}==`,
    'a line break': `${good}\n`,
    'loose bits at the end': `${good.slice(0, -1)}${good.endsWith('A') ? 'B' : String.fromCharCode(good.charCodeAt(good.length - 1) + 1)}`,
    'a list for claims': signedBy(key, [claimsOf()]),
  };
  for (const [what, jwt] of Object.entries(refused)) t.true((await present(jwt)).status >= 400, what);
  t.is((await present(good)).status, 200, 'what they were made of is good');
});

test('A14 a portal registered for SM2 cannot fall back to another key it holds, nor to the one that vouches inside', async (t) => {
  const sign = (header: { alg: string; kid?: string }) =>
    new SignJWT(claimsOf()).setProtectedHeader(header).sign(es256.privateKey);
  for (const path of ['/token', '/token/introspection', '/request']) {
    for (const header of [{ alg: 'ES256', kid: 'classic' }, { alg: 'ES256', kid: 'notary' }, { alg: 'ES256' }]) {
      t.is((await present(await sign(header), path)).status, 401, `${path} ${JSON.stringify(header)}`);
    }
  }
});

test('S3 an older portal may sign under another name, or in DER, when it is registered so, and then in no other way', async (t) => {
  const forms = [
    { alg: 'SM2', encoding: 'raw' },
    { alg: 'SM2SM3', encoding: 'der' },
    { alg: 'SM3WithSM2', encoding: 'der' },
    { alg: ALG, encoding: 'der' },
  ] as const;
  for (const { alg, encoding } of forms) {
    const older = await server.addPortal(service({ sm2_signature_form: { alg, encoding } }));
    const sign = (signing: Signing) => signedBy(key, claimsOf({}, older), signing);
    t.is((await present(sign({ header: { alg }, encoding }))).status, 200, `${alg} ${encoding}`);
    const others: Signing[] = [
      { header: { alg }, encoding: encoding === 'raw' ? 'der' : 'raw' },
      { header: { alg: alg === 'SM2' ? 'SM2SM3' : 'SM2' }, encoding },
    ];
    for (const other of others) t.is((await present(sign(other))).status, 401, JSON.stringify(other));
  }
});

test('S3 B5 V59 what a portal may register for SM2 is checked when it is registered', async (t) => {
  const refusal = async (record: Record<string, unknown>): Promise<string> => {
    const outcome = await server.house.relyingParties.add({ client_name: '门户', ...service(record) }, 'test');
    return outcome.ok ? 'registered' : outcome.faults.map(({ field, reason }) => `${field} ${reason}`).join('; ');
  };
  const jwks = (...keys: unknown[]) => ({ jwks: { keys } });
  const cases: readonly [Record<string, unknown>, RegExp][] = [
    [jwks({ ...key.jwk, d: 'AA' }), /private member d/],
    [jwks({ ...key.jwk, y: key.jwk.x }), /point on the curve/],
    [jwks({ ...key.jwk, x: 'A'.repeat(43), y: 'A'.repeat(43) }), /point on the curve/],
    [jwks({ ...key.jwk, x: `${key.jwk.x}AA` }), /32 bytes/],
    [jwks({ ...key.jwk, x: key.jwk.x!.slice(0, -1) }), /32 bytes/],
    [jwks({ ...key.jwk, x: [key.jwk.x] }), /32 bytes/],
    [jwks({ ...key.jwk, alg: 'ES256' }), /alg SGD_SM3_SM2/],
    [jwks({ ...key.jwk, use: 'tls' }), /use sig or enc/],
    [jwks({ ...key.jwk, use: 'enc' }), /hold a key on sm2p256v1/],
    [jwks(es256Jwk), /hold a key on sm2p256v1/],
    [{ jwks: undefined, jwks_uri: 'https://portal.example/jwks' }, /hold a key on sm2p256v1/],
    [{ sm2_signature_form: { alg: 'RS256' } }, /sm2_signature_form/],
    [{ token_endpoint_auth_signing_alg: 'ES256', sm2_signature_form: {} }, /SGD_SM3_SM2 alone/],
    [{ id_token_encrypted_response_alg: 'SGD_SM2_3' }, /neither goes without the other/],
    [{ userinfo_encrypted_response_enc: 'SGD_SM4_GCM' }, /neither goes without the other/],
    [
      { id_token_encrypted_response_alg: 'SGD_SM2_3', id_token_encrypted_response_enc: 'SGD_SM4_GCM' },
      /id_token_signed_response_alg must be SGD_SM3_SM2.*jwks must hold a key/,
    ],
    [{ id_token_encrypted_response_alg: 'RSA-OAEP' }, /id_token_encrypted_response_alg/],
    [{ id_token_signed_response_alg: 'ES384' }, /id_token_signed_response_alg/],
  ];
  for (const [record, expected] of cases) t.regex(await refusal(record), expected, JSON.stringify(record));
});

test('a key is kept under one name of its curve, whichever it came with', async (t) => {
  for (const crv of ['SM2', 'SM2-P-256', 'sm2p256v1']) {
    const added = await server.addPortal(service({ jwks: { keys: [{ ...key.jwk, crv }] } }));
    const party = await server.house.relyingParties.find(added.id);
    t.is(party?.record.jwks?.keys[0]?.crv, 'sm2p256v1', crv);
    t.is((await present(signedBy(key, claimsOf({}, added)))).status, 200, crv);
  }
});

test('B1 of a portal registered for SM2 the library sees the key that vouches and no other', async (t) => {
  const party = await server.house.relyingParties.find(portal.id);
  const notary = { kty: 'EC', crv: 'P-256', kid: 'notary', alg: 'ES256' };
  const metadata = toLibraryMetadata(party!, notary);
  t.deepEqual(metadata.jwks, { keys: [notary] });
  t.is(metadata.token_endpoint_auth_signing_alg, 'ES256');
});
