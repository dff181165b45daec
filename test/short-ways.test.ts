import { connect } from 'node:net';
import test from 'ava';
import { ListedActing, TEA } from './support/acting.ts';
import { basic, introspect, pause, payloadOf, ROOMY } from './support/portal-calls.ts';
import { credentials, type Fields, FORM, form, inPieces, raw } from './support/raw-requests.ts';
import { startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';
import { type PortalName, TokenStates } from './support/token-states.ts';
import { type Answer, openTwoWays, type TwoWays } from './support/two-ways.ts';

/*
 * Every request goes to an engine with its short ways and to one without, and nobody can tell the answers apart. A case says which
 * way it is to take, or the table would compare the library with itself.
 */

let server: TestServer;
let states: TokenStates;
let ways: TwoWays;
const cleanUps: (() => unknown)[] = [];

test.before(async () => {
  const acting = new ListedActing();
  server = await startServer(undefined, ROOMY, { acting });
  states = new TokenStates(server, acting);
  await states.prepare();
  ways = await openTwoWays(server, { teardown: (clean) => cleanUps.push(clean) });
});
test.after.always(async () => {
  for (const clean of cleanUps) clean();
  await server.stop();
});

const portal = (name: PortalName): TestPortal => states.portal(name);
const token = (name: string): string => states.token(name);

const INTROSPECTION = '/token/introspection';
const as = (name: PortalName): Fields => basic(portal(name));
const asking = (body: string, headers: Fields = as('home')): string =>
  raw('POST', INTROSPECTION, { ...FORM, ...headers }, body);
/** The usual question, by the portal `home` unless told, with more headers or fields. */
const about = (name: string, headers: Fields = {}, fields: Fields = {}): string =>
  asking(form({ token: token(name), ...fields }), { ...as('home'), ...headers });
const TOKEN = '/token';
const redeeming = (body: string, headers: Fields = as('home')): string =>
  raw('POST', TOKEN, { ...FORM, ...headers }, body);
/** A token for the portal `home` itself, unless told, with more fields. */
const service = (fields: Fields = {}, headers: Fields = as('home')): string =>
  redeeming(form({ grant_type: 'client_credentials', ...fields }), headers);
const posting = (name: PortalName, secret = portal(name).secret): Fields => ({
  client_id: portal(name).id,
  client_secret: secret,
});
const bearer = (name: string): Fields => ({ authorization: `Bearer ${token(name)}` });
const me = (name: string, headers: Fields = {}): string => raw('GET', '/me', { ...bearer(name), ...headers });

type Request = () => string | readonly string[] | Promise<string>;
type Case = readonly [way: 'short' | 'long', name: string, request: Request];

/** One case for each of these tokens. */
const each = (way: Case[0], names: string, request: (name: string) => string): readonly Case[] =>
  names.split(', ').map((name) => [way, name, () => request(name)]);

const INTROSPECTIONS: readonly Case[] = [
  ['short', 'an access token', () => about('home')],
  ['short', 'a refresh token', () => about('home refresh')],
  ['short', 'a token of a service', () => about('service')],
  ['short', 'a token of a session', () => about('session')],
  ...['access_token', 'refresh_token', 'urn:ietf:params:oauth:token-type:access_token', 'colour'].flatMap((hint) => [
    ...each('short', 'home, home refresh, service', (name) => about(name, {}, { token_type_hint: hint })).map(
      ([way, name, request]): Case => [way, `${name}, hint ${hint}`, request],
    ),
  ]),
  ['short', 'the id in the body too', () => about('home', {}, { client_id: portal('home').id })],
  ['long', 'another id in the body', () => about('home', {}, { client_id: portal('common').id })],
  ['short', 'credentials in the body', () => asking(form({ token: token('posting'), ...posting('posting') }), {})],
  ['long', 'a body portal by header', () => about('posting', as('posting'))],
  ['long', 'a header portal by body', () => asking(form({ token: token('home'), ...posting('home') }), {})],
  ['long', 'both at once', () => about('home', {}, posting('home'))],
  ['long', 'both at once, body portal', () => about('posting', as('posting'), posting('posting'))],
  ['long', 'a wrong secret', () => about('home', credentials(`${portal('home').id}:wrong`))],
  [
    'long',
    'a wrong secret in the body',
    () => asking(form({ token: token('posting'), ...posting('posting', 'x') }), {}),
  ],
  ['long', 'an unknown portal', () => about('home', credentials('rp_other:secret'))],
  ['long', 'a disabled portal', () => about('shut', as('shut'))],
  ['long', 'a secret given up', () => about('home', as('renewed'))],
  ['long', 'a secret past its end', () => about('home', as('expired'))],
  ['long', 'a secret with an end', () => about('lasting', as('lasting'))],
  ['long', 'no credentials', () => asking(form({ token: token('home') }), {})],
  ['long', 'an id alone', () => asking(form({ token: token('home'), client_id: portal('home').id }), {})],
  ['long', 'a portal without a secret', () => asking(form({ token: token('open'), client_id: portal('open').id }), {})],
  ['long', 'an assertion', () => about('home', {}, { client_assertion: 'x.y.z', client_assertion_type: 'x' })],
  ['long', 'an attested client', () => about('home', { 'oauth-client-attestation': 'x.y.z' })],
  ['short', 'another portal', () => about('home', as('common'))],
  ['short', 'a public subject', () => about('common', as('common'))],
  ['short', 'a portal with signed userinfo', () => about('signed', as('signed'))],
  ['short', 'a narrowed portal', () => about('narrowed', as('narrowed'))],
  ['short', 'a typed token nobody made', () => asking(form({ token: 'at_0000000000000000' }))],
  ['long', 'any text for a token', () => asking(form({ token: 'nonsense' }))],
  ['long', 'a JWT', () => asking(form({ token: 'eyJhbGciOiJub25lIn0.e30.x' }))],
  ['long', 'another type', () => asking(form({ token: 'gr_0000000000000000' }))],
  ['long', 'a very long token', () => asking(form({ token: `at_${'x'.repeat(200)}` }))],
  ['long', 'a token beyond ASCII', () => asking(form({ token: 'at_令牌' }))],
  ['short', 'a token in percent signs', () => asking(`token=${token('home').replace('_', '%5F')}`)],
  ['long', 'a token with a space', () => asking(`token=+${token('home')}`)],
  ['long', 'no token', () => asking(form({ token_type_hint: 'access_token' }))],
  ['long', 'an empty token', () => asking('token=')],
  ['long', 'two tokens', () => asking(`token=${token('home')}&token=${token('home')}`)],
  ['long', 'two hints', () => asking(`token=${token('home')}&token_type_hint=a&token_type_hint=b`)],
  ['long', 'two ids', () => asking(`token=${token('home')}&client_id=a&client_id=b`)],
  ['long', 'a field nobody knows', () => about('home', {}, { colour: 'red' })],
  ['long', 'an empty body', () => asking('')],
  ['long', 'no body', () => raw('POST', INTROSPECTION, { ...FORM, ...as('home') })],
  ['long', 'a body of 3 kB', () => about('home', {}, { token_type_hint: 'x'.repeat(3000) })],
  ['long', 'a body too large', () => about('home', {}, { token_type_hint: 'x'.repeat(60_000) })],
  ['short', 'a body in three packets', () => inPieces(about('home'))],
  ['long', 'a refused body in three packets', () => inPieces(about('home', credentials('rp_other:secret')))],
  [
    'long',
    'a body in chunks',
    () => {
      const body = form({ token: token('home') });
      const head = raw('POST', INTROSPECTION, { ...FORM, ...as('home'), 'transfer-encoding': 'chunked' });
      return `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    },
  ],
  [
    'long',
    'JSON',
    () => asking(JSON.stringify({ token: token('home') }), { ...as('home'), 'content-type': 'application/json' }),
  ],
  ['long', 'text', () => about('home', { 'content-type': 'text/plain' })],
  ['long', 'no media type', () => raw('POST', INTROSPECTION, as('home'), form({ token: token('home') }))],
  ['short', 'UTF-8', () => about('home', { 'content-type': `${FORM['content-type']}; charset=UTF-8` })],
  ['long', 'GBK', () => about('home', { 'content-type': `${FORM['content-type']}; charset=gbk` })],
  ['long', 'a compressed body', () => about('home', { 'content-encoding': 'gzip' })],
  ['short', 'JSON wanted', () => about('home', { accept: 'application/json' })],
  ['short', 'anything wanted', () => about('home', { accept: 'application/json, text/plain, */*' })],
  ['long', 'a JWT wanted', () => about('home', { accept: 'application/token-introspection+jwt' })],
  ['long', 'rather a JWT', () => about('home', { accept: 'application/*;q=0.5, application/json;q=0.1' })],
  ['long', 'a page wanted', () => about('home', { accept: 'text/html' })],
  ['long', 'a refusal as a page', () => about('home', { accept: 'text/html', ...credentials('rp_other:secret') })],
  ['long', 'the portal as origin', () => about('home', { origin: 'https://portal.example' })],
  ['long', 'a stranger as origin', () => about('home', { origin: 'https://evil.cn' })],
  ...[
    'Basic',
    'Basic !!!!',
    'Basic  eDp4',
    'Basic eDp4 x',
    'Bearer x',
    'Basic eDp4=',
    'Basic eA==',
    'Basic eDo=',
    'Basic Ong=',
  ].map((authorization): Case => ['long', `authorization: ${authorization}`, () => about('home', { authorization })]),
  [
    'short',
    'a scheme in small letters',
    () => about('home', { authorization: String(as('home').authorization).replace('B', 'b') }),
  ],
  [
    'long',
    'credentials in percent signs',
    () => about('home', credentials(`${portal('home').id.replace('_', '%5F')}:${portal('home').secret}`)),
  ],
  ['long', 'a query', () => about('home').replace(INTROSPECTION, `${INTROSPECTION}?x=1`)],
  ...['GET', 'HEAD', 'PUT', 'OPTIONS'].map(
    (method): Case => ['long', method, () => about('home').replace('POST', method)],
  ),
  ['short', 'revoked', () => about('revoked')],
  ['short', 'revoked, the refresh token', () => about('revoked refresh')],
  ['short', 'a consent withdrawn', () => about('left', as('left'))],
  ['short', 'a disabled person', () => about('disabled')],
  ['short', 'a disabled person whose token is left', () => about('disabled alone')],
  ['short', 'just over', async () => about(await states.endJustNow('just over'))],
  ...each('short', 'long over, for elsewhere, without openid, without scope, asking, session gone, grant gone', about),
  ...each('short', 'grant over, grant of another client, grant of another person, grant of less', about),
  ...each('short', 'person unknown, client unknown, refresh over', about),
  ...each('short', 'own, company, company refresh, represented, ended, ended refresh', (name) =>
    about(name, as('business')),
  ),
  ...each('short', 'not accepted, marked as self', about),
  ['short', 'a company, by another portal', () => about('company', as('common'))],
  ...each('long', 'of another for home, telling, key bound, certificate bound, refresh bound', about),
];

const TOKENS: readonly Case[] = [
  ['short', 'a service', () => service()],
  ['short', 'a service, scope', () => service({ scope: 'openid profile' })],
  ['short', 'a service, a scope twice', () => service({ scope: 'profile profile openid' })],
  ['short', 'credentials in the body', () => service(posting('posting'), {})],
  ['short', 'the id in the body too', () => service({ client_id: portal('home').id })],
  ['short', 'a body in three packets', () => inPieces(service())],
  ['short', 'a page wanted', () => service({}, { ...as('home'), accept: 'text/html' })],
  [
    'short',
    'a scheme in small letters',
    () => service({}, { authorization: as('home').authorization!.replace('B', 'b') }),
  ],
  ['long', 'another id in the body', () => service({ client_id: portal('common').id })],
  ['long', 'both at once', () => service(posting('home'))],
  ['long', 'a body portal by header', () => service({}, as('posting'))],
  ['long', 'a header portal by body', () => service(posting('home'), {})],
  ['long', 'a wrong secret', () => service({}, credentials(`${portal('home').id}:wrong`))],
  ['long', 'a wrong secret in the body', () => service(posting('posting', 'x'), {})],
  ['long', 'an unknown portal', () => service({}, credentials('rp_other:secret'))],
  ['long', 'a disabled portal', () => service({}, as('shut'))],
  ['long', 'a secret given up', () => service({}, as('renewed'))],
  ['long', 'a secret past its end', () => service({}, as('expired'))],
  ['long', 'a secret with an end', () => service({}, as('lasting'))],
  ['long', 'a portal for people alone', () => service({}, as('common'))],
  ['long', 'a portal without a secret', () => service({ client_id: portal('open').id }, {})],
  ['long', 'no credentials', () => service({}, {})],
  ['long', 'a scope beyond the registration', () => service({ scope: 'openid id_number' })],
  ['long', 'a scope nobody knows', () => service({ scope: 'openid colour' })],
  ['long', 'a scope of two blanks', () => service({ scope: 'openid  profile' })],
  ['long', 'a scope with a quotation mark', () => service({ scope: 'open"id' })],
  ['long', 'an empty scope', () => service({ scope: '' })],
  ['long', 'two scopes', () => redeeming('grant_type=client_credentials&scope=openid&scope=profile')],
  ['long', 'two grant types', () => redeeming('grant_type=client_credentials&grant_type=client_credentials')],
  ['long', 'another grant type', () => redeeming('grant_type=implicit')],
  ['long', 'a refresh', () => redeeming(form({ grant_type: 'refresh_token', refresh_token: 'rt_nobody' }))],
  ['long', 'a code', () => redeeming(form({ grant_type: 'authorization_code', code: 'co_nobody' }))],
  ['long', 'no grant type', () => redeeming('scope=openid')],
  ['long', 'a resource', () => service({ resource: 'https://portal.example' })],
  ['long', 'a field nobody knows', () => service({ colour: 'red' })],
  ['long', 'an assertion', () => service({ client_assertion: 'x.y.z', client_assertion_type: 'x' })],
  ['long', 'an attested client', () => service({}, { ...as('home'), 'oauth-client-attestation': 'x.y.z' })],
  ['long', 'a proof', () => service({}, { ...as('home'), dpop: 'x.y.z' })],
  ['long', 'the portal as origin', () => service({}, { ...as('home'), origin: 'https://portal.example' })],
  ['long', 'a stranger as origin', () => service({}, { ...as('home'), origin: 'https://evil.cn' })],
  ['long', 'an empty body', () => redeeming('')],
  ['long', 'a body of 3 kB', () => service({ scope: 'x'.repeat(3000) })],
  ['long', 'text', () => service({}, { ...as('home'), 'content-type': 'text/plain' })],
  ['long', 'a compressed body', () => service({}, { ...as('home'), 'content-encoding': 'gzip' })],
  ['long', 'a query', () => service().replace(TOKEN, `${TOKEN}?x=1`)],
  ...['GET', 'HEAD', 'PUT', 'OPTIONS'].map((method): Case => ['long', method, () => service().replace('POST', method)]),
];

const USERINFOS: readonly Case[] = [
  ...each('short', 'home, posting, common, open, session, narrowed, lasting, asking id token, telling, rich', me),
  ...each('short', 'grant of all, grant of less, scope rejected, claims rejected', me),
  ['short', 'just over', async () => me(await states.endJustNow('just over'))],
  ...each('long', 'signed, claims, asking, shut, left, revoked, disabled, disabled alone, service, home refresh', me),
  ...each('long', 'long over, key bound, for elsewhere, without openid, without scope, session gone, grant gone', me),
  ...each('long', 'grant over, grant of another client, grant of another person, person unknown, client unknown', me),
  ...each('short', 'own, company, represented, nameless, marked as self', me),
  ...each('long', 'ended, not accepted', me),
  ['short', 'POST', () => raw('POST', '/me', bearer('home'))],
  ['short', 'POST of nothing', () => raw('POST', '/me', bearer('home'), '')],
  ...['HEAD', 'PUT', 'OPTIONS'].map((method): Case => ['long', method, () => raw(method, '/me', bearer('home'))]),
  ['long', 'a token in a form', () => raw('POST', '/me', FORM, form({ access_token: token('home') }))],
  [
    'long',
    'a token twice',
    () => raw('POST', '/me', { ...FORM, ...bearer('home') }, form({ access_token: token('home') })),
  ],
  ['long', 'a form beside the token', () => raw('POST', '/me', { ...FORM, ...bearer('home') }, 'scope=openid')],
  ['long', 'a body without a name', () => raw('POST', '/me', bearer('home'), 'scope=openid')],
  ['long', 'JSON', () => raw('POST', '/me', { ...bearer('home'), 'content-type': 'application/json' }, '{}')],
  ['long', 'a body too large', () => raw('POST', '/me', { ...FORM, ...bearer('home') }, 'x'.repeat(60_000))],
  ['long', 'a token in the query', () => raw('GET', `/me?access_token=${token('home')}`, {})],
  ['long', 'less scope', () => raw('GET', '/me?scope=openid', bearer('home'))],
  ['long', 'more scope', () => raw('GET', '/me?scope=phone', bearer('home'))],
  ['long', 'no token', () => raw('GET', '/me', {})],
  ['short', 'bearer in small letters', () => raw('GET', '/me', { authorization: `bearer ${token('home')}` })],
  ...['Bearer', 'Bearer  x', 'Bearer x y', 'DPoP x', 'Basic eDp4', 'Bearer at_x', 'Bearer at_x.y.z', 'x'].map(
    (authorization): Case => ['long', `authorization: ${authorization}`, () => raw('GET', '/me', { authorization })],
  ),
  ['long', 'a proof', () => me('home', { dpop: 'x.y.z' })],
  ['long', 'the portal as origin', () => me('home', { origin: 'https://portal.example' })],
  ['long', 'a stranger as origin', () => me('home', { origin: 'https://evil.cn' })],
  ['short', 'a page wanted', () => me('home', { accept: 'text/html' })],
  ['long', 'a refusal as a page', () => raw('GET', '/me', { authorization: 'Bearer at_x', accept: 'text/html' })],
];

/** A signed answer is signed anew each time, at its own second, and no token is made twice. */
function comparable(answer: Answer): Answer {
  if (answer.body.includes('"access_token":"ct_')) {
    return { ...answer, body: answer.body.replace(/"ct_[\w-]{51}"/, '"(token)"') };
  }
  if (!answer.headers.some((line) => /^content-type: application\/[a-z-+]*jwt\b/.test(line))) return answer;
  const { iat: _, ...payload } = payloadOf(answer.body);
  return { ...answer, body: JSON.stringify(payload) };
}

for (const [endpoint, cases] of [
  ['introspection', INTROSPECTIONS],
  ['userinfo', USERINFOS],
  ['token', TOKENS],
] as const) {
  for (const [way, name, request] of cases) {
    test.serial(`${endpoint}, both ways alike: ${name}`, async (t) => {
      const packets = await request();
      const { short, long, byShortWay } = await ways.ask(typeof packets === 'string' ? [packets] : packets);
      t.regex(long.status, /^HTTP\/1\.1 [1-4]\d\d /, long.body);
      t.deepEqual(comparable(short), comparable(long));
      t.is(byShortWay ? 'short' : 'long', way);
    });
  }
}

test.serial('a short way gives what it should, and not the same nothing as the long one', async (t) => {
  const introspected = JSON.parse((await ways.ask([about('home')])).short.body);
  t.like(introspected, { active: true, client_id: portal('home').id, token_type: 'Bearer' });
  t.is(JSON.parse((await ways.ask([about('revoked')])).short.body).active, false);
  const told = JSON.parse((await ways.ask([me('grant of all')])).short.body);
  t.like(told, { sub: introspected.sub, name: WANG.name, id_type: 'resident_id_card' });
  t.deepEqual(Object.keys(JSON.parse((await ways.ask([me('narrowed')])).short.body)), ['sub']);
  for (const request of [about('company', as('business')), me('company')]) {
    const claims = JSON.parse((await ways.ask([request])).short.body);
    t.like(claims, { legal_person: { uscc: TEA.uscc, role: 'agent' }, act: { sub: claims.sub } });
  }
  t.is(JSON.parse((await ways.ask([about('ended', as('business'))])).short.body).active, false);
});

test.serial('a sender who goes away within the body ends nothing but its own request', async (t) => {
  const { host, port } = new URL(server.issuer);
  const [head = '', start = ''] = inPieces(about('home'));
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(head.replace('{host}', host) + start);
  await pause(50);
  socket.destroy();
  await pause(50);
  t.true((await introspect(server, portal('home'), token('home'))).active);
});
