import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Provider } from 'oidc-provider';
import { parseRelyingParty } from '../src/relying-parties/record.ts';
import { createRelyingParties, type RelyingParties } from '../src/relying-parties/relying-parties.ts';
import { EXTRA_METADATA, sectorIsFetched, sectorOf, toProtocolMetadata } from '../src/relying-parties/relying-party.ts';
import { digestSecret, secretMatches } from '../src/relying-parties/secret.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { temporaryFolder } from './support/folders.ts';
import { ledgerEntries, testLedger } from './support/ledger.ts';

const PORTAL = { client_name: '办事大厅', redirect_uris: ['https://portal.example.cn/callback'] };
const publicJwk = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });

async function register(t: ExecutionContext, allowChosenSecret = false) {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const open = async (): Promise<{ parties: RelyingParties; database: Database }> => {
    const database = await openDatabase({ file });
    t.teardown(() => database.close());
    return { database, parties: createRelyingParties({ database, ledger: testLedger(database), allowChosenSecret }) };
  };
  return { ...(await open()), open };
}

async function added(t: ExecutionContext, parties: RelyingParties, record: object) {
  const outcome = await parties.add(record, 'test');
  if (!outcome.ok) return t.fail(JSON.stringify(outcome.faults)) as never;
  return outcome;
}

function faultsOf(record: object): string[] {
  const outcome = parseRelyingParty(record);
  return outcome.ok ? [] : outcome.faults.map(({ field }) => field);
}

test('a portal is registered with a secret of 43 characters that is stored as a digest only', async (t) => {
  const { parties, database } = await register(t);
  const { party, secret } = await added(t, parties, PORTAL);
  t.regex(secret ?? '', /^[\w-]{43}$/);
  t.true(secretMatches(party.secretDigest!, secret!));
  t.false(secretMatches(party.secretDigest!, `${secret}x`));
  const row = await database.get<Record<string, unknown>>('SELECT * FROM relying_parties', []);
  t.false(JSON.stringify(row).includes(secret!));
  const event = (await ledgerEntries(database))[0];
  t.like(event, { type: 'relying-party.added', client: party.clientId });
  t.is(party.record.subject_type, 'pairwise');
  t.is(party.record.id_token_signed_response_alg, 'ES256');
});

test('A13 a secret is matched under either digest and never under a foreign one', (t) => {
  t.true(secretMatches(digestSecret('open sesame', 'sm3'), 'open sesame'));
  t.false(secretMatches(digestSecret('open sesame', 'sm3'), 'open Sesame'));
  t.false(secretMatches('open sesame', 'open sesame'));
  t.false(secretMatches('', ''));
});

test('a client_id is registered once, also by two at the same time', async (t) => {
  const { parties, database } = await register(t);
  const record = { ...PORTAL, client_id: 'hall' };
  const outcomes = await Promise.all([parties.add(record, 'test'), parties.add(record, 'test')]);
  t.deepEqual(outcomes.map(({ ok }) => ok).sort(), [false, true]);
  t.is((await ledgerEntries(database)).length, 1);
});

test('a disabled portal is not found, and its switching is one event each way', async (t) => {
  const { parties, database } = await register(t);
  await added(t, parties, { ...PORTAL, client_id: 'hall' });
  t.is((await parties.find('hall'))?.clientId, 'hall');
  t.deepEqual(await parties.disable('hall', 'test'), { ok: true, changed: true });
  t.deepEqual(await parties.disable('hall', 'test'), { ok: true, changed: false });
  t.is(await parties.find('hall'), undefined);
  t.is((await parties.inspect('hall'))?.status, 'disabled');
  t.deepEqual(await parties.enable('hall', 'test'), { ok: true, changed: true });
  t.is((await parties.find('hall'))?.status, 'active');
  t.deepEqual(await parties.disable('nobody', 'test'), { ok: false, reason: 'unknown' });
  const types = await ledgerEntries(database);
  t.deepEqual(
    types.map(({ type }) => type),
    ['relying-party.added', 'relying-party.disabled', 'relying-party.enabled'],
  );
});

test('a change made by another process is seen within a second', async (t) => {
  const { parties, open } = await register(t);
  const other = (await open()).parties;
  await added(t, parties, { ...PORTAL, client_id: 'hall' });
  const before = await parties.find('hall');
  t.is(await parties.find('hall'), before, 'the same object is answered again');
  await other.disable('hall', 'test');
  await added(t, other, { ...PORTAL, client_id: 'new-hall' });
  t.truthy(await parties.find('new-hall'), 'a new portal is found at once');
  await pause(900);
  t.is(await parties.find('hall'), undefined);
});

test('a new secret ends the old one at once and a party without secret gets none', async (t) => {
  const { parties } = await register(t);
  const { secret } = await added(t, parties, { ...PORTAL, client_id: 'hall' });
  const rotated = await parties.rotateSecret('hall', 'test');
  const digest = (await parties.find('hall'))!.secretDigest!;
  t.true(rotated.ok && secretMatches(digest, rotated.secret));
  t.false(secretMatches(digest, secret!));
  await added(t, parties, { ...PORTAL, client_id: 'app', token_endpoint_auth_method: 'none' });
  t.deepEqual(await parties.rotateSecret('app', 'test'), { ok: false, reason: 'has_no_secret' });
  t.deepEqual(await parties.rotateSecret('nobody', 'test'), { ok: false, reason: 'unknown' });
});

test('an update replaces the record, keeps the secret while one is needed, and tells the ledger which fields', async (t) => {
  const { parties, database } = await register(t);
  const { secret } = await added(t, parties, { ...PORTAL, client_id: 'hall' });
  const renamed = await parties.update('hall', { ...PORTAL, client_name: '政务服务网' }, 'test');
  t.true(renamed.ok && renamed.secret === undefined && secretMatches(renamed.party.secretDigest!, secret!));
  t.is((await parties.find('hall'))?.record.client_name, '政务服务网');
  const event = (await ledgerEntries(database, 'relying-party.changed'))[0];
  t.deepEqual(event?.data, {
    origin: 'test',
    fields: ['client_name'],
    before: '{"client_name":"办事大厅"}',
    after: '{"client_name":"政务服务网"}',
  });
  const keyed = { ...PORTAL, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk()] } };
  const changed = await parties.update('hall', keyed, 'test');
  t.true(changed.ok && changed.party.secretDigest === null);
  const back = await parties.update('hall', PORTAL, 'test');
  t.true(back.ok && back.secret !== undefined && back.secret !== secret);
  t.false((await parties.update('hall', { ...PORTAL, client_id: 'other' }, 'test')).ok);
  t.false((await parties.update('nobody', PORTAL, 'test')).ok);
});

test('a chosen secret is refused unless this is a demonstration', async (t) => {
  const record = { ...PORTAL, client_id: 'hall', client_secret: 'a-secret-for-the-demo' };
  t.deepEqual(faultsOf(record), ['client_secret']);
  const { parties } = await register(t, true);
  const { party, secret } = await added(t, parties, record);
  t.is(secret, record.client_secret);
  t.true(secretMatches(party.secretDigest!, record.client_secret));
  t.false(JSON.stringify(party.record).includes(record.client_secret));
});

test('every fault of a record is told at once, by name', (t) => {
  t.deepEqual(
    faultsOf({
      client_name: 'portal\u202e',
      redirect_uris: ['https://portal.example.cn/cb', 'javascript:alert(1)', 'https://portal.example.cn/*'],
      grant_types: ['implicit'],
      logo_uri: 'http://portal.example.cn/logo.png',
      surprise: true,
      scope: 'openid id_number',
    }),
    ['surprise', 'client_name', 'logo_uri', 'grant_types[0]', 'redirect_uris[1]', 'redirect_uris[2]', 'scope'],
  );
});

test('A19 A20 E6 G5 what a record may not say', (t) => {
  const { d, ...open } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
  const keyed = (...keys: object[]) => ({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } });
  const rows: readonly (readonly [fields: readonly string[], change: Readonly<Record<string, unknown>>])[] = [
    [[], {}],
    [[], { approved_scopes: ['id_number'], scope: 'openid profile id_number' }],
    [['scope'], { scope: 'openid id_number' }],
    [['scope'], { scope: 'profile' }],
    [['scope[1]'], { scope: 'openid  profile' }],
    [['client_id', 'client_id'], { client_id: '__proto__' }],
    [['client_id'], { client_id: 'constructor' }],
    [['client_id'], { client_id: 'a b' }],
    [['client_name'], { client_name: 'a\nb' }],
    [['client_name'], { client_name: 'por\u200btal' }],
    [['client_name'], { client_name: ' portal' }],
    [['client_name'], { client_name: 'x'.repeat(65) }],
    [['client_name'], { client_name: undefined }],
    [['client_name#en'], { 'client_name#en': 'Hall\u0007' }],
    [['logo_uri'], { logo_uri: 'javascript:alert(1)' }],
    [['logo_uri'], { logo_uri: 'data:image/png;base64,AA' }],
    [['policy_uri'], { policy_uri: 'http://localhost/policy' }],
    [['tos_uri'], { tos_uri: 'https://user@portal.example.cn/' }],
    [['jwks_uri'], { jwks_uri: 'http://portal.example.cn/jwks' }],
    [['backchannel_logout_uri'], { backchannel_logout_uri: 'https://portal.example.cn/out#x' }],
    [['backchannel_logout_session_required'], { backchannel_logout_session_required: true }],
    [[], { backchannel_logout_session_required: true, backchannel_logout_uri: 'http://127.0.0.1:9000/out' }],
    [['sector_identifier_uri'], { sector_identifier_uri: 'http://localhost/sector' }],
    [['sector'], { redirect_uris: ['https://a.example.cn/cb', 'https://b.example.cn/cb'] }],
    [[], { redirect_uris: ['https://a.example.cn/cb', 'https://b.example.cn/cb'], sector: 'example.cn' }],
    [[], { redirect_uris: ['https://a.example.cn/cb', 'https://b.example.cn/cb'], subject_type: 'public' }],
    [['sector'], { sector: 'example.cn', sector_identifier_uri: 'https://example.cn/sector' }],
    [['sector'], { sector: 'https://example.cn' }],
    [['sector'], { application_type: 'native', redirect_uris: ['cn.gov.example.app:/cb'] }],
    [['redirect_uris'], { redirect_uris: [] }],
    [['redirect_uris[1]'], { redirect_uris: [...PORTAL.redirect_uris, ...PORTAL.redirect_uris] }],
    [['redirect_uris[0]'], { redirect_uris: [`https://a.example.cn/${'x'.repeat(1100)}`] }],
    [['post_logout_redirect_uris[0]'], { post_logout_redirect_uris: ['javascript:alert(1)'] }],
    [['response_types[0]'], { response_types: ['token'] }],
    [['response_modes[0]'], { response_modes: ['fragment'] }],
    [
      ['grant_types'],
      { grant_types: ['authorization_code', 'client_credentials'], token_endpoint_auth_method: 'none' },
    ],
    [['redirect_uris'], { grant_types: ['client_credentials'] }],
    [[], { grant_types: ['client_credentials'], redirect_uris: [] }],
    [['grant_types'], { grant_types: ['client_credentials', 'refresh_token'], redirect_uris: [] }],
    [['id_token_signed_response_alg'], { id_token_signed_response_alg: 'none' }],
    [['id_token_signed_response_alg'], { id_token_signed_response_alg: 'HS256' }],
    [['token_endpoint_auth_signing_alg'], { token_endpoint_auth_signing_alg: 'ES256' }],
    [['jwks'], { token_endpoint_auth_method: 'private_key_jwt' }],
    [[], keyed(open)],
    [['jwks.keys[0]'], keyed({ ...open, d })],
    [['jwks.keys[1]'], keyed(open, { kty: 'oct', k: 'c2VjcmV0' })],
    [['jwks.keys[0]'], keyed(weak)],
    [['jwks.keys[0]'], keyed({ ...open, x: 'AAAA' })],
    [['jwks_uri'], { ...keyed(open), jwks_uri: 'https://portal.example.cn/jwks' }],
    [['contacts[0]'], { contacts: ['nobody'] }],
    [['default_max_age'], { default_max_age: -1 }],
    [['first_party'], { first_party: 'yes' }],
  ];
  for (const [fields, change] of rows) t.deepEqual(faultsOf({ ...PORTAL, ...change }), fields, JSON.stringify(change));
  t.deepEqual(faultsOf(JSON.parse('{"client_name":"x","redirect_uris":["https://a.cn/"],"__proto__":{}}')), [
    '__proto__',
  ]);
  t.deepEqual(faultsOf([]), ['(record)']);
});

test('the sector of a pairwise subject is the one the operator named, else that of the addresses', async (t) => {
  const { parties } = await register(t);
  const sectorFor = async (change: object) => sectorOf((await added(t, parties, { ...PORTAL, ...change })).party);
  t.is(await sectorFor({}), 'portal.example.cn');
  t.is(await sectorFor({ sector: 'example.cn' }), 'example.cn');
  t.is(await sectorFor({ sector_identifier_uri: 'https://group.example.cn/sector.json' }), 'group.example.cn');
  t.is(await sectorFor({ subject_type: 'public' }), undefined);
  t.is(await sectorFor({ grant_types: ['client_credentials'], redirect_uris: [] }), undefined);
});

test('the protocol library accepts what it is handed for every kind of party', async (t) => {
  const { parties } = await register(t);
  const provider = new Provider('https://id.example.cn', {
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    subjectTypes: ['pairwise', 'public'],
    scopes: ['openid', 'profile', 'id_number', 'offline_access'],
    cookies: { keys: ['0123456789abcdef'] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256', 'RS256', 'PS256'], userinfoSigningAlgValues: ['ES256'] },
    jwks: {
      keys: [
        generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
        generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
      ],
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      jwtUserinfo: { enabled: true },
    },
    extraClientMetadata: { properties: [...EXTRA_METADATA] },
    sectorIdentifierUriValidate: (client) => sectorIsFetched(client.sectorIdentifierUri ?? ''),
  });
  const several = ['https://a.example.cn/cb', 'https://b.example.cn/cb'];
  const records: readonly object[] = [
    {},
    { redirect_uris: several, sector: 'example.cn' },
    {
      application_type: 'native',
      redirect_uris: ['cn.gov.app:/cb'],
      sector: 'example.cn',
      token_endpoint_auth_method: 'none',
    },
    { application_type: 'native', redirect_uris: ['http://127.0.0.1/cb'], token_endpoint_auth_method: 'none' },
    { grant_types: ['client_credentials'], redirect_uris: [], scope: 'profile' },
    { subject_type: 'public', 'client_name#en': 'Hall', default_max_age: 60, contacts: ['a@example.cn'] },
    {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [publicJwk()] },
    },
    {
      backchannel_logout_uri: 'http://127.0.0.1:9/out',
      userinfo_signed_response_alg: 'ES256',
      dpop_bound_access_tokens: true,
    },
  ];
  for (const change of records) {
    const { party } = await added(t, parties, { ...PORTAL, ...change });
    const metadata = toProtocolMetadata(party);
    t.is(toProtocolMetadata(party), metadata);
    await t.notThrowsAsync(provider.Client.validate(metadata), JSON.stringify(change));
  }
});
