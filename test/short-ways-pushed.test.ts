import test from 'ava';
import { createSealer } from '../src/crypto/sealing.ts';
import { createSealedHints } from '../src/oidc/sealed-hints.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { basic, payloadOf, ROOMY } from './support/portal-calls.ts';
import { credentials, type Fields, FORM, form, inBody, inPieces, raw } from './support/raw-requests.ts';
import { requestClaims, requestSigner } from './support/request-objects.ts';
import {
  authorizationPath,
  CHALLENGE,
  REDIRECT_URI,
  startServer,
  type TestPortal,
  type TestServer,
} from './support/server.ts';
import { openTwoWays, type TwoWays } from './support/two-ways.ts';

/* Pushed requests by both ways: the answers, what the ledger is told, and the request as it waits in the store. */

const signer = requestSigner('ES256');

const RECORDS = {
  home: {},
  posting: { token_endpoint_auth_method: 'client_secret_post' },
  open: { token_endpoint_auth_method: 'none', grant_types: ['authorization_code'] },
  native: { application_type: 'native', redirect_uris: ['http://127.0.0.1/callback'] },
  once: { grant_types: ['authorization_code'] },
  formed: { response_modes: ['form_post'] },
  service: { grant_types: ['client_credentials'], redirect_uris: [] },
  modest: { scope: 'openid' },
  bound: { dpop_bound_access_tokens: true },
  proven: { require_auth_time: true, default_max_age: 600 },
  shut: {},
  answered: { authorization_signed_response_alg: 'ES256' },
  strict: { request_object_signing_alg: 'ES256', require_signed_request_object: true, jwks: { keys: [signer.jwk] } },
} as const;
type PortalName = keyof typeof RECORDS;

let server: TestServer;
let ways: TwoWays;
const portals = new Map<string, TestPortal>();
const cleanUps: (() => unknown)[] = [];

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  for (const [name, record] of Object.entries(RECORDS)) portals.set(name, await server.addPortal({ ...record }));
  await server.house.relyingParties.disable(portal('shut').id, 'test');
  ways = await openTwoWays(server, { teardown: (clean) => cleanUps.push(clean) });
});
test.after.always(async () => {
  for (const clean of cleanUps) clean();
  await server.stop();
});

const portal = (name: PortalName): TestPortal => portals.get(name)!;
const as = (name: PortalName): Fields => basic(portal(name));
const post = (body: string, headers: Fields = as('home')): string =>
  raw('POST', '/request', { ...FORM, ...headers }, body);

/** An ordinary request; fields that are empty are left out. */
const asking = (more: Fields = {}, at: PortalName = 'home'): string => {
  const fields = {
    client_id: portal(at).id,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'openid profile',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...more,
  };
  return form(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')));
};
const pushing = (more: Fields = {}, headers: Fields = {}, at: PortalName = 'home'): string =>
  post(asking(more, at), { ...as(at), ...headers });

/** Without an id, which would be used up by the first of two ways. */
const signed = (issuer = server.issuer): string =>
  signer.sign(requestClaims(portal('strict'), issuer, { jti: undefined }));

type Case = readonly [way: 'short' | 'long', name: string, request: () => string | readonly string[]];
const each = (way: Case[0], field: string, values: readonly string[]): readonly Case[] =>
  values.map(
    (value): Case => [way, `${field}: ${value.slice(0, 40)} (${value.length})`, () => pushing({ [field]: value })],
  );

const CASES: readonly Case[] = [
  ['short', 'an ordinary request', () => pushing()],
  [
    'short',
    'with all that is only kept',
    () => pushing({ state: 's', nonce: 'n', ui_locales: 'zh-CN en', acr_values: 'a b' }),
  ],
  ['short', 'with a hint', () => pushing({ login_hint: '339900199001011014' })],
  ['short', 'with signs of every kind', () => pushing({ state: '令牌 "\\\n\u0000 %41+&=' })],
  ['short', 'with a scope twice', () => pushing({ scope: 'profile openid profile' })],
  ['short', 'asking for access in absence', () => pushing({ scope: 'openid offline_access', prompt: 'consent' })],
  ['short', 'of an app, at any port', () => pushing({ redirect_uri: 'http://127.0.0.1:4711/callback' }, {}, 'native')],
  ['short', 'of a portal bound to keys', () => pushing({}, {}, 'bound')],
  ['short', 'of a portal that wants a fresh proof', () => pushing({}, {}, 'proven')],
  ['short', 'of a portal that is answered by form', () => pushing({ response_mode: 'form_post' }, {}, 'formed')],
  ['short', 'with the secret in the body', () => post(asking(inBody(portal('posting')), 'posting'), {})],
  ['short', 'of a portal that may be answered with tokens', () => pushing({}, {}, 'answered')],
  ['short', 'in three packets', () => inPieces(pushing())],
  ['short', 'with a page wanted', () => pushing({}, { accept: 'text/html' })],
  ...each('short', 'response_mode', ['query', 'form_post']),
  ...each('short', 'prompt', ['none', 'login', 'consent', 'select_account']),
  ...each('short', 'max_age', ['1', '3600', '999999999']),
  ...each('short', 'code_challenge', ['a'.repeat(43), '~._-'.repeat(32)]),

  ['long', 'of a portal that is answered by form alone', () => pushing({}, {}, 'formed')],
  ['long', 'to be answered with a token', () => pushing({ response_mode: 'jwt' }, {}, 'answered')],
  ['long', 'without the signature the portal owes', () => pushing({}, {}, 'strict')],
  ['long', 'with the signature the portal owes', () => pushing({ request: signed() }, {}, 'strict')],
  ['long', 'with a signature that is not the portal’s', () => pushing({ request: signed('x') }, {}, 'strict')],
  ['long', 'of a portal without codes', () => pushing({}, {}, 'service')],
  ['long', 'of a portal that is shut', () => pushing({}, {}, 'shut')],
  ['long', 'of an app without a secret', () => post(asking({}, 'open'), {})],
  ['long', 'of a portal with another id in the body', () => pushing({ client_id: portal('once').id })],
  ['long', 'without the id in the body', () => pushing({ client_id: '' })],
  ['long', 'with a wrong secret', () => pushing({}, credentials(`${portal('home').id}:wrong`))],
  ['long', 'of nobody', () => post(asking(), {})],
  ['long', 'with two proofs', () => pushing(inBody(portal('home')))],
  ['long', 'for access in absence without asking', () => pushing({ scope: 'openid offline_access' })],
  [
    'long',
    'for access in absence, not registered',
    () => pushing({ scope: 'openid offline_access', prompt: 'consent' }, {}, 'once'),
  ],
  ['long', 'for a scope beyond the registration', () => pushing({}, {}, 'modest')],
  ...each('long', 'scope', ['openid colour', 'openid id_number', 'profile', 'openid  profile', 'open"id']),
  ...each('long', 'response_type', ['token', 'code id_token', 'none', 'code code', 'constructor']),
  ...each('long', 'response_mode', ['fragment', 'jwt', 'web_message']),
  ...each('long', 'redirect_uri', [`${REDIRECT_URI}/`, 'https://evil.cn/', 'javascript:x', 'https://portal.example']),
  ...each('long', 'prompt', ['login consent', 'none login', 'create', 'choose_subject']),
  ...each('long', 'max_age', ['0', '-1', 'x', '1.5', '9999999999', '00']),
  ...each('long', 'code_challenge', ['a'.repeat(42), 'a'.repeat(129), `+${'a'.repeat(42)}`]),
  ...each('long', 'code_challenge_method', ['plain', 's256']),
  ...['response_type', 'redirect_uri', 'scope', 'code_challenge', 'code_challenge_method'].map(
    (name): Case => ['long', `without ${name}`, () => pushing({ [name]: '' })],
  ),
  ...['response_type', 'scope', 'state', 'prompt'].map(
    (name): Case => ['long', `with an empty ${name}`, () => post(`${asking({ [name]: '' })}&${name}=`)],
  ),
  ...['client_id', 'response_type', 'redirect_uri', 'scope', 'state', 'code_challenge'].map(
    (name): Case => ['long', `with ${name} twice`, () => post(`${asking({ state: 's' })}&${name}=openid`)],
  ),
  ...each('long', 'claims', ['{"userinfo":{"name":null}}', '{', '{}']),
  ...each('long', 'request', ['eyJhbGciOiJub25lIn0.e30.', 'x']),
  ...each('long', 'request_uri', ['urn:ietf:params:oauth:request_uri:x', 'https://portal.example/r']),
  ...each('long', 'acting_as', ['self', '913399000000003770', 'x']),
  ...each('long', 'resource', ['https://api.example', 'x']),
  ...each('long', 'id_token_hint', ['x.y.z']),
  ...each('long', 'dpop_jkt', ['x'.repeat(43)]),
  ...each('long', 'registration', ['{}']),
  ...each('long', 'authorization_details', ['[]']),
  ...each('long', 'display', ['page']),
  ...['colour', 'constructor', 'toString', '__proto__', 'hasOwnProperty'].map(
    (name): Case => ['long', `with a field named ${name}`, () => post(`${asking()}&${name}=x`)],
  ),
  ['long', 'with a proof of possession', () => pushing({}, { dpop: 'x.y.z' })],
  ['long', 'with an attestation', () => pushing({}, { 'oauth-client-attestation': 'x.y.z' })],
  ['long', 'from the page of the portal', () => pushing({}, { origin: 'https://portal.example' })],
  ['long', 'from the page of a stranger', () => pushing({}, { origin: 'https://evil.cn' })],
  ['long', 'as JSON', () => post('{}', { ...as('home'), 'content-type': 'application/json' })],
  ['long', 'with a query', () => pushing().replace('/request', '/request?x=1')],
  ['long', 'of 3 kB', () => pushing({ state: 'x'.repeat(3000) })],
  ...['GET', 'HEAD', 'PUT', 'OPTIONS'].map((method): Case => ['long', method, () => pushing().replace('POST', method)]),
];

for (const [way, name, request] of CASES) {
  test.serial(`A15 a pushed request, both ways alike: ${name}`, async (t) => {
    await waiting();
    const packets = [request()].flat();
    const { short, long, byShortWay } = await ways.ask(packets);
    t.regex(long.status, /^HTTP\/1\.1 [1-4]\d\d /, long.body);
    t.deepEqual(withoutId(short), withoutId(long));
    const [one, other, ...more] = await waiting();
    t.deepEqual(one, other);
    t.is(one === undefined, !long.status.includes(' 201 '));
    t.deepEqual(more, []);
    t.is(byShortWay ? 'short' : 'long', way);
  });
}

test.serial('A15 what was pushed by the short way is what the browser is asked about', async (t) => {
  const { short } = await ways.ask([pushing({ login_hint: '339900199001011014', state: 'kept' })]);
  t.regex(short.status, / 201 /);
  // The twin's hints are sealed with a key of its own, so the request is pushed once more, at the server itself.
  const pushed = await fetch(`${server.issuer}/request`, {
    method: 'POST',
    headers: { ...FORM, ...as('home') },
    body: asking({ login_hint: '339900199001011014', state: 'kept' }),
  });
  const { request_uri: requestUri, expires_in: seconds } = (await pushed.json()) as Record<string, unknown>;
  t.is(seconds, 60);
  const browser = server.browser();
  const bare = { scope: '', state: '', nonce: '', redirect_uri: '', code_challenge: '', code_challenge_method: '' };
  await browser.get(authorizationPath(portal('home'), { ...bare, response_type: '', request_uri: String(requestUri) }));
  await browser.follow((url) => url.origin !== server.issuer);
  t.true(browser.page.text.includes('339900199001011014'), 'the name it was told stands in the form');
});

const withoutId = ({ body, ...rest }: { readonly body: string }): object => ({
  ...rest,
  body: body.replace(/request_uri:pr_[\w-]{51}"/, 'request_uri:(id)"'),
});

const hints = createSealedHints(createSealer(Buffer.alloc(32, 3)));

let seenUpTo = '';

/** The requests that have come to wait in the store since this was asked last, opened and with their moments as distances from now. */
async function waiting(): Promise<readonly unknown[]> {
  const rows = await server.house.database.all<{ id: string; payload: string; expires_at: number }>(
    "SELECT id, payload, expires_at FROM artifacts WHERE model = 'PushedAuthorizationRequest' AND id > $1 ORDER BY id",
    [seenUpTo],
  );
  seenUpTo = rows.at(-1)?.id ?? seenUpTo;
  return rows.map(({ id, payload, expires_at }) => {
    const kept = JSON.parse(payload) as { request: string };
    const { request, ...rest } = hints.open(kept, id) as { readonly request: string };
    const inside = { kept: payloadOf(request), head: request.split('.')[0], signature: request.split('.')[2] };
    const text = JSON.stringify({ ...rest, ...inside, sealed: kept.request.startsWith('sealed:'), expires_at });
    return JSON.parse(text, (name, value) =>
      ['iat', 'nbf', 'exp', 'expires_at'].includes(name) ? Math.round((value - nowSeconds() + 20) / 60) : value,
    );
  });
}
