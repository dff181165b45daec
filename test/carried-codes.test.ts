import test, { type ExecutionContext } from 'ava';
import { createSealer } from '../src/crypto/sealing.ts';
import { createCarriedCodes } from '../src/oidc/carried-codes.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { postgresStore, postgresTest } from './support/databases.ts';
import { introspect, pause } from './support/portal-calls.ts';
import { redemption, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

const KEPT = {
  iat: 1_700_000_000,
  exp: 1_700_000_060,
  accountId: 'psn_1',
  clientId: 'portal',
  codeChallenge: 'c'.repeat(43),
  codeChallengeMethod: 'S256',
  expiresWithSession: true,
  grantId: 'gr_1',
  nonce: undefined,
  redirectUri: 'https://portal.example/callback',
  scope: 'openid',
  sessionUid: 'uid',
  acr: 'level',
  amr: ['password'],
  authTime: 1_699_999_000,
  kind: 'AuthorizationCode',
} as const;
const codesOf = (key: number) => createCarriedCodes(createSealer(Buffer.alloc(32, key)));
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Other texts for the very same bytes: the last character of base64 has bits that mean nothing, and most readers skip what is none of its own. */
function spelledOtherwise(code: string): readonly string[] {
  const last = ALPHABET.indexOf(code.at(-1)!);
  const bytes = (text: string) => Buffer.from(text.slice(4), 'base64url');
  const others = Array.from({ length: 4 }, (_, bits) => code.slice(0, -1) + ALPHABET[(last & ~3) | bits]);
  return [...others, `${code}=`, `${code}.`].filter((one) => one !== code && bytes(one).equals(bytes(code)));
}

test('a code that is carried says what it was made of, and nothing of it can be read', (t) => {
  const codes = codesOf(1);
  const value = codes.write({ ...KEPT, amr: [...KEPT.amr] })!;
  const { nonce: _none, ...said } = KEPT;
  t.deepEqual(codes.read(value)?.kept as unknown, { ...said, amr: ['password'] });
  t.regex(value, /^co_\.[\w-]+$/);
  t.true(codes.isCarried(value));
  t.false(Buffer.from(value.slice(4), 'base64url').toString('latin1').includes('psn_1'));
});

test('a code of another house, one that was altered or cut, and whatever else may come are nobody’s', (t) => {
  const codes = codesOf(1);
  const value = codes.write({ ...KEPT, amr: [...KEPT.amr] })!;
  t.is(codesOf(2).read(value), undefined);
  for (let at = 4; at < value.length - 1; at += 7) {
    const other = value[at] === 'A' ? 'B' : 'A';
    t.is(codes.read(value.slice(0, at) + other + value.slice(at + 1)), undefined, `character ${at}`);
  }
  for (const length of [3, 4, 5, 60, value.length - 2]) t.is(codes.read(value.slice(0, length)), undefined);
  for (const other of ['', 'co_', 'co_.', `co_.${'A'.repeat(1196)}`, `co_.${'é'.repeat(100)}`])
    t.is(codes.read(other), undefined);
});

test('the same code in another spelling is the same code', (t) => {
  const codes = codesOf(1);
  const value = codes.write({ ...KEPT, amr: [...KEPT.amr] })!;
  const others = spelledOtherwise(value);
  t.true(others.length > 1);
  for (const other of others) t.is(codes.read(other)?.key, codes.read(value)?.key);
  t.not(codes.read(codes.write({ ...KEPT, amr: [...KEPT.amr] })!)?.key, codes.read(value)?.key);
});

test('what says more than an ordinary code, and what is too long for an address, is not carried', (t) => {
  const codes = codesOf(1);
  const kept = { ...KEPT, amr: [...KEPT.amr] };
  t.is(codes.write({ ...kept, claims: { userinfo: { name: null } } }), undefined);
  t.is(codes.write({ ...kept, dpopJkt: 'key' }), undefined);
  t.is(codes.write({ ...kept, expiresWithSession: false }), undefined);
  t.is(codes.write({ ...kept, nonce: 'n'.repeat(1000) }), undefined);
});

async function houseOn(t: ExecutionContext): Promise<{ readonly server: TestServer; readonly portal: TestPortal }> {
  const server = await startServer(t, {
    database: { url: await postgresStore(t), poolMax: 8 },
    ttl: { authorizationCodeSeconds: 10 },
  });
  await server.addPerson(WANG);
  return { server, portal: await server.addPortal() };
}

const rowsOf = async ({ house }: TestServer, model: string): Promise<number> => {
  const row = await house.database.get<{ rows: string }>('SELECT count(*) AS rows FROM artifacts WHERE model = $1', [
    model,
  ]);
  return Number(row?.rows);
};
const codeOf = (callback: URL): string => String(callback.searchParams.get('code'));

postgresTest(
  'A2 R1 R2 a carried code is stored by nobody, works once of twenty times, and the replay kills what it bought',
  async (t) => {
    const { server, portal } = await houseOn(t);
    const callback = await server.signIn(server.browser(), portal);
    t.regex(codeOf(callback), /^co_\./);
    t.deepEqual([await rowsOf(server, 'AuthorizationCode'), await rowsOf(server, 'Consumed')], [0, 0]);
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.token(portal, redemption(callback))));
    const winners = answers.filter(({ status }) => status === 200);
    t.is(winners.length, 1);
    t.true(answers.every(({ status, body }) => status === 200 || (status === 400 && body.error === 'invalid_grant')));
    t.like(await introspect(server, portal, winners[0]?.body.access_token), { active: false });
    t.is(await rowsOf(server, 'Consumed'), 1);
    const mark = await server.house.database.get<{ expires_at: number }>(
      "SELECT expires_at FROM artifacts WHERE model = 'Consumed'",
      [],
    );
    t.true(Number(mark?.expires_at) >= nowSeconds() + 290, 'a node whose clock is minutes behind finds it still');
    t.true((await server.events('code.replayed')).length > 0);
  },
);

postgresTest(
  'A2 R2 a carried code presented again is a replay in every spelling, on the short way and on the library’s',
  async (t) => {
    const { server, portal } = await houseOn(t);
    const browser = server.browser();
    for (const spell of [
      (code: string) => code,
      (code: string) => spelledOtherwise(code)[0]!,
      (code: string) => `${code}=`,
    ])
      for (const besides of [{}, { something: 'else' }] as readonly Record<string, string>[]) {
        const callback = await server.signIn(browser, portal, { query: { prompt: 'consent' } });
        const bought = await server.token(portal, { ...redemption(callback), ...besides });
        t.is(bought.status, 200);
        t.like(await introspect(server, portal, bought.body.access_token), { active: true });
        const replayed = { ...redemption(callback), ...besides, code: spell(codeOf(callback)) };
        t.like(await server.token(portal, replayed), { status: 400, body: { error: 'invalid_grant' } });
        t.like(await introspect(server, portal, bought.body.access_token), { active: false });
      }
    t.is((await server.events('code.replayed')).length, 6);
  },
);

postgresTest(
  'A3 A4 a carried code is for its portal, its address and its verifier, which do not spend it, and ends on time',
  async (t) => {
    const { server, portal } = await houseOn(t);
    const other = await server.addPortal();
    const callback = await server.signIn(server.browser(), portal);
    const fields = redemption(callback);
    const refused = { status: 400, body: { error: 'invalid_grant' } };
    t.like(await server.token(other, fields), refused);
    t.like(await server.token(portal, { ...fields, redirect_uri: 'https://portal.example/other' }), refused);
    t.like(await server.token(portal, { ...fields, code_verifier: 'w'.repeat(43) }), refused);
    t.is(await rowsOf(server, 'Consumed'), 0);
    t.is((await server.token(portal, fields)).status, 200);
    const late = await server.signIn(server.browser(), portal);
    await pause(10_100);
    t.like(await server.token(portal, redemption(late)), refused);
  },
);

postgresTest('a carried code is worth nothing once its session has ended', async (t) => {
  const { server, portal } = await houseOn(t);
  const browser = server.browser();
  const callback = await server.signIn(browser, portal);
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  t.like(await server.token(portal, redemption(callback)), { status: 400, body: { error: 'invalid_grant' } });
});

postgresTest('a stranger’s codes raise no alarm', async (t) => {
  const { server, portal } = await houseOn(t);
  const made = createCarriedCodes(createSealer(Buffer.alloc(32, 7))).write({ ...KEPT, amr: [...KEPT.amr] })!;
  for (const code of [made, `co_.${'A'.repeat(400)}`, 'co_.', `co_.${'A'.repeat(4000)}`]) {
    const fields = { ...redemption(new URL('https://portal.example/callback')), code };
    const { status } = await server.token(portal, fields);
    t.true(status === 400 || status === 413 || status === 414, `${code.length} characters: ${status}`);
  }
  t.deepEqual([await server.events('sealed-data.altered'), await server.events('row.altered')], [[], []]);
});
