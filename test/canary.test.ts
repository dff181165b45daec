import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type JWK, SignJWT } from 'jose';
import { begin, type CanaryStage, canaryStage, decide, fill, USER_AGENT, writtenWays } from './support/canaries.ts';
import { freshPhone, givePhone, otherCode } from './support/enrolment.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { pause } from './support/portal-calls.ts';
import { authorizationPath, LI, REDIRECT_URI, redemption, type TestPortal, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const PASSWORDS = {
  ofWang: '夜航船 kanarienvogel & 7=dachboden',
  ofLi: 'zeisig+auf%dem dach/1988',
  wrong: 'stieglitz ist nicht das passwort',
  tooShort: 'spatz7!',
  repeated: 'rotkehlchen anders getippt',
} as const;
const UNKNOWN_NUMBER = '339900197809230034';
const MISTYPED_NUMBER = '339900199001011015';
const SCOPE = 'openid profile phone email address id_number identity offline_access';
const GROUND = 'a search of this very test';
const BYE = 'https://portal.example/bye';
const DATES = { [WANG.idNumber]: '1990-01-01', [LI.idNumber]: '1985-07-01' } as const;
const CONTACT = {
  phone: '19953178642',
  email: 'kanarienvogel@voliere.example',
  address: '示例省金丝雀市鸟鸣街 1437 号 12 室',
} as const;
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicJwk = keys.publicKey.export({ format: 'jwk' }) as JWK;
/** What must have happened for the search to mean anything. */
const EXPECTED_TYPES = new Set(
  (
    'audit.export audit.search code.replayed consent.denied consent.given introspection.refused logout.delivered person.added ' +
    'password.changed personal-data.released personal-data.revealed portal.entered portal.refused refresh.reused ' +
    'registration.refused relying-party.added relying-party.changed session.ended sign-in.cancelled sign-in.refused ' +
    'sign-in.succeeded token.issued token.refused token.revoked'
  ).split(' '),
);
/** The kinds of values that came up on the way, beside those that were typed. */
const EXPECTED_NAMES = new Set(
  (
    'access_token,refresh_token,id_token,request_uri,code,state,nonce,client secret,form_token,xsrf,client assertion,DPoP proof,' +
    'logout token,cookie tongban,cookie tongban_ceremony,cookie device'
  ).split(','),
);

function keepPeople({ canaries }: CanaryStage): void {
  for (const number of [WANG.idNumber, LI.idNumber, UNKNOWN_NUMBER, MISTYPED_NUMBER]) {
    for (const [way, written] of Object.entries(writtenWays(number))) canaries.keep(`ID number, ${way}`, written);
  }
  canaries.keep('date of birth', ...Object.values(DATES));
  canaries.keep('name', WANG.name, LI.name);
  for (const [name, value] of Object.entries(PASSWORDS)) canaries.keep(`password ${name}`, value);
  for (const [name, value] of Object.entries(CONTACT)) canaries.keep(name, value);
}

const secretIn = (json: string): string | undefined => JSON.parse(json).client_secret;

/** Registers a portal at the command line, which shows its secret once: the search finds it there. */
async function addPortal(t: ExecutionContext, stage: CanaryStage, record: object): Promise<TestPortal> {
  const input = JSON.stringify({ client_name: '测试门户', ...record });
  const ended = await stage.command(['client', 'add', '-', '--json'], input, secretIn);
  const { client_id: id, client_secret: secret = '' } = JSON.parse(ended.stdout);
  t.deepEqual(stage.canaries.foundIn(ended.stdout), secret === '' ? [] : ['client secret (plain)']);
  return { id, secret };
}

/** Li from the request to the callback; every answer on the way is a yes. */
async function visit(stage: CanaryStage, browser: HttpBrowser, portal: TestPortal, query: Record<string, string> = {}) {
  await begin(stage, browser, portal, { scope: SCOPE, prompt: 'consent', ...query });
  if (browser.page.text.includes('name="password"')) await fill(browser, LI.idNumber, PASSWORDS.ofLi);
  return decide(browser, 'allow', '/consent');
}

async function registerAndFail(t: ExecutionContext, stage: CanaryStage): Promise<void> {
  const browser = stage.browser();
  const phone = freshPhone();
  stage.canaries.keep('new phone', phone);
  const attempt = async (fields: Record<string, string>): Promise<number> => {
    await browser.get('/register?edit=1');
    return (await browser.submit({ name: WANG.name, idNumber: WANG.idNumber, ...fields }, '/register')).status;
  };
  t.is(await attempt({ idNumber: MISTYPED_NUMBER }), 400);
  t.is(await attempt({ idNumber: UNKNOWN_NUMBER }), 400);
  t.is(await attempt({ idNumber: PASSWORDS.wrong, name: WANG.idNumber }), 400);
  t.is(await attempt({ idNumber: writtenWays(WANG.idNumber).spaced }), 303);
  await browser.follow();
  const code = await givePhone(browser, phone);
  stage.canaries.keep('sent code', `code=${code}`);
  t.is((await browser.submit({ code: otherCode(code) }, '/register/code')).status, 400);
  t.is((await browser.submit({ code }, '/register/code')).status, 303);
  await browser.follow();
  const choose = async (password: string, passwordAgain = password): Promise<number> =>
    (await browser.submit({ password, passwordAgain }, '/register/password')).status;
  t.is(await choose(PASSWORDS.tooShort), 400);
  t.is(await choose(PASSWORDS.ofWang, PASSWORDS.repeated), 400);
  t.is(await choose(PASSWORDS.ofWang), 201);
}

async function signInAnyhow(t: ExecutionContext, stage: CanaryStage, portal: TestPortal): Promise<void> {
  const { plain, ...otherWays } = writtenWays(WANG.idNumber);
  const browser = stage.browser();
  await begin(stage, browser, portal, { scope: SCOPE, login_hint: plain, prompt: 'login' });
  t.true(browser.page.text.includes(plain), 'the hint stands in the form');
  for (const [identifier, password] of [
    [plain, PASSWORDS.wrong],
    [PASSWORDS.ofWang, plain],
    [UNKNOWN_NUMBER, PASSWORDS.ofWang],
    [MISTYPED_NUMBER, PASSWORDS.ofWang],
    [plain, plain],
  ] as const) {
    await fill(browser, identifier, password);
    t.true([400, 401].includes(browser.page.status));
  }
  t.is((await decide(browser, 'cancel', '/cancel')).searchParams.get('error'), 'access_denied');
  for (const identifier of Object.values(otherWays)) {
    const again = stage.browser();
    await begin(stage, again, portal, { scope: SCOPE, prompt: 'consent' });
    await fill(again, identifier, PASSWORDS.ofWang);
    t.is((await decide(again, 'deny', '/consent')).searchParams.get('error'), 'access_denied');
    t.is((await again.get('/account')).status, 200);
  }
}

async function useTokens(t: ExecutionContext, stage: CanaryStage, portal: TestPortal): Promise<void> {
  const browser = stage.browser();
  const replayed = redemption(await visit(stage, browser, portal, { login_hint: LI.idNumber }));
  t.is((await stage.call(portal, '/token', { ...replayed, code_verifier: 'w'.repeat(43) })).status, 400);
  const spent = redemption(await visit(stage, browser, portal));
  t.is((await stage.call(portal, '/token', spent)).status, 200);
  t.is((await stage.call(portal, '/token', spent)).status, 400);

  const claims = JSON.stringify({ userinfo: { id_number: { value: LI.idNumber }, phone_number: null } });
  const first = await stage.call(portal, '/token', redemption(await visit(stage, browser, portal, { claims })));
  t.is(first.status, 200, JSON.stringify(first.body));
  const pushed = await stage.call(portal, '/request', {
    ...Object.fromEntries(new URLSearchParams(authorizationPath(portal, { scope: SCOPE, prompt: 'consent' }).slice(6))),
    login_hint: LI.idNumber,
  });
  t.is(pushed.status, 201);
  await browser.get(`/auth?${new URLSearchParams({ client_id: portal.id, request_uri: pushed.body.request_uri! })}`);
  await browser.follow();
  const second = await stage.call(portal, '/token', redemption(await decide(browser, 'allow', '/consent')));
  t.is(second.status, 200);
  for (const { body } of [first, second]) {
    const me = await fetch(`${stage.issuer}/me`, { headers: { authorization: `Bearer ${body.access_token}` } });
    t.like(await me.json(), { id_number: LI.idNumber, email: CONTACT.email, phone_number: `+86${CONTACT.phone}` });
    for (const token of [body.access_token, body.refresh_token])
      t.true(Boolean((await stage.call(portal, '/token/introspection', { token: token! })).body.active));
  }
  const wrongSecret = { ...portal, secret: `not-it-${randomUUID()}` };
  stage.canaries.keep('wrong client secret', wrongSecret.secret);
  t.is((await stage.call(wrongSecret, '/token/introspection', { token: first.body.access_token! })).status, 401);
  await misuse(stage, portal, { ...first.body, code: spent.code! });
  const renewal = { grant_type: 'refresh_token', refresh_token: first.body.refresh_token! };
  t.is((await stage.call(portal, '/token', renewal)).status, 200);
  await pause(1100); // Within its second it is taken for the same request once more.
  t.is((await stage.call(portal, '/token', renewal)).status, 400, 'reused');
  const third = await stage.call(portal, '/token', redemption(await visit(stage, browser, portal)));
  t.is((await stage.call(portal, '/token/revocation', { token: third.body.refresh_token! })).status, 200);

  const bye = { id_token_hint: second.body.id_token!, post_logout_redirect_uri: BYE, state: `bye-${randomUUID()}` };
  stage.canaries.keep('state', bye.state);
  await browser.get(`/session/end?${new URLSearchParams(bye)}`);
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  t.true(browser.page.location?.startsWith(BYE));
  t.true(await until(() => stage.receiver.bodies.length > 0));
  stage.canaries.keep('logout token', new URLSearchParams(stage.receiver.bodies[0]).get('logout_token'));
}

/** Every secret where another value belongs, as a portal with its parameters mixed up would send them. */
async function misuse(stage: CanaryStage, portal: TestPortal, tokens: Record<string, string>): Promise<void> {
  const browser = stage.browser();
  for (const secret of [
    tokens.code!,
    tokens.access_token!,
    tokens.refresh_token!,
    portal.secret,
    LI.idNumber,
    PASSWORDS.ofLi,
  ]) {
    await stage.call(portal, '/token', { grant_type: secret, scope: secret });
    await stage.call(portal, '/token', { grant_type: 'client_credentials', scope: secret });
    await stage.call({ id: secret, secret: '' }, '/token', { grant_type: 'authorization_code', code: secret });
    await stage.call(portal, '/token/introspection', { token: secret, token_type_hint: secret });
    await stage.call(portal, '/token/revocation', { token: `${secret}x`, [secret]: secret });
    for (const name of ['client_id', 'redirect_uri', 'response_type', 'prompt', 'max_age', 'ui_locales', 'acr_values'])
      await browser.get(authorizationPath(portal, { [name]: secret }));
    const claims = JSON.stringify({ userinfo: { [secret]: null }, id_token: { sub: { value: secret } } });
    await browser.get(authorizationPath(portal, { scope: `openid ${secret}`, claims, prompt: 'none' }));
    await browser.get(`/${encodeURIComponent(secret)}?${new URLSearchParams({ [secret]: secret })}`);
    await browser.get(`/interaction/${encodeURIComponent(secret)}`, { referer: `http://x/${encodeURI(secret)}` });
    await browser.get(`/session/end?${new URLSearchParams({ id_token_hint: secret })}`);
    await browser.post('/register', { [secret]: secret, form_token: secret });
    await fetch(`${stage.issuer}/me`, { headers: { authorization: `Bearer ${encodeURI(secret)}` } });
  }
}

async function proveWithKeys(
  t: ExecutionContext,
  stage: CanaryStage,
  signing: TestPortal,
  bound: TestPortal,
): Promise<void> {
  const { issuer } = stage;
  const signed = (header: object, claims: object): Promise<string> =>
    new SignJWT({ jti: randomUUID(), iat: Math.floor(Date.now() / 1000), ...claims })
      .setProtectedHeader({ alg: 'ES256', ...header })
      .setExpirationTime('1m')
      .sign(keys.privateKey);
  const assertion = await signed({ kid: 'one' }, { iss: signing.id, sub: signing.id, aud: issuer });
  stage.canaries.keep('client assertion', assertion);
  const proven = {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  };
  t.is((await stage.call(signing, '/token', proven)).status, 200);
  t.is((await stage.call(signing, '/token', proven)).status, 401, 'presented twice');
  const claims = { htm: 'POST', htu: `${issuer}/token` };
  const dpop = await signed({ typ: 'dpop+jwt', jwk: publicJwk }, claims);
  stage.canaries.keep('DPoP proof', dpop);
  for (const expected of [200, 400]) {
    const answer = await stage.call(bound, '/token', { grant_type: 'client_credentials' }, { dpop });
    t.is(answer.status, expected);
    stage.canaries.keep('DPoP nonce', answer.headers.get('dpop-nonce') ?? undefined);
  }
}

/** An account from the command line, shown, switched off and on. */
async function addLi(t: ExecutionContext, { command }: CanaryStage): Promise<void> {
  const contact = Object.entries(CONTACT).flatMap(([name, value]) => [`--${name}`, value]);
  const add = ['person', 'add', '--id-number', LI.idNumber, '--name', LI.name, ...contact, '--password-stdin'];
  t.is((await command(add, `${PASSWORDS.tooShort}\n`)).code, 1);
  t.is((await command(add, `${PASSWORDS.ofLi}\n`)).code, 0);
  t.is((await command(['person', 'show', '--id-number', writtenWays(LI.idNumber).wide])).code, 0);
  t.is((await command(['person', 'show', LI.idNumber])).code, 2);
}

/** The auditor's work; every file it leaves lies in the folder. */
async function audit(t: ExecutionContext, { command, folder }: CanaryStage): Promise<void> {
  const because = ['--reason', GROUND];
  const lists = [
    ['search', '--person', '--open', '--limit', '1000', ...because],
    ['search', '--person', '--json', ...because],
    ['export', '--person', '--open', '--out', join(folder, 'person.jsonl'), ...because],
    ['export', '--open', '--out', join(folder, 'all.jsonl'), ...because],
    ['export', '--format', 'csv', '--open', '--out', join(folder, 'all.csv'), ...because],
  ];
  for (const words of lists) {
    const ended = await command(['audit', ...words], `${LI.idNumber}\n`);
    t.is(ended.code, 0, ended.stderr);
  }
  t.is((await command(['feed', 'test', 'json-open'])).code, 0);
  t.is((await command(['audit', 'search', '--person-id', LI.idNumber, ...because])).code, 2);
  t.is((await command(['audit', 'search', '--person', '--reason', `about ${LI.idNumber}`])).code, 2);
}

test('H5 P20 L15 no password, code, token, cookie, ID number or contact leaves a trace in anything others read', async (t) => {
  t.timeout(120_000);
  const stage = await canaryStage(t);
  keepPeople(stage);
  const common = { redirect_uris: [REDIRECT_URI], post_logout_redirect_uris: [BYE], scope: SCOPE };
  const jwks = { keys: [{ ...publicJwk, kid: 'one', use: 'sig', alg: 'ES256' }] };
  const portal = await addPortal(t, stage, {
    ...common,
    approved_scopes: ['id_number'],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    backchannel_logout_uri: `${stage.receiver.origin}/logout`,
  });
  const service = { grant_types: ['client_credentials'], redirect_uris: [] };
  const signing = await addPortal(t, stage, { ...service, token_endpoint_auth_method: 'private_key_jwt', jwks });
  const bound = await addPortal(t, stage, { ...service, dpop_bound_access_tokens: true });
  await addLi(t, stage);

  await registerAndFail(t, stage);
  await signInAnyhow(t, stage, portal);
  await useTokens(t, stage, portal);
  await proveWithKeys(t, stage, signing, bound);
  const renewed = await stage.command(['client', 'rotate-secret', portal.id, '--json'], '', secretIn);
  t.is(renewed.code, 0);
  await audit(t, stage);
  const feed = join(stage.folder, 'cef-open.log');
  t.true(await until(() => (readFileSync(feed, 'utf8').match(/personal-data.revealed/g)?.length ?? 0) >= 3));

  const left = await stage.traces();
  const types = new Set(left.get('the ledger')!.match(/(?<="type":")[a-z.-]+/g));
  t.deepEqual([...EXPECTED_TYPES.difference(types)], [], 'the flows have run');
  t.deepEqual([...EXPECTED_NAMES.difference(stage.canaries.names)], [], 'and what came up in them was kept');
  for (const [place, text] of left) {
    t.true(text.length > 20, place);
    t.deepEqual(stage.canaries.foundIn(text), [], place);
  }
  const holding = (text: string): readonly string[] =>
    [...left.keys()].filter((place) => left.get(place)!.includes(text));
  const exported = ['all.csv', 'all.jsonl', 'person.jsonl'];
  const opened = [...exported, 'the output of the commands', 'cef-open.log', 'json-open.log'];
  t.deepEqual(holding(USER_AGENT).toSorted(), opened.toSorted());
  t.deepEqual(holding(GROUND).toSorted(), exported, 'a ground goes to auditors alone, on no feed');
});
