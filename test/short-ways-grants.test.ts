import { hash } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { nowSeconds } from '../src/shared/clock.ts';
import { ListedActing } from './support/acting.ts';
import { GrantTwins, type Likeness, type PortalName, type Twin } from './support/grant-twins.ts';
import { basic, introspect, ROOMY, revoke, userinfo } from './support/portal-calls.ts';
import { credentials, type Fields, FORM, form, inBody, inPieces, raw } from './support/raw-requests.ts';
import { REDIRECT_URI, startServer, type TestServer, VERIFIER } from './support/server.ts';
import { openTwoWays, type TwoWays } from './support/two-ways.ts';

/*
 * Codes and refresh tokens are spent by both ways, each its own of two that are alike: answers, ledger events and what is in the store
 * afterwards must be the same, whatever was asked and in whatever state it was.
 */

let server: TestServer;
let twins: GrantTwins;
let ways: TwoWays;
const cleanUps: (() => unknown)[] = [];

test.before(async () => {
  const acting = new ListedActing();
  server = await startServer(undefined, UNWATCHED, { acting });
  twins = new GrantTwins(server, acting);
  await twins.prepare();
  ways = await openTwoWays(server, { teardown: (clean) => cleanUps.push(clean) });
});
test.after.always(async () => {
  for (const clean of cleanUps) clean();
  await server.stop();
});

/** The watch would end the sessions of whoever's refresh token was used twice, and the sweeper those that are over, in their own time. */
const UNWATCHED = {
  ...ROOMY,
  watch: { refreshReuse: { enabled: false }, codeReplay: { enabled: false } },
  sweep: { intervalMs: 3_600_000 },
} as const;

type Model = 'AuthorizationCode' | 'RefreshToken';
type Build = (twin: Twin) => string | readonly string[];
type Case = readonly [way: 'short' | 'long', name: string, likeness: Likeness, build: Build];

const as = (name: PortalName): Fields => basic(twins.portal(name));
const post = (body: string, headers: Fields = as('home')): string =>
  raw('POST', '/token', { ...FORM, ...headers }, body);

/** The usual redemption, by the portal the code was sent to; fields that are empty are left out. */
const redeeming = (more: Fields = {}, headers?: () => Fields): Build => {
  const fixed = { grant_type: 'authorization_code', redirect_uri: REDIRECT_URI, code_verifier: VERIFIER };
  return ({ value }) => post(form(said({ ...fixed, code: value, ...more })), headers?.());
};
const refreshing =
  (more: Fields = {}, headers?: () => Fields): Build =>
  ({ value }) =>
    post(form(said({ grant_type: 'refresh_token', refresh_token: value, ...more })), headers?.());
const said = (fields: Fields): Fields => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
const pieces =
  (build: Build): Build =>
  (twin) =>
    inPieces(String(build(twin)));
const twice =
  (build: Build, name: string): Build =>
  (twin) => {
    const [head = '', body = ''] = String(build(twin)).split('\r\n\r\n');
    const field = new URLSearchParams(body).get(name) ?? '';
    const longer = `${body}&${form({ [name]: field })}`;
    return `${head.replace(/Content-Length: \d+/, `Content-Length: ${longer.length}`)}\r\n\r\n${longer}`;
  };

const mark = (actingAs: string): object => ({
  rar: [{ type: 'urn:tongban:acting-as', acting_as: actingAs, origin: 'page' }],
});
const scope = 'openid profile offline_access';
const openid = { scope };
const auth_time = { essential: true };

/** What may be the matter with a code or a refresh token and the grant it hangs on, and by which portal (`at`) it is presented. */
const STATES: readonly (readonly [way: Case[0], name: string, likeness: Likeness])[] = [
  ['short', 'as it comes', {}],
  ['short', 'of a public subject', { at: 'common' }],
  ['short', 'for an ID token with RS256', { at: 'rsa' }],
  ['short', 'for an ID token with SM2', { at: 'sm2' }],
  ['short', 'of a portal registered for less by now', { at: 'modest' }],
  ['short', 'of a person on their own behalf', { of: 'own' }],
  ['short', 'for a company', { of: 'company' }],
  ['short', 'for somebody else', { of: 'represented' }],
  ['short', 'marked as self', { grant: mark('self') as Likeness['grant'] & object }],
  ['short', 'without offline access', { token: { scope: 'openid profile' } }],
  ['short', 'with openid alone', { token: { scope: 'openid' } }],
  ['short', 'with a scope twice', { token: { scope: 'openid profile openid' } }],
  ['short', 'of a living session', { session: true }],
  ['short', 'without a nonce', { token: { nonce: undefined } }],
  ['short', 'without level and methods', { token: { acr: undefined, amr: undefined } }],
  ['short', 'without the name of its session', { token: { sid: undefined, sessionUid: undefined } }],
  ['short', 'with the name of its session', { token: { sid: 'a-name-of-the-session' } }],
  ['short', 'asking for no claims', { token: { claims: { id_token: {}, userinfo: {} } } }],
  ['short', 'near its end', { token: { exp: 205 } }],
  ['short', 'on a grant of less', { grant: { openid: { scope: 'openid' } } }],
  ['short', 'on a grant of nothing', { grant: { openid: {} } }],
  ['short', 'on a grant of more', { grant: { openid: { scope: `${scope} identity` } } }],
  ['short', 'on a grant with a scope rejected', { grant: { openid, rejected: { openid: { scope: 'profile' } } } }],
  ['short', 'on a grant with claims rejected', { grant: { rejected: { openid: { claims: ['act', 'sub', 'name'] } } } }],
  ['short', 'on a grant near its end', { grant: { exp: 205 } }],
  ['long', 'asking for a claim in the ID token', { token: { claims: { id_token: { auth_time } } } }],
  ['long', 'asking for a claim at userinfo', { token: { claims: { userinfo: { name: null } } } }],
  ['long', 'for another resource too', { token: { resource: 'https://api.example' } }],
  ['long', 'without openid', { token: { scope: 'profile' } }],
  ['long', 'without scope', { token: { scope: undefined } }],
  ['long', 'of an attested client', { token: { attestationJkt: 'x'.repeat(43) } }],
  ['long', 'of another kind', { token: { kind: 'AccessToken' } }],
  ['long', 'over', { token: { exp: -3 } }],
  ['long', 'of a session that is gone', { token: { expiresWithSession: true, sessionUid: 'gone' } }],
  ['long', 'of a session of another person', { session: true, token: { accountId: 'psn_other' } }],
  ['long', 'of a session that has ended', { session: 'ended' }],
  ['long', 'of a session that is over', { session: 'over' }],
  ['long', 'of a session that holds another grant', { session: 'moved' }],
  ['long', 'of a portal bound to keys', { at: 'bound' }],
  ['long', 'of a portal without codes', { at: 'service' }],
  ['long', 'of a portal that is shut', { at: 'shut' }],
  ['long', 'of a disabled person', { of: 'disabled' }],
  ['long', 'of nobody', { token: { accountId: 'psn_other' }, grant: { accountId: 'psn_other' } }],
  ['long', 'of another person than the grant', { grant: { accountId: 'psn_other' } }],
  ['long', 'of another portal than the grant', { grant: { clientId: 'rp_other' } }],
  ['long', 'of another portal', { token: { clientId: 'rp_other' } }],
  ['long', 'on a grant that is over', { grant: { exp: -3 } }],
  ['long', 'on a grant that is gone', { grant: 'gone' }],
  ['long', 'on no grant', { token: { grantId: undefined } }],
  ['long', 'for a company, which ended', { grant: mark('mdt_gone') as Likeness['grant'] & object }],
  ['long', 'for somebody the portal accepts no more', { grant: mark('mdt_kid') as Likeness['grant'] & object }],
  ['long', 'spent long ago', { spentSecondsAgo: 60 }],
];

const portalOf = ({ of, at }: Likeness): PortalName =>
  at ?? (of === undefined || of === 'home' || of === 'disabled' ? 'home' : 'business');

const inEveryState = (build: (more: Fields, headers: () => Fields) => Build): readonly Case[] =>
  STATES.map(([way, name, likeness]) => [way, name, likeness, build({}, () => as(portalOf(likeness)))]);

/** Who asks, and how: the same for every grant type. */
const asked = (build: (more?: Fields, headers?: () => Fields) => Build): readonly Case[] => [
  [
    'short',
    'by a portal with its secret in the body',
    { at: 'posting' },
    (twin) => build(inBody(twins.portal('posting')), () => ({}))(twin),
  ],
  ['short', 'with its id in the body too', {}, (twin) => build({ client_id: twins.portal('home').id })(twin)],
  ['short', 'in three packets', {}, pieces(build())],
  ['short', 'with a page wanted', {}, build({}, () => ({ ...as('home'), accept: 'text/html' }))],
  [
    'long',
    'by an app without a secret',
    { at: 'open' },
    (twin) => build({ client_id: twins.portal('open').id }, () => ({}))(twin),
  ],
  ['long', 'by another portal', {}, build({}, () => as('common'))],
  ['long', 'by another portal than the body says', {}, (twin) => build({ client_id: twins.portal('common').id })(twin)],
  ['long', 'with a wrong secret', {}, build({}, () => credentials(`${twins.portal('home').id}:wrong`))],
  ['long', 'by nobody', {}, build({}, () => ({}))],
  ['long', 'by header and body', {}, (twin) => build(inBody(twins.portal('home')))(twin)],
  ['long', 'with an assertion', {}, build({ client_assertion: 'x.y.z', client_assertion_type: 'x' })],
  ['long', 'with a proof of possession', {}, build({}, () => ({ ...as('home'), dpop: 'x.y.z' }))],
  ['long', 'with an attestation', {}, build({}, () => ({ ...as('home'), 'oauth-client-attestation': 'x.y.z' }))],
  ['long', 'from the page of the portal', {}, build({}, () => ({ ...as('home'), origin: 'https://portal.example' }))],
  ['long', 'from the page of a stranger', {}, build({}, () => ({ ...as('home'), origin: 'https://evil.cn' }))],
  ['long', 'for an API', {}, build({ resource: 'https://api.example' })],
  ['long', 'with a field nobody knows', {}, build({ colour: 'red' })],
  ['long', 'with a field every object has', {}, build({ constructor: 'x' })],
  ['long', 'with a field of every object', {}, build({ toString: 'x' } as unknown as Fields)],
  ['long', 'with another grant type', {}, build({ grant_type: 'client_credentials' })],
  ['long', 'without a grant type', {}, build({ grant_type: '' })],
];

const CODES: readonly Case[] = [
  ...inEveryState(redeeming),
  ...asked(redeeming),
  ['long', 'bound to a key in the request', { token: { dpopJkt: 'x'.repeat(43) } }, redeeming()],
  ['short', 'of a portal that may not refresh', { at: 'once' }, redeeming({}, () => as('once'))],
  ['long', 'spent just now', { spentSecondsAgo: 0 }, redeeming()],
  ['long', 'with the wrong verifier', {}, redeeming({ code_verifier: 'w'.repeat(43) })],
  ['long', 'with a short verifier', {}, redeeming({ code_verifier: 'v'.repeat(42) })],
  ['long', 'with a long verifier', {}, redeeming({ code_verifier: 'v'.repeat(129) })],
  ['long', 'with a verifier of other letters', {}, redeeming({ code_verifier: 'é'.repeat(43) })],
  ['long', 'without a verifier', {}, redeeming({ code_verifier: '' })],
  ['long', 'with an empty verifier', {}, (twin) => twice(redeeming({ code_verifier: '' }), 'code_verifier')(twin)],
  ['long', 'with its verifier twice', {}, twice(redeeming(), 'code_verifier')],
  ['long', 'made without a challenge', { token: { codeChallenge: undefined } }, redeeming()],
  [
    'long',
    'made without challenge and method',
    { token: { codeChallenge: undefined, codeChallengeMethod: undefined } },
    redeeming(),
  ],
  [
    'long',
    'made with its challenge in the open',
    { token: { codeChallengeMethod: 'plain', codeChallenge: VERIFIER } },
    redeeming(),
  ],
  ['long', 'made with another method', { token: { codeChallengeMethod: 'plain' } }, redeeming()],
  ...['v'.repeat(42), 'v'.repeat(129), `${'v'.repeat(42)}+`].map(
    (verifier): Case => [
      'long',
      `with a verifier out of form that fits its challenge (${verifier.length})`,
      { token: { codeChallenge: hash('sha256', verifier, 'base64url') } },
      redeeming({ code_verifier: verifier }),
    ],
  ),
  ['long', 'for another address', {}, redeeming({ redirect_uri: `${REDIRECT_URI}/` })],
  ['long', 'for no address', {}, redeeming({ redirect_uri: '' })],
  ['long', 'for its address twice', {}, twice(redeeming(), 'redirect_uri')],
  ['long', 'made for no address', { token: { redirectUri: undefined } }, redeeming()],
  ['long', 'with a scope', {}, redeeming({ scope: 'openid' })],
  ['long', 'twice in a request', {}, twice(redeeming(), 'code')],
  ['long', 'missing', {}, redeeming({ code: '' })],
  ['long', 'that nobody made', {}, redeeming({ code: `co_${'0'.repeat(51)}` })],
  ['long', 'that is a refresh token', {}, redeeming({ code: `rt_${'0'.repeat(51)}` })],
  ['long', 'that is some text', {}, redeeming({ code: 'nonsense' })],
  ['long', 'that is very long', {}, redeeming({ code: `co_${'0'.repeat(200)}` })],
];

const REFRESHES: readonly Case[] = [
  ...inEveryState(refreshing),
  ...asked(refreshing),
  [
    'short',
    'that was rotated before',
    { token: { rotations: 5, gty: 'authorization_code refresh_token' } },
    refreshing(),
  ],
  ['short', 'of which nobody counted the rotations', { token: { rotations: undefined } }, refreshing()],
  ['short', 'of an old family', { token: { iiat: 1_700_000_000 } }, refreshing()],
  ['short', 'spent just now', { spentSecondsAgo: 0 }, refreshing()],
  ['long', 'of a portal that may not refresh any more', { at: 'once' }, refreshing({}, () => as('once'))],
  ['long', 'spent ten seconds ago', { spentSecondsAgo: 10 }, refreshing()],
  ['long', 'of unknown origin', { token: { gty: undefined } }, refreshing()],
  ['long', 'bound to a key', { token: { jkt: 'x'.repeat(43) } }, refreshing()],
  ['long', 'for less', {}, refreshing({ scope: 'openid' })],
  ['long', 'for the same', {}, refreshing({ scope })],
  ['long', 'for more', {}, refreshing({ scope: `${scope} identity` })],
  ['long', 'with a code beside it', {}, refreshing({ code: 'co_0' })],
  ['long', 'twice in a request', {}, twice(refreshing(), 'refresh_token')],
  ['long', 'missing', {}, refreshing({ refresh_token: '' })],
  ['long', 'that nobody made', {}, refreshing({ refresh_token: `rt_${'0'.repeat(51)}` })],
  ['long', 'that is a code', {}, refreshing({ refresh_token: `co_${'0'.repeat(51)}` })],
  ['long', 'that is some text', {}, refreshing({ refresh_token: 'nonsense' })],
  ['long', 'that is very long', {}, refreshing({ refresh_token: `rt_${'0'.repeat(200)}` })],
];

for (const [model, label, cases] of [
  ['AuthorizationCode', 'code', CODES],
  ['RefreshToken', 'refresh token', REFRESHES],
] as const) {
  for (const [way, name, likeness, build] of cases) {
    test.serial(`a ${label}, both ways alike: ${name}`, async (t) => {
      const { byShortWay } = await compare(t, model, likeness, build);
      t.is(byShortWay ? 'short' : 'long', way);
    });
  }
}

test.serial('a lost answer is given again by either way, whichever gave it first', async (t) => {
  const [one, other] = await twins.pair('RefreshToken');
  const request = (twin: Twin): readonly string[] => [String(refreshing()(twin))];
  const first = await ways.ask(request(one), request(other));
  const again = await ways.ask(request(other), request(one));
  t.deepEqual([first.byShortWay, again.byShortWay], [true, true]);
  t.deepEqual(tokensIn(again.long), tokensIn(first.short));
  t.deepEqual(tokensIn(again.short), tokensIn(first.long));
  t.deepEqual(again.short.events, [], 'nothing happened');
});

test.serial('A2 a code spent by one way is spent for the other, and its replay ends what it bought', async (t) => {
  const [one, other] = await twins.pair('AuthorizationCode');
  const request = (twin: Twin): readonly string[] => [String(redeeming()(twin))];
  t.true((await ways.ask(request(one), request(other))).byShortWay);
  const again = await ways.ask(request(other), request(one));
  t.false(again.byShortWay);
  for (const { status, events } of [again.short, again.long]) {
    t.regex(status, / 400 /);
    t.deepEqual(
      events.map((event) => JSON.parse(event).type),
      ['code.replayed'],
    );
  }
  for (const twin of [one, other]) t.deepEqual(await twins.rows(twin), []);
});

test.serial('what a short way issues is worth as much as what the library issues', async (t) => {
  const [one, other] = await twins.pair('AuthorizationCode');
  const { short, long } = await ways.ask([String(redeeming()(one))], [String(redeeming()(other))]);
  for (const { access_token: accessToken, refresh_token: refreshToken } of [tokensIn(short), tokensIn(long)]) {
    t.is((await userinfo(server, accessToken)).status, 200);
    t.true((await introspect(server, twins.portal('home'), refreshToken)).active);
    t.is((await revoke(server, twins.portal('home'), refreshToken)).status, 200);
    t.is((await userinfo(server, accessToken)).status, 401, 'both hang on one grant');
  }
});

const tokensIn = ({ body }: { readonly body: string }): Record<string, string> => {
  const { access_token, refresh_token } = JSON.parse(body);
  return { access_token, refresh_token };
};

/** Sends one twin by each way and compares all that came of it. */
async function compare(t: ExecutionContext, model: Model, likeness: Likeness, build: Build) {
  const [one, other] = await twins.pair(model, likeness);
  const packets = (twin: Twin): readonly string[] => [build(twin)].flat();
  const asked = await ways.ask(packets(one), packets(other));
  t.regex(asked.long.status, /^HTTP\/1\.1 [1-4]\d\d /, asked.long.body);
  t.deepEqual(comparable(one, asked.short), comparable(other, asked.long));
  t.deepEqual(comparable(one, await twins.rows(one)), comparable(other, await twins.rows(other)));
  return asked;
}

/** Without what is random and with every moment as its distance from now in minutes: the second twin may be seconds younger. */
function comparable(twin: Twin, told: object): unknown {
  const text = JSON.stringify(told, (_name, value) => (typeof value === 'string' ? readable(value) : value))
    .replaceAll(twin.grantId, '(grant)')
    .replaceAll(twin.sessionUid, '(session)')
    .replaceAll(/\b(at|ct|rt)_[\w-]{51}/g, '($1)');
  return JSON.parse(text, (name, value) =>
    MOMENTS.has(name) && Math.abs(value - nowSeconds()) < YEAR_SECONDS
      ? Math.round((value - nowSeconds()) / 60) + 0
      : value,
  );
}

const MOMENTS: ReadonlySet<string> = new Set(['iat', 'iiat', 'exp', 'expires_at']);
const YEAR_SECONDS = 31_536_000;

/** JSON and the two readable parts of a JWT as what they hold; other text as it is. */
function readable(text: string): unknown {
  if (/^\{.*\}$/s.test(text)) return JSON.parse(text);
  const parts = /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{86,}$/.test(text) ? text.split('.', 2) : [];
  return parts.length === 0 ? text : parts.map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
}
