import test from 'ava';
import type { EventType } from '../src/ledger/events.ts';
import { enrol, enrolToPassword } from './support/enrolment.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { webServer } from './support/listeners.ts';
import { identifierOf } from './support/people.ts';
import { pause, postAs, ROOMY, revoke } from './support/portal-calls.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { allTold, BAD, BROWSER, GOOD, HERE, NOWHERE, oneTold, toldBy as toldAt } from './support/told-events.ts';
import { until } from './support/waiting.ts';

const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' } as const;
const ZHAO = { idNumber: '339900199203170021', name: '赵雅琴' } as const;
const ACR = 'urn:tongban:acr:2';
const SCOPE = 'openid profile phone id_number offline_access';
/** Signed soon, and no answer of the watch that would end sessions in the middle of a test. */
const CALM = { ledger: { checkpointIntervalMs: 100 }, watch: { refreshReuse: { response: 'alert' } } } as const;

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, { ...ROOMY, ttl: { refreshRetrySeconds: 0 }, ...CALM });
  portal = await server.addPortal({ scope: SCOPE, approved_scopes: ['id_number'] });
});
test.after.always(() => server.stop());

const away = ({ origin }: URL): boolean => origin !== server.issuer;
const browse = (at = server): HttpBrowser => at.browser(BROWSER);
const toldBy = (answer: Parameters<typeof toldAt>[0], type: EventType, at = server) => toldAt(answer, type, at);

async function atForm(
  browser: HttpBrowser,
  query: Record<string, string> = {},
  at: TestPortal = portal,
): Promise<void> {
  await browser.get(authorizationPath(at, query));
  await browser.follow(away);
}

const attempt = (browser: HttpBrowser, identifier: string, password: string): Promise<Page> =>
  browser.submit({ identifier, password }, '/identify');

test('H5 each sign-in is on record with its factor and its reason, and so is turning back', async (t) => {
  const wang = await server.addPerson(WANG);
  const browser = browse();
  await atForm(browser);
  const common = { ...HERE, client: portal.id };
  const refused = { ...common, ...BAD, actor: 'anonymous' };
  for (const [identifier, subject, reason] of [
    [WANG.idNumber, wang, 'mismatch'],
    ['339900197809230034', null, 'unknown'],
  ] as const)
    t.deepEqual(await toldBy(await attempt(browser, identifier, 'not the password'), 'sign-in.refused'), {
      ...refused,
      subject,
      data: { reason, factor: 'password' },
    });
  for (const device of ['new', 'known']) {
    await atForm(browser, { prompt: 'login' });
    t.deepEqual(await toldBy(await attempt(browser, WANG.idNumber, PASSWORD), 'sign-in.succeeded'), {
      ...common,
      ...GOOD,
      actor: wang,
      subject: wang,
      data: { amr: ['pwd'], acr: ACR, device },
    });
  }
  const other = browse();
  await atForm(other);
  const cancelled = await other.submit({}, '/cancel');
  t.deepEqual(await toldBy(cancelled, 'sign-in.cancelled'), { ...refused, subject: null, data: {} });
});

test('H5 limits, disabled and frozen accounts are reasons of their own', async (t) => {
  const strict = await startServer(t, { limits: { failuresPerAccount: 1, failuresPerAddress: 5 } });
  const [client, wang, li, chen] = [
    await strict.addPortal(),
    await strict.addPerson(WANG),
    await strict.addPerson(LI),
    await strict.addPerson(CHEN),
  ];
  await strict.house.persons.disable(li, 'test');
  await strict.house.persons.freeze(chen, 'watch');
  const browser = browse(strict);
  await browser.get(authorizationPath(client));
  await browser.follow();
  for (const [identifier, password, reason] of [
    [WANG.idNumber, 'wrong', 'mismatch'],
    [WANG.idNumber, PASSWORD, 'locked'],
    [LI.idNumber, PASSWORD, 'disabled'],
    [CHEN.idNumber, PASSWORD, 'frozen'],
    [CHEN.idNumber, PASSWORD, 'locked'],
    [ZHAO.idNumber, PASSWORD, 'address_limit'],
  ] as const) {
    const told = await toldBy(await attempt(browser, identifier, password), 'sign-in.refused', strict);
    t.like(told, { ...HERE, ...BAD, actor: 'anonymous', client: client.id, data: { reason, factor: 'password' } });
  }
  t.like(await oneTold('person.frozen', { subject: chen }, strict), { actor: 'system', data: { cause: 'watch' } });
  t.truthy(wang);
});

test('H5 consent, the way to a portal, and the release of sensitive data are on record', async (t) => {
  const li = await server.addPerson(LI);
  const phone = identifierOf('phone', '13800000000');
  await server.house.identifiers.bind(li, phone, { origin: 'test', verifiedBy: 'one_time_code' });
  const browser = browse();
  const common = { ...HERE, client: portal.id, actor: li, subject: li };
  await atForm(browser, { scope: SCOPE, claims: JSON.stringify({ userinfo: { gender: null } }) });
  await attempt(browser, LI.idNumber, PASSWORD);
  await browser.follow(away);
  const denied = await browser.submit({ decision: 'deny' }, '/consent');
  const asked = ['openid', 'profile', 'phone', 'id_number'];
  t.deepEqual(await toldBy(denied, 'consent.denied'), { ...common, ...BAD, data: { scopes: asked } });
  const refused = await browser.follow(away);
  const { session, ...error } = (await toldBy(refused, 'portal.refused')).data as Record<string, unknown>;
  t.deepEqual(error, { error: 'access_denied' });
  t.is(session, undefined);

  await atForm(browser, { scope: SCOPE });
  const given = await browser.submit({ decision: 'allow' }, '/consent');
  const consent = await toldBy(given, 'consent.given');
  const { noticeHash, ...agreed } = consent.data as Record<string, unknown>;
  t.regex(String(noticeHash), /^[0-9a-f]{64}$/);
  t.deepEqual({ ...consent, data: agreed }, { ...common, ...GOOD, data: { scopes: asked, claims: [] } });
  const entered = await browser.follow(away);
  const { uid } = (await server.house.sessionEnds.list(li))[0]!;
  const scopes = asked.join(' ');
  t.deepEqual(await toldBy(entered, 'portal.entered'), {
    ...common,
    ...GOOD,
    data: { acr: ACR, scopes, session: uid },
  });

  const { body } = await server.token(portal, redemption(new URL(entered.location ?? '')));
  const me = await fetch(`${server.issuer}/me`, { headers: { authorization: `Bearer ${body.access_token}` } });
  t.deepEqual(await toldBy(me, 'personal-data.released'), {
    ...GOOD,
    actor: `client:${portal.id}`,
    subject: li,
    client: portal.id,
    ip: null,
    ua: null,
    data: { claims: ['phone', 'id_number'] },
  });
  await browser.get('/account');
  const withdrawn = await browser.post('/account/portals/withdraw', {
    form_token: hiddenField(browser.page),
    client_id: portal.id,
  });
  t.deepEqual(await toldBy(withdrawn, 'consent.withdrawn'), { ...common, ...GOOD, data: {} });
  await browser.get('/account');
  const ended = await browser.post('/account/sessions/end', { form_token: hiddenField(browser.page), id: uid });
  const { client: _client, ...person } = common;
  const data = { cause: 'ended_by_person', session: uid };
  t.deepEqual(await toldBy(ended, 'session.ended'), { ...person, client: null, ...GOOD, data });
});

test('H5 what portals do with codes and tokens is on record under the portal, and what they failed to prove under nobody', async (t) => {
  const chen = await server.addPerson(CHEN);
  const common = { subject: chen, client: portal.id, actor: `client:${portal.id}`, ip: '127.0.0.1', ua: null };
  const offline = { scope: 'openid offline_access', prompt: 'consent' };
  const scopes = 'openid offline_access';
  const visit = async () =>
    redemption(await server.signIn(browse(), portal, { identifier: CHEN.idNumber, query: offline }));
  const token = (fields: Record<string, string>, at = portal) => server.token(at, fields);
  const code = await visit();
  const issued = await token(code);
  const told = await toldBy(issued, 'token.issued');
  const { session } = told.data as { session: string };
  t.regex(session, /^[\w-]{20,}$/);
  t.deepEqual(told, { ...common, ...GOOD, data: { grantType: 'authorization_code', scopes, session } });
  t.deepEqual(await toldBy(await token(code), 'code.replayed'), { ...common, ...BAD, data: {} });

  const { body } = await token(await visit());
  const renewal = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) };
  const renewed = await token(renewal);
  t.like(await toldBy(renewed, 'token.issued'), { ...common, data: { grantType: 'refresh_token', scopes } });
  await pause(1100);
  t.deepEqual(await toldBy(await token(renewal), 'refresh.reused'), { ...common, ...BAD, data: {} });
  const last = await token(await visit());
  const foreign = await revoke(server, await server.addPortal(), last.body.access_token);
  t.like(await toldBy(foreign, 'token.refused'), { ...BAD, subject: chen, data: { error: 'invalid_request' } });
  t.deepEqual(await toldBy(await revoke(server, portal, last.body.refresh_token), 'token.revoked'), {
    ...common,
    ...GOOD,
    data: {},
  });

  const service = await token({ grant_type: 'client_credentials' });
  t.like(await toldBy(service, 'token.issued'), {
    actor: common.actor,
    subject: null,
    data: { grantType: 'client_credentials' },
  });
  const impostor = { ...portal, secret: 'not the secret' };
  const nobody = { ...BAD, actor: 'anonymous', subject: null, client: portal.id, ip: '127.0.0.1', ua: null };
  const error = 'invalid_client';
  const refusal = { ...nobody, data: { error, grantType: 'client_credentials' } };
  t.deepEqual(await toldBy(await token({ grant_type: 'client_credentials' }, impostor), 'token.refused'), refusal);
  const asking = await postAs(server, impostor, '/token/introspection', { token: 'x' });
  t.deepEqual(await toldBy(asking, 'introspection.refused'), { ...nobody, data: { error } });
  t.deepEqual(await toldBy(await postAs(server, impostor, '/request', {}), 'portal.refused'), {
    ...nobody,
    data: { error },
  });
  const stranger = { ...nobody, client: null, ip: 'sealed 127.0.0.1' };
  const unknown = await token({ grant_type: 'authorization_code' }, { id: 'rp_nobody', secret: 'x' });
  t.deepEqual(await toldBy(unknown, 'token.refused'), {
    ...stranger,
    data: { error, grantType: 'authorization_code' },
  });
  t.like(await toldBy(await token({ grant_type: CHEN.idNumber }), 'token.refused'), {
    actor: common.actor,
    data: { error: 'unsupported_grant_type', grantType: 'unknown' },
  });
});

test('H5 a sign-out, its cause, and whether the portals heard of it are on record', async (t) => {
  const answers = [200, 500];
  const receiver = await webServer(t, (request, response) => {
    request.resume().on('end', () => response.writeHead(answers.shift() ?? 500).end());
  });
  const outbox = { pollIntervalMs: 50, attemptsMax: 1 };
  const own = await startServer(t, { ...ROOMY, outbound: { allowedOrigins: [receiver] }, outbox });
  const wang = await own.addPerson(WANG);
  const client = await own.addPortal({ backchannel_logout_uri: `${receiver}/logout` });
  for (const [type, outcome, details] of [
    ['logout.delivered', GOOD, {}],
    ['logout.undelivered', BAD, { error: 'the portal did not accept the logout token' }],
  ] as const) {
    const browser = browse(own);
    await own.signIn(browser, client);
    const { uid } = (await own.house.sessionEnds.list(wang))[0]!;
    await browser.get('/session/end');
    const data = { cause: 'signed_out', session: uid, portals: [client.id] };
    const signedOut = await browser.submit({ logout: 'yes' }, '/session/end/confirm');
    const person = { actor: wang, subject: wang, client: null };
    t.deepEqual(await toldBy(signedOut, 'session.ended', own), { ...HERE, ...GOOD, ...person, data });
    t.true(await until(async () => (await own.events(type)).length === 1));
    const told = { ...NOWHERE, ...outcome, actor: 'system', subject: wang, client: client.id };
    t.deepEqual(await oneTold(type, {}, own), { ...told, data: { attempts: 1, session: uid, ...details } });
  }
});

test('H5 a registration and its refusals are on record', async (t) => {
  const own = await startServer(t, { limits: { registrationsPerAddress: 3 } });
  const browser = browse(own);
  const opened = await enrol(browser, WANG, PASSWORD);
  const { id } = (await own.house.persons.findByIdNumber(WANG.idNumber as never))!;
  const person = { ...HERE, ...GOOD, actor: id, subject: id, client: null };
  const origin = 'registration';
  t.deepEqual(await toldBy(opened, 'person.added', own), { ...person, data: { origin, ial: 2 } });
  t.deepEqual(await toldBy(opened, 'password.changed', own), { ...person, data: { origin } });
  const nobody = { ...HERE, ...BAD, actor: 'anonymous', subject: null, client: null };
  const steps = await allTold(own, 'enrolment.advanced');
  const { draft } = steps[0]!.data as { draft: string };
  const advanced = ['phone', 'code', 'password'].map((step) => ({ ...nobody, ...GOOD, data: { draft, step } }));
  t.deepEqual(
    steps.map(({ corr: _corr, ...told }) => told),
    advanced,
  );

  const again = browse(own);
  await enrolToPassword(again, WANG);
  t.deepEqual(await toldByReason('exists', own), { ...nobody, subject: id, data: { reason: 'exists' } });
  for (const [number, reason] of [
    [LI.idNumber, 'mismatch'],
    [ZHAO.idNumber, 'address_limit'],
  ] as const) {
    await browser.get('/register');
    const page = await browser.submit({ name: WANG.name, idNumber: number }, '/register');
    t.deepEqual(await toldBy(page, 'registration.refused', own), { ...nobody, data: { reason } });
  }
});

/** The refusal of a registration for this reason. */
async function toldByReason(reason: string, at: TestServer): Promise<Record<string, unknown> | undefined> {
  const told = await allTold(at, 'registration.refused');
  const found = told.find(({ data }) => (data as { reason: string }).reason === reason);
  if (found === undefined) return undefined;
  const { corr: _corr, ...rest } = found;
  return rest;
}
