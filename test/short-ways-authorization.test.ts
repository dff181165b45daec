import test, { type ExecutionContext } from 'ava';
import { createCookieKeys } from '../src/crypto/cookie-keys.ts';
import { tokenDigest } from '../src/crypto/digests.ts';
import { issueTimeOf } from '../src/oidc/token-ids.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { ListedActing } from './support/acting.ts';
import { basic, payloadOf, ROOMY, userinfo } from './support/portal-calls.ts';
import { type Fields, FORM, form, raw } from './support/raw-requests.ts';
import { CHALLENGE, REDIRECT_URI, redemption, startServer, type TestServer } from './support/server.ts';
import { actingAs, type Likeness, type PortalName, proof, SessionTwins, type Twin } from './support/session-twins.ts';
import { type Answer, openTwoWays, type TwoWays } from './support/two-ways.ts';

/*
 * People who are signed in open a portal again, by both ways: the answers, what the ledger is told, and sessions, grants and codes as they
 * lie in the store. Each request has a browser of its own for either way.
 */

let server: TestServer;
let ways: TwoWays;
let twins: SessionTwins;
const cleanUps: (() => unknown)[] = [];
const HERE = ['127.0.0.0/8'];

test.before(async () => {
  const acting = new ListedActing();
  server = await startServer(
    undefined,
    { ...ROOMY, staff: { officeNetworks: HERE }, sweep: { intervalMs: 3_600_000 } },
    { acting },
  );
  twins = new SessionTwins(server, acting);
  await twins.prepare();
  ways = await openTwoWays(server, { teardown: (clean) => cleanUps.push(clean) });
});
test.after.always(async () => {
  for (const clean of cleanUps) clean();
  await server.stop();
});

const showing = ({ cookie, id, signature }: Twin): Fields => ({
  cookie: `${cookie}=${id}; ${cookie}.sig=${signature}`,
});

/** An ordinary request of a portal; fields that are empty are left out. */
const fieldsFor = ({ portal }: Twin, more: Fields = {}): Fields => {
  const fields = {
    client_id: portal.id,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'openid profile',
    state: 'as-sent',
    nonce: 'n-1',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...more,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
};
const opening = (twin: Twin, query: string, headers: Fields = {}, method = 'GET'): string =>
  raw(method, `/auth?${query}`, { ...showing(twin), ...headers });

type Build = (twin: Twin) => string | Promise<string>;
const asking =
  (more: Fields = {}, headers: Fields = {}, method = 'GET'): Build =>
  (twin) =>
    opening(twin, form(fieldsFor(twin, more)), headers, method);
/** The same, of a browser that shows no session. */
const strange =
  (more: Fields = {}): Build =>
  (twin) =>
    opening(twin, form(fieldsFor(twin, more)), { cookie: 'a=b' });
/** The request as it stands, with more behind it. */
const withMore =
  (more: string): Build =>
  (twin) =>
    opening(twin, `${form(fieldsFor(twin))}&${more}`);

/** Pushed a moment ago by its portal, by the way that is named, and brought by the browser. `meanwhile` happens in between. */
const pushed =
  (more: Fields = {}, query: Fields = {}, { by = 'short', meanwhile = '' }: Pushing = {}): Build =>
  async (twin) => {
    const packets = [raw('POST', '/request', { ...FORM, ...basic(twin.portal) }, form(fieldsFor(twin, more)))];
    const { [by]: answer } = await ways.ask(packets);
    const { request_uri: uri } = JSON.parse(answer.body) as { readonly request_uri: string };
    if (meanwhile !== '') await server.house.database.run(`${meanwhile} WHERE id = $1`, [keyOf(uri.slice(URN.length))]);
    return opening(twin, form({ client_id: twin.portal.id, request_uri: uri, ...query }));
  };
interface Pushing {
  readonly by?: 'short' | 'long';
  readonly meanwhile?: string;
}
const URN = 'urn:ietf:params:oauth:request_uri:';
const keyOf = (id: string): string => issueTimeOf(id, 'pr_') + tokenDigest(id);

type Case = readonly [way: 'short' | 'long', name: string, build?: Build, likeness?: Likeness, at?: PortalName];
const each = (way: Case[0], field: string, values: readonly string[]): readonly Case[] =>
  values.map((value): Case => [way, `${field}: ${value.slice(0, 40)} (${value.length})`, asking({ [field]: value })]);

const REQUESTS: readonly Case[] = [
  ['short', 'as ever'],
  ['short', 'without a page', asking({ prompt: 'none' })],
  ['short', 'without state and nonce', asking({ state: '', nonce: '' })],
  ['short', 'with all that is only kept', asking({ login_hint: '339900199001011014', ui_locales: 'en zh-CN' })],
  ['short', 'with signs of every kind', asking({ state: '令牌 "\\\n\u0000 %41+&=#~*\'()!', nonce: '<&">' })],
  ['short', 'with a scope twice', asking({ scope: 'profile openid profile' })],
  ['short', 'for less than was granted', asking({ scope: 'openid' })],
  ['short', 'by a program', asking({}, { accept: 'application/json' })],
  [
    'short',
    'by a browser',
    asking({}, { accept: 'text/html,*/*;q=0.8', 'user-agent': 'Browser/1', 'sec-fetch-mode': 'navigate' }),
  ],
  [
    'short',
    'from the page of the portal',
    asking({}, { origin: 'https://portal.example', referer: 'https://portal.example/' }),
  ],
  ['short', 'with a proof of possession nobody asked for', asking({}, { dpop: 'x.y.z' })],
  [
    'short',
    'with other cookies',
    (twin) => opening(twin, form(fieldsFor(twin)), { cookie: `a=b; ${showing(twin).cookie}; c="d"` }),
  ],
  ['short', 'in percent signs', (twin) => opening(twin, form(fieldsFor(twin)).replace('openid', '%6Fpenid'))],
  ...each('short', 'response_mode', ['query']),
  ...each('short', 'code_challenge', ['a'.repeat(43), '~._-'.repeat(32)]),
  ['long', 'for more than was granted', asking({ scope: 'openid profile phone' })],
  ['long', 'for more than is registered', asking({ scope: 'openid id_number' })],
  ['long', 'for more without a page', asking({ scope: 'openid profile offline_access', prompt: 'none' })],
  ['long', 'for access in absence', asking({ scope: 'openid offline_access', prompt: 'consent' })],
  ...each('long', 'scope', ['profile', 'openid  profile', 'open"id', 'openid colour', 'colour']),
  ...each('long', 'response_type', ['token', 'code id_token', 'none', 'code code', 'constructor']),
  ...each('long', 'response_mode', ['form_post', 'fragment', 'jwt', 'web_message', 'constructor']),
  ...each('long', 'redirect_uri', [
    `${REDIRECT_URI}/`,
    `${REDIRECT_URI}?x=1`,
    `${REDIRECT_URI}#x`,
    'https://evil.cn/',
    'javascript:x',
    'https://portal.example',
    'x',
  ]),
  ...each('long', 'prompt', [
    'login',
    'consent',
    'select_account',
    'none login',
    'none none',
    'create',
    'choose_subject',
    'None',
    'constructor',
  ]),
  ...each('long', 'max_age', ['0', '1', '3600', '999999999', '-1', 'x', '1.5', '00']),
  ...each('long', 'acr_values', ['urn:tongban:acr:1', 'urn:tongban:acr:3', 'x', ' ']),
  ...each('long', 'claims', [
    '{"id_token":{"acr":{"essential":true,"values":["urn:tongban:acr:3"]}}}',
    '{"id_token":{"sub":{"value":"another"}}}',
    '{"userinfo":{"name":null}}',
    '{',
  ]),
  ...each('long', 'id_token_hint', ['x.y.z', 'eyJhbGciOiJub25lIn0.e30.']),
  ...each('long', 'acting_as', ['self', '913399000000003770', 'x']),
  ...each('long', 'resource', ['https://api.example', 'x']),
  ...each('long', 'code_challenge', ['a'.repeat(42), 'a'.repeat(129), `+${'a'.repeat(42)}`]),
  ...each('long', 'code_challenge_method', ['plain', 's256']),
  ...each('long', 'dpop_jkt', ['x'.repeat(43)]),
  ...each('long', 'request', ['eyJhbGciOiJub25lIn0.e30.', 'x']),
  ...each('long', 'registration', ['{}']),
  ...each('long', 'display', ['page']),
  ...each('long', 'claims_locales', ['en']),
  ...each('long', 'authorization_details', ['[]']),
  ...each('long', 'client_id', ['rp_nobody', 'constructor', 'x'.repeat(300)]),
  ...['client_id', 'response_type', 'redirect_uri', 'scope', 'code_challenge', 'code_challenge_method'].map(
    (name): Case => ['long', `without ${name}`, asking({ [name]: '' })],
  ),
  ...['client_id', 'response_type', 'redirect_uri', 'scope', 'state', 'nonce', 'code_challenge', 'prompt'].map(
    (name): Case => ['long', `with ${name} twice`, withMore(`${name}=none&${name}=none`)],
  ),
  ...['prompt', 'response_mode', 'ui_locales', 'max_age', 'claims', 'request_uri'].map(
    (name): Case => ['long', `with an empty ${name}`, withMore(`${name}=`)],
  ),
  ...['colour', 'constructor', 'toString', '__proto__', 'hasOwnProperty', 'iss', 'code', 'Scope', 'state[]'].map(
    (name): Case => ['long', `with a field named ${name}`, withMore(`${name}=x`)],
  ),
  ['long', 'with a secret', withMore('client_secret=x')],
  ['long', 'of nothing', (twin) => opening(twin, '')],
  ['long', 'as a head', asking({}, {}, 'HEAD')],
  ['long', 'as options', asking({}, {}, 'OPTIONS')],
  [
    'long',
    'as a form',
    (twin) => raw('POST', '/auth', { ...FORM, ...showing(twin) }, form(fieldsFor(twin, { prompt: 'none' }))),
  ],
  ['short', 'with a host of its own', asking({}, { 'x-forwarded-host': 'evil.cn', 'x-forwarded-proto': 'ftp' })],
];

const PASSWORD = proof('password', 'knowledge');
const KEY = proof('otp_token', 'cryptographic');

const PORTALS: readonly Case[] = [
  ['short', 'of an app without a secret', undefined, {}, 'open'],
  ['short', 'of a portal with public subjects', undefined, {}, 'common'],
  ['short', 'of a portal with SM2', undefined, {}, 'sm2'],
  ['short', 'of a portal that is told of sessions', undefined, {}, 'told'],
  ['short', 'of a portal that is told of people', undefined, {}, 'quiet'],
  ['short', 'of a portal bound to keys', undefined, {}, 'bound'],
  ['short', 'of a portal that may ask for little', asking({ scope: 'openid' }), {}, 'modest'],
  ['short', 'of a portal with two ways to be answered', undefined, {}, 'both'],
  ['short', 'of the account centre', undefined, {}, 'first'],
  ['short', 'of a portal with a purpose', undefined, {}, 'purposeful'],
  ...[
    'https://portal.example:8443/callback',
    'https://portal.example/',
    'https://portal.example/%7Ecallback%20',
    'https://xn--fiqs8s.example/callback',
    'http://localhost:3001/callback',
  ].map((uri): Case => ['short', `of a portal at ${uri}`, asking({ redirect_uri: uri }), {}, 'placed']),
  [
    'short',
    'of a portal whose address has a query',
    asking({ redirect_uri: 'https://portal.example/callback?from=%20a&b=c+d' }),
    {},
    'asked',
  ],
  ['long', 'of a portal with another purpose now', undefined, {}, 'renewed'],
  ['long', 'of a portal with another purpose now, without a page', asking({ prompt: 'none' }), {}, 'renewed'],
  ['long', 'of a portal answered by form alone', undefined, {}, 'formed'],
  ['long', 'of a portal answered by form, by form', asking({ response_mode: 'form_post' }), {}, 'formed'],
  ['long', 'of a program on a device', asking({ redirect_uri: 'http://127.0.0.1:4711/callback' }), {}, 'native'],
  [
    'long',
    'of a program, without a page',
    asking({ redirect_uri: 'http://127.0.0.1/callback', prompt: 'none' }),
    {},
    'native',
  ],
  ['long', 'of a portal that wants the time of the proof', undefined, {}, 'fresh'],
  ['long', 'of a portal that wants a young proof', undefined, {}, 'aged'],
  ['long', 'of a portal that must push', undefined, {}, 'pushing'],
  ['long', 'of a portal that must sign', undefined, {}, 'signing'],
  ['long', 'of a portal answered by a token', undefined, {}, 'sealed'],
  ['long', 'of a portal answered by a token, as it wants', asking({ response_mode: 'jwt' }), {}, 'sealed'],
  ['long', 'of a portal that is shut', undefined, {}, 'shut'],
  ['long', 'of a portal for companies', undefined, {}, 'companies'],
  ['short', 'of a portal of level 2', undefined, {}, 'second'],
  ['long', 'of a portal of level 3', undefined, {}, 'strict'],
  ['long', 'of a portal of level 3, without a page', asking({ prompt: 'none' }), {}, 'strict'],
  [
    'long',
    'of a portal of level 3, with a weaker proof',
    undefined,
    { proofs: [PASSWORD, proof('sms_code', 'weak')] },
    'strict',
  ],
  ['short', 'of a portal of level 3 that is reached', undefined, { proofs: [PASSWORD, KEY] }, 'strict'],
  ['long', 'of a portal of level 4 that was reached', undefined, { proofs: [PASSWORD, KEY] }, 'top'],
  ['long', 'of a portal for staff', undefined, {}, 'staff'],
  ['long', 'of a portal for staff, by staff with a password', undefined, { of: 'clerk' }, 'staff'],
  ['short', 'of a portal for staff, by staff', undefined, { of: 'clerk', proofs: [PASSWORD, KEY] }, 'staff'],
  [
    'long',
    'of a portal for staff, by staff of this morning',
    undefined,
    { of: 'clerk', proofs: [proof('password', 'knowledge', -90_000), proof('otp_token', 'cryptographic', -90_000)] },
    'staff',
  ],
  ['long', 'of a portal for staff, by others with a key', undefined, { proofs: [PASSWORD, KEY] }, 'staff'],
];

const OLD_KEY = createCookieKeys(['an old key of a house that has changed']);

const SESSIONS: readonly Case[] = [
  ['short', 'with a session that was used a while ago', undefined, { secondsLeft: 900 }],
  ['short', 'with a session of this browser alone', undefined, { session: { transient: true } }],
  ['short', 'with a session from before proofs were kept', undefined, { session: { proven: undefined, amr: ['pwd'] } }],
  [
    'short',
    'with a proof of yesterday',
    undefined,
    { session: { loginTs: -20_000 }, proofs: [proof('password', 'knowledge', -20_000)] },
  ],
  [
    'short',
    'with more proofs than are needed',
    undefined,
    { proofs: [proof('password', 'knowledge'), proof('totp', 'possession', -30)] },
  ],
  ['short', 'with a session near its end', undefined, { session: { loginTs: -28_700 } }],
  ['long', 'with a session that has no proof', undefined, { proofs: [] }],
  ['long', 'with a session that was spared a proof', undefined, { proofs: [proof('trusted_device', 'spared')] }],
  ['long', 'with a session proven by another', undefined, { session: { proven: { of: 'psn_nobody', proofs: [] } } }],
  ['long', 'with a session that has ended', undefined, { ended: true }],
  ['long', 'with a session that is over', undefined, { secondsLeft: -1 }],
  ['long', 'with a session whose payload is over', undefined, { session: { exp: -60 } }],
  ['long', 'with a session of nobody', undefined, { session: { accountId: undefined } }],
  ['long', 'with a session of somebody who is no more', undefined, { of: 'nobody' }],
  ['long', 'with a session of somebody who is shut', undefined, { of: 'li' }],
  ['long', 'with a session of somebody who is shut, without a page', asking({ prompt: 'none' }), { of: 'li' }],
  ['long', 'with a session of somebody who is always asked for more', undefined, { of: 'careful' }],
  ['long', 'the same, without a page', asking({ prompt: 'none' }), { of: 'careful' }],
  [
    'short',
    'with a session of somebody who was asked for more',
    undefined,
    { of: 'careful', proofs: [PASSWORD, proof('totp', 'possession')] },
  ],
  ['long', 'with a cookie signed with another key', undefined, { keys: OLD_KEY }],
  [
    'long',
    'with a cookie signed by nobody',
    (twin) => opening(twin, form(fieldsFor(twin)), { cookie: `tongban=${twin.id}` }),
  ],
  [
    'short',
    'with a signature alone',
    (twin) => opening(twin, form(fieldsFor(twin)), { cookie: `tongban.sig=${twin.signature}` }),
  ],
  [
    'long',
    'with a signature cut short',
    (twin) =>
      opening(twin, form(fieldsFor(twin)), { cookie: `tongban=${twin.id}; tongban.sig=${twin.signature.slice(1)}` }),
  ],
  ['short', 'without cookies', strange()],
  [
    'long',
    'without cookies or a page',
    (twin) => opening(twin, form(fieldsFor(twin, { prompt: 'none' })), { cookie: 'a=b' }),
  ],
];

const GRANTS: readonly Case[] = [
  ['short', 'of a portal the session has not opened before', undefined, { held: 'none' }],
  ['short', 'the same, told of sessions', undefined, { held: 'none', grant: {} }, 'purposeful'],
  ['short', 'of a portal without a name for the session', undefined, { held: { sid: undefined } }],
  ['short', 'of a portal whose grant is gone', undefined, { grant: 'gone' }],
  ['short', 'of a portal whose grant is over', undefined, { grant: { exp: -60 } }],
  ['short', 'of a portal whose grant is of another', undefined, { grant: { clientId: 'rp_other' } }],
  ['short', 'of a portal whose grant is of another person', undefined, { grant: { accountId: 'psn_other' } }],
  ['short', 'of a portal once granted more lastingly', undefined, { held: { persistsLogout: true } }],
  ['short', 'with a claim refused', undefined, { grant: { rejected: { openid: { claims: ['name'] } } } }],
  ['short', 'with a part refused', undefined, { grant: { rejected: { openid: { scope: 'profile' } } } }],
  [
    'long',
    'with everything refused',
    undefined,
    { grant: { openid: undefined, rejected: { openid: { scope: 'openid profile' } } } },
  ],
  [
    'long',
    'for more than was consented to, opened first',
    asking({ scope: 'openid profile phone' }),
    { held: 'none' },
    'eager',
  ],
  [
    'long',
    'the same, without a page',
    asking({ scope: 'openid profile phone', prompt: 'none' }),
    { held: 'none' },
    'eager',
  ],
  ['long', 'of a portal never consented to', undefined, { held: 'none' }, 'common'],
  ['long', 'of a portal never consented to, without a page', asking({ prompt: 'none' }), { held: 'none' }, 'common'],
  ['long', 'of a portal whose consent and grant are gone', undefined, { grant: 'gone' }, 'told'],
  ['long', 'of a portal that was granted less', undefined, { grant: { openid: { scope: 'openid' } } }],
  ['long', 'of a portal that was granted nothing', undefined, { grant: { openid: undefined } }],
  [
    'long',
    'of a portal that was granted nothing, without a page',
    asking({ prompt: 'none' }),
    { grant: { openid: undefined } },
  ],
  ['long', 'of a portal for whom nobody has said for whom', undefined, {}, 'business'],
  ['short', 'on behalf of oneself', undefined, { grant: actingAs('self') }, 'business'],
  ['long', 'on behalf of oneself, for want of others', undefined, { grant: actingAs('self', 'only') }, 'business'],
  ['long', 'on behalf of somebody who has ended', undefined, { grant: actingAs('mdt_ended') }, 'business'],
  ['short', 'on behalf of a child', undefined, { grant: actingAs('mdt_kid') }, 'business'],
];

const FORGET = 'UPDATE artifacts SET payload = replace(payload, \'"exp":\', \'"exp":-\')';
const keeping = (name: string): string =>
  `UPDATE artifacts SET payload = replace(payload, '"kind":', '"${name}":"x","kind":')`;
const SPEND = 'UPDATE artifacts SET consumed_at = 1';
const NOWHERE = `${URN}pr_${'0'.repeat(29)}`;

const PUSHED: readonly Case[] = [
  ['short', 'as ever', pushed()],
  ['short', 'by the library', pushed({}, {}, { by: 'long' })],
  ['short', 'without a page', pushed({ prompt: 'none' })],
  ['short', 'with a hint', pushed({ login_hint: '339900199001011014' })],
  ['short', 'with a hint, by the library', pushed({ login_hint: '339900199001011014' }, {}, { by: 'long' })],
  ['short', 'without state and nonce', pushed({ state: '', nonce: '' })],
  ['short', 'with signs of every kind', pushed({ state: '令牌 "\\\n\u0000 %41+&=' })],
  ['short', 'of a portal that must push', pushed(), {}, 'pushing'],
  ['short', 'of a portal bound to keys', pushed(), {}, 'bound'],
  ['short', 'of a portal the session has not opened before', pushed(), { held: 'none' }],
  ['long', 'with a session of nobody', pushed(), { session: { accountId: undefined } }],
  ['long', 'of a portal never consented to', pushed({ prompt: 'none' }), { held: 'none' }, 'common'],
  ['long', 'to be answered by form', pushed({ response_mode: 'form_post' }), {}, 'both'],
  ['long', 'for a new proof', pushed({ prompt: 'login' })],
  ['long', 'for consent', pushed({ prompt: 'consent', scope: 'openid offline_access' })],
  ['long', 'for a young proof', pushed({ max_age: '3600' })],
  ['long', 'for a level', pushed({ acr_values: 'urn:tongban:acr:1' })],
  ['long', 'for single claims', pushed({ claims: '{"userinfo":{"name":null}}' })],
  ['long', 'for oneself', pushed({ acting_as: 'self' })],
  ['long', 'bound to a key', pushed({ dpop_jkt: 'x'.repeat(43) })],
  ['long', 'by another portal', pushed({}, { client_id: 'rp_nobody' })],
  ['long', 'with a state beside it', pushed({}, { state: 'another' })],
  ['long', 'with a scope beside it', pushed({}, { scope: 'openid' })],
  ['long', 'with a type beside it', pushed({}, { response_type: 'code' })],
  ['long', 'with another type beside it', pushed({}, { response_type: 'token' })],
  ['long', 'with another address beside it', pushed({}, { redirect_uri: 'https://evil.cn/' })],
  ['long', 'with a request beside it', pushed({}, { request: 'eyJhbGciOiJub25lIn0.e30.' })],
  ['long', 'with a level beside it', pushed({}, { acr_values: 'urn:tongban:acr:3' })],
  ['long', 'with a prompt beside it', pushed({}, { prompt: 'login' })],
  ['long', 'without a client', pushed({}, { client_id: '' })],
  ['long', 'that nobody pushed', pushed({}, { request_uri: NOWHERE })],
  ['long', 'that is elsewhere', pushed({}, { request_uri: 'https://portal.example/request' })],
  ['long', 'of another kind', pushed({}, { request_uri: `urn:x:${NOWHERE}` })],
  ['long', 'that is nothing', pushed({}, { request_uri: URN })],
  ['long', 'that was used', pushed({}, {}, { meanwhile: SPEND })],
  ['long', 'that is over', pushed({}, {}, { meanwhile: FORGET })],
  ['long', 'kept with a key', pushed({}, {}, { meanwhile: keeping('dpopJkt') })],
  ['long', 'kept with an attested key', pushed({}, {}, { meanwhile: keeping('attestationJkt') })],
  ['long', 'that is gone', pushed({}, {}, { meanwhile: 'DELETE FROM artifacts' })],
];

const STRANGERS: typeof REQUESTS = [
  ['short', 'for consent', strange({ prompt: 'consent' })],
  ['short', 'for another account', strange({ prompt: 'select_account' })],
  ['short', 'for both', strange({ prompt: 'select_account consent' })],
  ['short', 'for access in absence', strange({ prompt: 'consent', scope: 'openid offline_access' })],
  ['short', 'with a hint', strange({ login_hint: '339900199001011014' })],
  ['short', 'with languages', strange({ ui_locales: 'en zh-CN' })],
  ['short', 'without state and nonce', strange({ state: '', nonce: '' })],
  ['short', 'with a scope said twice', strange({ scope: 'openid profile openid' })],
  ['long', 'without a page', strange({ prompt: 'none' })],
  ['long', 'for a new proof', strange({ prompt: 'login' })],
  ['long', 'for a young proof', strange({ max_age: '60' })],
  ['long', 'for a level', strange({ acr_values: 'urn:tongban:acr:3' })],
  ['long', 'for single claims', strange({ claims: '{"userinfo":{"name":null}}' })],
  ['long', 'for oneself', strange({ acting_as: 'self' })],
  ['long', 'to be answered by form', strange({ response_mode: 'form_post' })],
  ['long', 'for nothing', strange({ scope: '' })],
  ['long', 'for what is not registered', strange({ scope: 'openid id_number' })],
  ['long', 'to another address', strange({ redirect_uri: 'https://evil.cn/' })],
  ['long', 'of nobody', strange({ client_id: 'rp_nobody' })],
  ['long', 'without a challenge', strange({ code_challenge: '' })],
  ['long', 'for an unknown prompt', strange({ prompt: 'create' })],
];

for (const [label, cases] of [
  ['A1 A10 A27 a request', REQUESTS],
  ['A9 C5 a request', PORTALS],
  ['C11 F2 a request', SESSIONS],
  ['E9 a request', GRANTS],
  ['A15 A16 a pushed request', PUSHED],
  ['C1 C2 a stranger’s request', STRANGERS],
] as const) {
  for (const [way, name, build = asking(), likeness = {}, at = 'home'] of cases) {
    test.serial(`${label}, both ways alike: ${name}`, async (t) => {
      const { byShortWay } = await compare(t, at, likeness, build);
      t.is(byShortWay ? 'short' : 'long', way);
    });
  }
}

test.serial('A4 a code of either way is worth the same, and says the same of the sign-in', async (t) => {
  const [one, other] = await twins.pair('told', { proofs: [PASSWORD, proof('totp', 'possession', -30)] });
  const { short, long, byShortWay } = await ways.ask([await asking()(one)], [await asking()(other)]);
  t.true(byShortWay);
  const told = [];
  for (const [twin, answer] of [
    [one, short],
    [other, long],
  ] as const) {
    const { body } = await server.token(twin.portal, redemption(addressIn(answer)));
    const { iat: _iat, exp: _exp, auth_time: _at, sid, ...claims } = payloadOf(body.id_token);
    t.is(sid, twin.sid);
    told.push(claims);
    t.is((await userinfo(server, body.access_token)).status, 200);
  }
  t.deepEqual(told[0], told[1]);
  t.deepEqual(told[0]?.amr, ['password', 'totp', 'mfa']);
});

test.serial('A15 R1 one pushed request brought ten times at once is answered with one code', async (t) => {
  const twin = await twins.make('home');
  const [path, headers] = parts(await pushed()(twin));
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => fetch(server.issuer + path, { headers, redirect: 'manual' })),
  );
  const codes = answers.filter((answer) => answer.headers.get('location')?.includes('code='));
  t.is(codes.length, 1);
  t.deepEqual(
    answers.filter((answer) => !codes.includes(answer)).map(({ status }) => status),
    Array.from({ length: 9 }, () => 400),
  );
  const stored = "SELECT count(*) AS count FROM artifacts WHERE model = 'AuthorizationCode' AND grant_id = $1";
  t.like(await server.house.database.get(stored, [twin.grantId]), { count: 1 });
});

test.serial('portals opened at once in one session are all remembered in it', async (t) => {
  const twin = await twins.make('home');
  const names = ['home', 'purposeful', 'first'] as const;
  const requests = names.map((name) => parts(opening(twin, form(fieldsFor({ ...twin, portal: twins.portal(name) })))));
  const answers = await Promise.all(
    requests.map(([path, headers]) => fetch(server.issuer + path, { headers, redirect: 'manual' })),
  );
  for (const answer of answers) t.true(answer.headers.get('location')?.includes('code='));
  const row = await server.house.database.get<{ authorizations: string }>(
    'SELECT authorizations FROM sessions WHERE uid = $1',
    [twin.uid],
  );
  const held = JSON.parse(row!.authorizations) as Record<string, { grantId?: string }>;
  for (const name of names) t.truthy(held[twins.portal(name).id]?.grantId, name);
});

test.serial(
  'C11 a session that ends while portals are opened in it stays ended, and its codes buy nothing',
  async (t) => {
    const twin = await twins.make('home');
    const [path, headers] = parts(await asking()(twin));
    const open = () => fetch(server.issuer + path, { headers, redirect: 'manual' });
    const before = [open(), open(), open()];
    const { database } = server.house;
    const ending = database.run('UPDATE sessions SET ended_at = $2 WHERE uid = $1', [twin.uid, nowSeconds()]);
    const answers = await Promise.all([...before, ending.then(open), open(), open()]);
    const addresses = answers.flatMap((answer) =>
      answer instanceof Response ? [new URL(answer.headers.get('location') ?? '/', server.issuer)] : [],
    );
    t.is(addresses.length, 6);
    for (const address of addresses.filter(({ searchParams }) => searchParams.has('code'))) {
      t.like((await server.token(twin.portal, redemption(address))).body, { error: 'invalid_grant' });
    }
    t.false(addresses[3]?.searchParams.has('code'), 'what comes after the end is asked to sign in');
    t.truthy(await database.get('SELECT 1 FROM sessions WHERE uid = $1 AND ended_at IS NOT NULL', [twin.uid]));
  },
);

test.serial('E3 behind https the cookies of either way are bound to it alike', async (t) => {
  const issuer = 'https://id.example';
  const house = { ...server.house, config: { ...server.house.config, issuer } };
  const secure = await openTwoWays({ ...server, issuer, house }, t);
  const [one, other] = await twins.pair('home', { cookie: '__Host-tongban' });
  const { short, long, byShortWay } = await secure.ask([await asking()(one)], [await asking()(other)]);
  t.true(byShortWay);
  same(t, seen(one, short), seen(other, long));
  t.true(short.headers.some((line) => /^set-cookie: __Host-tongban=.*; secure; httponly/.test(line)));
});

const addressIn = ({ headers }: Answer): URL =>
  new URL(headers.find((line) => line.startsWith('location: '))!.slice('location: '.length));

/** Path and headers of a request that was written as text. */
function parts(request: string): readonly [path: string, headers: Fields] {
  const [start = '', ...lines] = request.split('\r\n');
  const fields = lines.flatMap((line) => (/^cookie: /.test(line) ? [['cookie', line.slice('cookie: '.length)]] : []));
  return [start.split(' ')[1]!, Object.fromEntries(fields)];
}

/** Lets one browser of a pair go each way, and compares all that came of it. */
async function compare(t: ExecutionContext, at: PortalName, likeness: Likeness, build: Build) {
  const [one, other] = await twins.pair(at, likeness);
  const packets = [[await build(one)], [await build(other)]] as const;
  const before = await artifactCounts();
  const asked = await ways.ask(...packets);
  const made = (await artifactCounts()).map(({ model, count }) => [
    model,
    count - (before.find((one) => one.model === model)?.count ?? 0),
  ]);
  t.deepEqual(
    made.filter(([, count]) => Number(count) % 2 !== 0),
    [],
    'either way leaves as much behind, and what was begun and dropped leaves nothing',
  );
  t.regex(asked.long.status, /^HTTP\/1\.1 [1-4]\d\d /, asked.long.body);
  same(t, seen(one, asked.short), seen(other, asked.long));
  same(t, seen(one, await twins.rows(one)), seen(other, await twins.rows(other)));
  return asked;
}

const artifactCounts = (): Promise<{ readonly model: string; readonly count: number }[]> =>
  server.house.database.all('SELECT model, count(*) AS count FROM artifacts GROUP BY model', []);

/** Alike but for moments, which lie no further apart than the two were asked. */
function same(t: ExecutionContext, one: Seen, other: Seen): void {
  t.deepEqual(one.told, other.told);
  t.is(one.moments.length, other.moments.length);
  for (const [at, moment] of one.moments.entries())
    t.true(Math.abs(moment - other.moments[at]!) <= APART_SECONDS_MAX, `${moment} and ${other.moments[at]}`);
}

interface Seen {
  readonly told: unknown;
  readonly moments: readonly number[];
}

const APART_SECONDS_MAX = 20;
const DATE = /\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g;

/** What was answered or is stored, without what is random. */
function seen(twin: Twin, what: Answer | readonly unknown[]): Seen {
  const moments: number[] = [];
  const momentIn = (seconds: number): string => `(moment ${moments.push(seconds)})`;
  const text = JSON.stringify(what, (_name, value) => {
    if (typeof value === 'string' && /^\{.*\}$/s.test(value)) return JSON.parse(value);
    return typeof value === 'number' && Math.abs(value - nowSeconds()) < YEAR_SECONDS ? momentIn(value) : value;
  })
    .replaceAll(DATE, (date) => (date.includes(' 1970 ') ? date : momentIn(Date.parse(date) / 1000)))
    .replaceAll(twin.id, '(session id)')
    .replaceAll(twin.signature, '(signature)')
    .replaceAll(twin.uid, '(session)')
    .replaceAll(twin.grantId, '(grant)')
    .replaceAll(twin.sid, '(sid)')
    .replaceAll(/\b(gr|co|pr)_[\w-]{51}/g, '($1)')
    .replaceAll(/response=eyJ[\w.-]+/g, 'response=(jwt)')
    .replaceAll(/interaction\/[\w-]{21,}/g, 'interaction/(uid)')
    .replaceAll(/auth\/[\w-]{21,}/g, 'auth/(uid)')
    .replaceAll(/(tongban(?:_ceremony|_resume)?(?:\.sig)?)=[\w-]+/g, '$1=(new)')
    .replaceAll(/"(sid)":"[\w-]{21,}"/g, '"$1":"(new)"');
  return { told: JSON.parse(text), moments };
}

const YEAR_SECONDS = 31_536_000;
