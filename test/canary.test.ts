import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { type JWK, SignJWT } from 'jose';
import { Canaries, spellingsOf, watchedBrowser, writtenWays } from './support/canaries.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { webServer } from './support/listeners.ts';
import { pause } from './support/portal-calls.ts';
import { type Ended, freshPlace, type Product, startProduct, tongban } from './support/product.ts';
import {
  authorizationPath,
  callbackOf,
  freePort,
  LI,
  REDIRECT_URI,
  redemption,
  type TestPortal,
  WANG,
} from './support/server.ts';
import { until } from './support/waiting.ts';

const USER_AGENT = 'Mozilla/5.0 (a browser of this test)';
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
const BYE = 'https://portal.example/bye';
const DATES = { [WANG.idNumber]: '1990-01-01', [LI.idNumber]: '1985-07-01' } as const;
const CONTACT = {
  phone: '19953178642',
  email: 'kanarienvogel@voliere.example',
  address: '示例省金丝雀市鸟鸣街 1437 号 12 室',
} as const;
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicJwk = keys.publicKey.export({ format: 'jwk' }) as JWK;
const FEEDS = ['json', 'cef'].flatMap((format) => [
  { name: format, kind: 'file', address: `${format}.log`, format },
  { name: `${format}-open`, kind: 'file', address: `${format}-open.log`, format, reveal: true },
]);

/** What must have happened for the search to mean anything. */
const EXPECTED_TYPES = (
  'audit.export audit.search code.replayed consent.denied consent.given introspection.refused logout.delivered password.changed ' +
  'person.added personal-data.released personal-data.revealed portal.entered portal.refused refresh.reused registration.refused ' +
  'relying-party.added session.ended sign-in.cancelled sign-in.refused sign-in.succeeded token.issued token.refused token.revoked'
).split(' ');
/** The kinds of values that came up on the way beside those that were typed. */
const EXPECTED_NAMES = [
  ...['access_token', 'refresh_token', 'id_token', 'request_uri', 'code', 'state', 'nonce', 'client secret', 'form_token', 'xsrf'],
  ...['client assertion', 'DPoP proof', 'logout token', 'cookie tongban', 'cookie tongban_ceremony', 'cookie device'],
];

/** A whole product with everything switched on that leaves traces, and all that is not to be found in them. */
interface Stage {
  readonly product: Product;
  readonly canaries: Canaries;
  readonly folder: string;
  readonly monitoringUrl: string;
  readonly notices: string[];
  /** What the commands have said, without the secret that is shown once. */
  readonly said: string[];
  command(args: readonly string[], input?: string): Promise<Ended>;
  browser(): HttpBrowser;
}

async function raise(t: ExecutionContext): Promise<Stage> {
  const place = await freshPlace(t);
  const folder = join(place.dataDir, '..', 'outside');
  mkdirSync(folder);
  writeFileSync(join(folder, 'feeds.json'), JSON.stringify(FEEDS));
  const notices: string[] = [];
  const receiver = await webServer(t, (request, response) => {
    request.setEncoding('utf8').on('data', (body: string) => notices.push(body));
    request.on('end', () => response.writeHead(200).end());
  });
  const monitoringPort = await freePort();
  const env = {
    TONGBAN_PROFILE: 'test',
    TONGBAN_PORT: String(place.port),
    TONGBAN_DATA_DIR: place.dataDir,
    TONGBAN_LOG_LEVEL: 'trace',
    TONGBAN_LOG_DESTINATION: 'file',
    TONGBAN_MONITORING_PORT: String(monitoringPort),
    TONGBAN_MONITORING_FEEDS_FILE: join(folder, 'feeds.json'),
    TONGBAN_OUTBOUND_ALLOWED_ORIGINS: receiver,
    TONGBAN_OUTBOX_POLL_INTERVAL_MS: '50',
    TONGBAN_LEDGER_CHECKPOINT_INTERVAL_MS: '100',
    TONGBAN_LIMITS_FAILURES_PER_ACCOUNT: '100',
    TONGBAN_TTL_REFRESH_RETRY_SECONDS: '0',
    TONGBAN_WATCH_REFRESH_REUSE_RESPONSE: 'alert',
  };
  const canaries = new Canaries();
  const said: string[] = [];
  const product = await startProduct(t, place, env);
  writeFileSync(join(folder, 'receiver'), receiver);
  return {
    product,
    canaries,
    folder,
    monitoringUrl: `http://127.0.0.1:${monitoringPort}`,
    notices,
    said,
    async command(args, input = '') {
      const ended = await tongban(args, env, input);
      said.push(ended.stdout, ended.stderr);
      return ended;
    },
    browser: () => watchedBrowser(product.issuer, canaries, USER_AGENT),
  };
}

function keepPeople({ canaries }: Stage): void {
  for (const number of [WANG.idNumber, LI.idNumber, UNKNOWN_NUMBER, MISTYPED_NUMBER]) {
    for (const [way, written] of Object.entries(writtenWays(number))) canaries.keep(`ID number, ${way}`, written);
  }
  canaries.keep('date of birth', ...Object.values(DATES));
  canaries.keep('name', WANG.name, LI.name);
  for (const [name, value] of Object.entries(PASSWORDS)) canaries.keep(`password ${name}`, value);
  for (const [name, value] of Object.entries(CONTACT)) canaries.keep(name, value);
}

/** Registers a portal at the command line; its secret may stand there and nowhere else. */
async function addPortal({ command, canaries, said }: Stage, record: object): Promise<TestPortal> {
  const ended = await command(['client', 'add', '-', '--json'], JSON.stringify({ client_name: '测试门户', ...record }));
  const { client_id: id, client_secret: secret = '' } = JSON.parse(ended.stdout);
  if (secret !== '') canaries.keep('client secret', secret);
  const shown = said.indexOf(ended.stdout);
  said[shown] = said[shown]!.replace(secret === '' ? '"client_secret"' : secret, '');
  return { id, secret };
}

const isAway = ({ origin }: URL): boolean => !/^http:\/\/localhost/.test(origin);

async function fill(browser: HttpBrowser, identifier: string, password: string): Promise<void> {
  await browser.submit({ identifier, password }, '/identify');
  await browser.follow(isAway);
}

/** From the request to the callback; every answer of a person on the way is a yes. */
async function visit(stage: Stage, browser: HttpBrowser, portal: TestPortal, query: Record<string, string> = {}) {
  const secrets = { state: `state-${randomUUID()}`, nonce: `nonce-${randomUUID()}` };
  for (const [name, value] of Object.entries(secrets)) stage.canaries.keep(name, value);
  await browser.get(authorizationPath(portal, { scope: SCOPE, prompt: 'consent', ...secrets, ...query }));
  await browser.follow(isAway);
  if (browser.page.text.includes('name="password"')) await fill(browser, LI.idNumber, PASSWORDS.ofLi);
  if (browser.page.text.includes('/consent"')) await browser.submit({ decision: 'allow' }, '/consent');
  await browser.follow(isAway);
  return callbackOf(browser.page);
}

/** A call of a portal's server; whatever tokens come back are kept. */
async function call(
  { product, canaries }: Stage,
  portal: TestPortal,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: Record<string, string> }> {
  const basic = { authorization: `Basic ${btoa(`${portal.id}:${portal.secret}`)}` };
  const answer = await fetch(product.issuer + path, {
    method: 'POST',
    headers: { ...(portal.secret === '' ? {} : basic), ...headers },
    body: new URLSearchParams(portal.secret === '' ? { client_id: portal.id, ...fields } : fields),
  });
  const text = await answer.text();
  const body = (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, string>;
  for (const name of ['access_token', 'refresh_token', 'id_token', 'request_uri'])
    if (body[name] !== undefined) canaries.keep(name, body[name].replace(/^urn:.*:/, ''));
  return { status: answer.status, headers: answer.headers, body };
}

async function registerAndFail(t: ExecutionContext, stage: Stage): Promise<void> {
  const browser = stage.browser();
  const attempt = async (fields: Record<string, string>): Promise<number> => {
    await browser.get('/register');
    const whole = { name: WANG.name, idNumber: WANG.idNumber, password: PASSWORDS.ofWang, ...fields };
    return (await browser.submit({ passwordAgain: whole.password, ...whole }, '/register')).status;
  };
  t.is(await attempt({ password: PASSWORDS.tooShort }), 400);
  t.is(await attempt({ passwordAgain: PASSWORDS.repeated }), 400);
  t.is(await attempt({ idNumber: MISTYPED_NUMBER }), 400);
  t.is(await attempt({ idNumber: UNKNOWN_NUMBER }), 400);
  t.is(await attempt({ idNumber: PASSWORDS.wrong, password: WANG.idNumber }), 400);
  t.is(await attempt({ idNumber: writtenWays(WANG.idNumber).spaced }), 201);
  t.is(await attempt({}), 400, 'there already');
}

async function signInAnyhow(t: ExecutionContext, stage: Stage, portal: TestPortal): Promise<void> {
  const { plain, ...otherWays } = writtenWays(WANG.idNumber);
  const browser = stage.browser();
  await browser.get(authorizationPath(portal, { scope: SCOPE, login_hint: plain, prompt: 'login' }));
  await browser.follow();
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
  await browser.submit({}, '/cancel');
  await browser.follow(isAway);
  t.is(callbackOf(browser.page).searchParams.get('error'), 'access_denied');
  for (const identifier of Object.values(otherWays)) {
    const again = stage.browser();
    await again.get(authorizationPath(portal, { scope: SCOPE, prompt: 'consent' }));
    await again.follow();
    await fill(again, identifier, PASSWORDS.ofWang);
    await again.submit({ decision: 'deny' }, '/consent');
    await again.follow(isAway);
    t.is(callbackOf(again.page).searchParams.get('error'), 'access_denied');
    await again.get('/account');
    t.is(again.page.status, 200);
  }
}

async function useTokens(t: ExecutionContext, stage: Stage, portal: TestPortal): Promise<void> {
  const browser = stage.browser();
  const replayed = redemption(await visit(stage, browser, portal, { login_hint: LI.idNumber }));
  t.is((await call(stage, portal, '/token', { ...replayed, code_verifier: 'w'.repeat(43) })).status, 400);
  const spent = redemption(await visit(stage, browser, portal));
  t.is((await call(stage, portal, '/token', spent)).status, 200);
  t.is((await call(stage, portal, '/token', spent)).status, 400);

  const claims = JSON.stringify({ userinfo: { id_number: { value: LI.idNumber }, phone_number: null } });
  const first = await call(stage, portal, '/token', redemption(await visit(stage, browser, portal, { claims })));
  t.is(first.status, 200, JSON.stringify(first.body));
  const pushed = await call(stage, portal, '/request', {
    ...Object.fromEntries(new URLSearchParams(authorizationPath(portal, { scope: SCOPE, prompt: 'consent' }).slice(6))),
    login_hint: LI.idNumber,
  });
  t.is(pushed.status, 201);
  await browser.get(`/auth?${new URLSearchParams({ client_id: portal.id, request_uri: pushed.body.request_uri! })}`);
  await browser.follow();
  await browser.submit({ decision: 'allow' }, '/consent');
  await browser.follow(isAway);
  const second = await call(stage, portal, '/token', redemption(callbackOf(browser.page)));
  t.is(second.status, 200);
  for (const { body } of [first, second]) {
    const me = await fetch(`${stage.product.issuer}/me`, { headers: { authorization: `Bearer ${body.access_token}` } });
    t.like(await me.json(), { id_number: LI.idNumber, email: CONTACT.email, phone_number: `+86${CONTACT.phone}` });
    for (const token of [body.access_token, body.refresh_token])
      t.true(Boolean((await call(stage, portal, '/token/introspection', { token: token! })).body.active));
  }
  const wrongSecret = { ...portal, secret: stage.canaries.names.join('') };
  stage.canaries.keep('wrong client secret', wrongSecret.secret);
  t.is((await call(stage, wrongSecret, '/token/introspection', { token: first.body.access_token! })).status, 401);
  await misuse(stage, portal, { ...first.body, code: spent.code! });
  const renewal = { grant_type: 'refresh_token', refresh_token: first.body.refresh_token! };
  t.is((await call(stage, portal, '/token', renewal)).status, 200);
  await pause(1100); // Within its second it is taken for the same request once more.
  t.is((await call(stage, portal, '/token', renewal)).status, 400, 'reused');
  const third = await call(stage, portal, '/token', redemption(await visit(stage, browser, portal)));
  t.is((await call(stage, portal, '/token/revocation', { token: third.body.refresh_token! })).status, 200);

  const bye = { id_token_hint: second.body.id_token!, post_logout_redirect_uri: BYE, state: `bye-${randomUUID()}` };
  stage.canaries.keep('state', bye.state);
  await browser.get(`/session/end?${new URLSearchParams(bye)}`);
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  t.true(browser.page.location?.startsWith(BYE));
  t.true(await until(() => stage.notices.length > 0));
  stage.canaries.keep('logout token', new URLSearchParams(stage.notices[0]).get('logout_token'));
}

/** Every secret where another value belongs, as a portal with its parameters mixed up would send them. */
async function misuse(stage: Stage, portal: TestPortal, tokens: Record<string, string>): Promise<void> {
  const browser = stage.browser();
  for (const secret of [tokens.code!, tokens.access_token!, tokens.refresh_token!, portal.secret, LI.idNumber, PASSWORDS.ofLi]) {
    await call(stage, portal, '/token', { grant_type: secret, scope: secret });
    await call(stage, portal, '/token', { grant_type: 'client_credentials', scope: secret });
    await call(stage, { id: secret, secret: '' }, '/token', { grant_type: 'authorization_code', code: secret });
    await call(stage, portal, '/token/introspection', { token: secret, token_type_hint: secret });
    await call(stage, portal, '/token/revocation', { token: `${secret}x`, [secret]: secret });
    for (const name of ['client_id', 'redirect_uri', 'response_type', 'prompt', 'max_age', 'ui_locales', 'acr_values'])
      await browser.get(authorizationPath(portal, { [name]: secret }));
    const claims = JSON.stringify({ userinfo: { [secret]: null }, id_token: { sub: { value: secret } } });
    await browser.get(authorizationPath(portal, { scope: `openid ${secret}`, claims, prompt: 'none' }));
    await browser.get(`/${encodeURIComponent(secret)}?${new URLSearchParams({ [secret]: secret })}`);
    await browser.get(`/interaction/${encodeURIComponent(secret)}`, { referer: `http://x/${encodeURI(secret)}` });
    await browser.get(`/session/end?${new URLSearchParams({ id_token_hint: secret })}`);
    await browser.post('/register', { [secret]: secret, form_token: secret });
    await fetch(`${stage.product.issuer}/me`, { headers: { authorization: `Bearer ${encodeURI(secret)}` } });
  }
}

async function proveWithKeys(t: ExecutionContext, stage: Stage, signing: TestPortal, bound: TestPortal): Promise<void> {
  const { issuer } = stage.product;
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
  t.is((await call(stage, signing, '/token', proven)).status, 200);
  t.is((await call(stage, signing, '/token', proven)).status, 401, 'presented twice');
  const claims = { htm: 'POST', htu: `${issuer}/token` };
  const dpop = await signed({ typ: 'dpop+jwt', jwk: publicJwk }, claims);
  stage.canaries.keep('DPoP proof', dpop);
  for (const expected of [200, 400]) {
    const answer = await call(stage, bound, '/token', { grant_type: 'client_credentials' }, { dpop });
    t.is(answer.status, expected);
    stage.canaries.keep('DPoP nonce', answer.headers.get('dpop-nonce') ?? undefined);
  }
}

/** An account from the command line, shown, switched off and on. */
async function addLi(t: ExecutionContext, { command }: Stage): Promise<void> {
  const contact = Object.entries(CONTACT).flatMap(([name, value]) => [`--${name}`, value]);
  const add = ['person', 'add', '--id-number', LI.idNumber, '--name', LI.name, ...contact, '--password-stdin'];
  t.is((await command(add, `${PASSWORDS.tooShort}\n`)).code, 1);
  t.is((await command(add, `${PASSWORDS.ofLi}\n`)).code, 0);
  t.is((await command(['person', 'show', '--id-number', writtenWays(LI.idNumber).wide])).code, 0);
  t.is((await command(['person', 'show', LI.idNumber])).code, 2);
}

/** The auditor's work; every file it leaves lies in the folder. */
async function audit(t: ExecutionContext, { command, folder }: Stage): Promise<void> {
  const because = ['--reason', 'a search of this very test'];
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
  t.is((await command(['audit', 'search', '--person-id', LI.idNumber, ...because])).code, 2);
  t.is((await command(['audit', 'search', '--person', '--reason', `about ${LI.idNumber}`])).code, 2);
}

/** Everything the product has left for others to read, by name. */
async function traces({ product, folder, said, monitoringUrl }: Stage): Promise<ReadonlyMap<string, string>> {
  const metrics = await Promise.all(
    ['/metrics', '/readyz', '/healthz', '/ledger/checkpoint'].map(async (path) => (await fetch(monitoringUrl + path)).text()),
  );
  await product.end('SIGTERM');
  const files = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
  return new Map([
    ['the log', readFileSync(join(product.dataDir, 'tongban.log'), 'utf8')],
    ['the output of the server', product.said()],
    ['the output of the commands', said.join('\n')],
    ['the private port', metrics.join('\n')],
    ['the ledger', ledgerTexts(product.dataDir).join('\n')],
    ...files,
  ]);
}

function ledgerTexts(dataDir: string): readonly string[] {
  const database = new DatabaseSync(join(dataDir, 'tongban.db'), { readOnly: true });
  try {
    return database.prepare('SELECT entry FROM ledger_entries ORDER BY seq').all().map(({ entry }) => String(entry));
  } finally {
    database.close();
  }
}

test('H5 P20 L15 no password, code, token, cookie, ID number or contact leaves a trace in anything others read', async (t) => {
  t.timeout(120_000);
  const stage = await raise(t);
  keepPeople(stage);
  const backchannel = readFileSync(join(stage.folder, 'receiver'), 'utf8');
  const common = { redirect_uris: [REDIRECT_URI], post_logout_redirect_uris: [BYE], scope: SCOPE };
  const jwks = { keys: [{ ...publicJwk, kid: 'one', use: 'sig', alg: 'ES256' }] };
  const portal = await addPortal(stage, {
    ...common,
    approved_scopes: ['id_number'],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    backchannel_logout_uri: `${backchannel}/logout`,
  });
  const service = { grant_types: ['client_credentials'], redirect_uris: [] };
  const signing = await addPortal(stage, { ...service, token_endpoint_auth_method: 'private_key_jwt', jwks });
  const bound = await addPortal(stage, { ...service, dpop_bound_access_tokens: true });
  await addLi(t, stage);

  await registerAndFail(t, stage);
  await signInAnyhow(t, stage, portal);
  await useTokens(t, stage, portal);
  await proveWithKeys(t, stage, signing, bound);
  await audit(t, stage);
  const feed = join(stage.folder, 'cef-open.log');
  t.true(await until(() => (readFileSync(feed, 'utf8').match(/personal-data.revealed/g)?.length ?? 0) >= 3));

  const left = await traces(stage);
  const types = new Set(left.get('the ledger')!.match(/(?<="type":")[a-z.-]+/g));
  t.deepEqual(EXPECTED_TYPES.filter((type) => !types.has(type)), [], 'the flows have run');
  t.deepEqual(EXPECTED_NAMES.filter((name) => !stage.canaries.names.includes(name)), []);
  for (const [place, text] of left) writeFileSync('/tmp/canary/' + place.replaceAll(' ', '-'), text);
  for (const [place, text] of left) {
    t.true(text.length > 50 || place.startsWith('the output'), place);
    t.deepEqual(stage.canaries.foundIn(text), [], place);
  }
});
