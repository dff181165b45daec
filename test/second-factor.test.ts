import test from 'ava';
import { otherCode } from './support/enrolment.ts';
import { formOf, type HttpBrowser } from './support/http-client.ts';
import { answerOf, arrive, introspect, payloadOf, ROOMY, refresh, userinfo } from './support/portal-calls.ts';
import {
  allow,
  askAlways,
  asksForPassword,
  asksForSecond,
  bindApp,
  enter,
  giveCode,
  somebody,
} from './support/second-factor.ts';
import {
  authorizationPath,
  PASSWORD,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
} from './support/server.ts';
import { signedToTheEnd, trailOf } from './support/trail.ts';
import { createAuthenticator, optionsIn } from './support/webauthn-device.ts';

let server: TestServer;
let plain: TestPortal;
let strong: TestPortal;

const THREE = 'urn:tongban:acr:3';

test.before(async () => {
  server = await startServer(undefined, { ...ROOMY, ledger: { checkpointIntervalMs: 100 } });
  plain = await server.addPortal();
  strong = await server.addPortal({ minimum_acr: THREE });
});
test.after.always(() => server.stop());

const session = (browser: HttpBrowser): string | undefined => browser.cookie('tongban')?.value;

const idTokenOf = async (portal: TestPortal, browser: HttpBrowser): Promise<Record<string, unknown>> => {
  const { body } = await server.token(portal, redemption(new URL(browser.page.location ?? '')));
  return payloadOf(body.id_token);
};

const refusalsOf = async (personId: string): Promise<readonly unknown[]> =>
  (await server.events('sign-in.refused')).filter(({ subject }) => subject === personId).map(({ data }) => data);

const live = (personId: string) => server.house.sessionEnds.list(personId);

test('D13 V32 who is always asked has no session, no code and no account page before the second factor', async (t) => {
  const { id, idNumber } = await somebody(server);
  await askAlways(server, id);
  const app = await bindApp(server, id);
  const browser = server.browser();
  await enter(server, browser, plain, idNumber);
  t.true(asksForSecond(browser.page));
  t.is((await live(id)).length, 0, 'the password alone begins nothing');
  const waiting = browser.page.url;
  await browser.get('/account');
  await browser.follow();
  t.true(asksForPassword(browser.page), 'and opens no page of the account');
  await browser.get(authorizationPath(plain, { prompt: 'none' }));
  t.is(answerOf(browser.page).get('error'), 'login_required');
  await browser.get(waiting);
  t.true(asksForSecond(browser.page));
  await giveCode(server, browser, app.code());
  await allow(server, browser);
  const { acr, amr } = await idTokenOf(plain, browser);
  t.is(acr, THREE);
  t.deepEqual([...(amr as string[])].sort(), ['mfa', 'otp', 'pwd']);
  const told = (type: 'sign-in.continued' | 'sign-in.succeeded') =>
    server.events(type).then((events) => events.filter(({ subject }) => subject === id).map(({ data }) => data));
  t.deepEqual(await told('sign-in.continued'), [{ factor: 'password', amr: ['pwd'] }]);
  t.deepEqual(await told('sign-in.succeeded'), [{ amr: ['pwd', 'otp'], acr: THREE, device: 'new' }]);
});

test('C5 D13 a step up from level 2 to 3 for one portal: the session goes on under a new id, the other portal stays in', async (t) => {
  const { id, idNumber } = await somebody(server);
  const app = await bindApp(server, id);
  const browser = server.browser();
  await enter(server, browser, plain, idNumber, { scope: 'openid offline_access', prompt: 'consent' });
  await allow(server, browser);
  const { body } = await server.token(plain, redemption(new URL(browser.page.location ?? '')));
  t.is(payloadOf(body.id_token).acr, 'urn:tongban:acr:2');
  const before = session(browser);
  const [{ uid, clientIds } = { uid: '', clientIds: [] }] = await live(id);
  t.deepEqual(clientIds, [plain.id]);

  await browser.get(authorizationPath(strong, { prompt: 'none' }));
  t.is(answerOf(browser.page).get('error'), 'login_required', 'silence reaches no higher level');
  await enter(server, browser, strong, idNumber);
  t.true(asksForSecond(browser.page), 'the password is not asked again');
  await giveCode(server, browser, app.code());
  await allow(server, browser);
  const raised = await idTokenOf(strong, browser);
  t.is(raised.acr, THREE);
  t.not(session(browser), before, 'E1');
  const [after] = await live(id);
  t.is(after?.uid, uid);
  t.deepEqual([...(after?.clientIds ?? [])].sort(), [plain.id, strong.id].sort());
  t.is((await userinfo(server, body.access_token)).status, 200);
  t.is((await refresh(server, plain, body.refresh_token)).status, 200);
  const renewed = (await server.events('sign-in.renewed')).filter(({ subject }) => subject === id);
  t.like(renewed[0], { data: { amr: ['otp'], acr: THREE, session: uid } });

  await browser.get(authorizationPath(strong, { prompt: 'none' }));
  t.is((await idTokenOf(strong, browser)).acr, THREE, 'and silence serves it from now on');
  await browser.get(authorizationPath(plain, { prompt: 'none', scope: 'openid' }));
  t.is((await idTokenOf(plain, browser)).acr, THREE, 'other portals are told what was done');
});

test('D8 D13 V3 V32 a browser is known to a person once all that the sign-in was asked for is proven, not after the password', async (t) => {
  const { id, idNumber } = await somebody(server);
  const app = await bindApp(server, id);
  const known = async () =>
    (await server.house.database.all('SELECT 1 AS one FROM known_devices WHERE person_id = $1', [id])).length;
  const browser = server.browser();
  await enter(server, browser, strong, idNumber);
  t.true(asksForSecond(browser.page));
  t.is((await live(id)).length, 0, 'no session begins while its person can give what is asked for');
  t.is(browser.cookie('device'), undefined);
  t.is(await known(), 0, 'but whoever has the password alone has no allowance of their own, and is still a new device');
  await giveCode(server, browser, app.code());
  t.truthy(browser.cookie('device'));
  t.is(await known(), 1);
  const told = async (type: 'sign-in.continued' | 'sign-in.succeeded' | 'sign-in.renewed') =>
    (await server.events(type)).filter(({ subject }) => subject === id).map(({ data }) => data);
  t.deepEqual(await told('sign-in.continued'), [{ factor: 'password', amr: ['pwd'] }]);
  t.deepEqual(
    await told('sign-in.succeeded'),
    [{ amr: ['pwd', 'otp'], acr: THREE, device: 'new' }],
    'H5 once, with all',
  );
  t.deepEqual(await told('sign-in.renewed'), []);
  const wishing = server.browser();
  await enter(server, wishing, plain, idNumber, { acr_values: THREE });
  t.true(asksForSecond(wishing.page));
  t.is(await known(), 1, 'also where the portal only wishes for it');
  await wishing.submit({}, '/without');
  t.is(await known(), 2, 'until the person goes on without, as the portal lets them');
});

test('C5 a portal without a way to its minimum is told an error, and a person without a second factor is told how to get one', async (t) => {
  const { id, idNumber } = await somebody(server);
  const browser = server.browser();
  await enter(server, browser, strong, idNumber);
  t.regex(browser.page.text, /\/account\/methods/);
  t.false(browser.page.text.includes('name="code"'));
  await browser.submit({}, '/cancel');
  await browser.follow((url) => url.origin !== server.issuer);
  t.is(answerOf(browser.page).get('error'), 'access_denied');
  t.is((await live(id)).length, 1, 'what was proven opens what it is enough for');
  const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:tongban:acr:1' } } });
  await browser.get(authorizationPath(strong, { claims, prompt: 'none' }));
  t.is(answerOf(browser.page).get('code'), null, 'a minimum is not talked down');
});

test('H5 one sign-in is told once, whenever the second factor comes; a session that is only added to is told as that', async (t) => {
  const { id, idNumber } = await somebody(server);
  const told = async (type: 'sign-in.succeeded' | 'sign-in.renewed') =>
    (await server.events(type)).filter(({ subject }) => subject === id).map(({ data }) => data.amr);
  const browser = server.browser();
  await enter(server, browser, strong, idNumber);
  const waiting = browser.page.url;
  t.deepEqual(await told('sign-in.succeeded'), [['pwd']], 'who has nothing more is in, to bind it');
  const app = await bindApp(server, id);
  await browser.get(waiting);
  t.true(asksForSecond(browser.page));
  await giveCode(server, browser, app.code());
  await allow(server, browser);
  t.is((await idTokenOf(strong, browser)).acr, THREE);
  t.deepEqual(await told('sign-in.succeeded'), [['pwd']]);
  t.deepEqual(await told('sign-in.renewed'), [['otp']], 'what was told is not told again');
  t.is((await live(id)).length, 1);

  const plainly = server.browser();
  await enter(server, plainly, plain, idNumber);
  await allow(server, plainly);
  await enter(server, plainly, plain, idNumber, { acr_values: THREE });
  await plainly.submit({}, '/without');
  await arrive(server, plainly);
  t.truthy(answerOf(plainly.page).get('code'));
  t.deepEqual(await told('sign-in.succeeded'), [['pwd'], ['pwd']]);
  t.deepEqual(await told('sign-in.renewed'), [['otp']], 'whoever goes on without has proven nothing');
});

test('C5 a wish is asked for where it can be met, and can be declined; what cannot be met is passed over', async (t) => {
  const { id, idNumber } = await somebody(server);
  const app = await bindApp(server, id);
  const browser = server.browser();
  await enter(server, browser, plain, idNumber, { acr_values: THREE });
  t.true(asksForSecond(browser.page));
  await browser.submit({}, '/without');
  await arrive(server, browser);
  await allow(server, browser);
  t.is((await idTokenOf(plain, browser)).acr, 'urn:tongban:acr:2');
  await enter(server, browser, plain, idNumber, { acr_values: `${THREE} urn:tongban:acr:2` });
  await giveCode(server, browser, app.code());
  t.is((await idTokenOf(plain, browser)).acr, THREE);

  const other = await somebody(server);
  const another = server.browser();
  await enter(server, another, plain, other.idNumber, { acr_values: THREE });
  await allow(server, another);
  t.is((await idTokenOf(plain, another)).acr, 'urn:tongban:acr:2');
});

test('C5 an essential level above what the person has is never a lower one', async (t) => {
  const { id, idNumber } = await somebody(server);
  const app = await bindApp(server, id);
  const browser = server.browser();
  const claims = JSON.stringify({ id_token: { acr: { essential: true, values: [THREE] } } });
  await enter(server, browser, plain, idNumber, { claims, acr_values: 'urn:tongban:acr:1' });
  t.true(asksForSecond(browser.page));
  t.false(browser.page.text.includes('/without"'), 'what is essential cannot be declined');
  const { fields } = formOf(browser.page.text, '/cancel');
  const { uid } = /\/interaction\/(?<uid>[\w-]+)\//.exec(browser.page.text)?.groups ?? {};
  const skipped = await browser.post(`/interaction/${uid}/without`, {
    form_token: fields.form_token!,
    decision: 'continue',
  });
  t.is(skipped.status, 400, 'nor by an address made up');
  await browser.get(`/interaction/${uid}`);
  await giveCode(server, browser, app.code());
  await allow(server, browser);
  t.is((await idTokenOf(plain, browser)).acr, THREE);
});

test('D10 D11 V60 a wrong code, one used before and one too many are refused in one way, told and recorded', async (t) => {
  const own = await startServer(t, { limits: { failuresPerAccount: 4 }, ledger: { checkpointIntervalMs: 100 } });
  const portal = await own.addPortal({ minimum_acr: THREE });
  const { id, idNumber } = await somebody(own);
  const app = await bindApp(own, id);
  const browser = own.browser();
  await enter(own, browser, portal, idNumber);
  const right = app.code();
  const wrong = await browser.submit({ code: otherCode(right) }, '/second-factor');
  t.is(wrong.status, 401);
  await browser.submit({ code: right }, '/second-factor');
  await arrive(own, browser);
  t.true(browser.page.text.includes('/consent"'));

  const second = own.browser();
  await enter(own, second, portal, idNumber);
  const bodies = [];
  for (let times = 0; times < 6; times += 1) {
    const answer = await second.submit({ code: right }, '/second-factor');
    t.is(answer.status, 401);
    bodies.push(answer.text.replaceAll(/value="[^"]*"/g, '').replaceAll(second.page.url, ''));
  }
  t.is(new Set(bodies).size, 1, 'a stranger cannot tell a verdict from a limit');
  const refused = (await own.events('sign-in.refused')).map(({ data }) => data);
  const step = { factor: 'totp', step: 'second' };
  t.deepEqual(
    [...new Set(refused.map(({ reason }) => reason))].sort(),
    ['exhausted', 'mismatch', 'replayed'],
    'the ledger can',
  );
  t.true(refused.every((data) => data.factor === step.factor && data.step === step.step));
  await signedToTheEnd(own);
  await browser.get('/account/trail');
  await browser.follow();
  const lines = trailOf(browser.page.text).map(({ what }) => what);
  t.true(
    lines.some((what) => what.includes('第二步验证')),
    lines.join(),
  );
});

test('D13 V3 V53 no step is taken early, late, twice or from another browser', async (t) => {
  const { id, idNumber } = await somebody(server);
  await askAlways(server, id);
  const app = await bindApp(server, id);
  const browser = server.browser();
  await browser.get(authorizationPath(plain));
  await arrive(server, browser);
  const ofAnother = formOf(browser.page.text, '/identify').fields.form_token!;
  await browser.get(authorizationPath(plain));
  await arrive(server, browser);
  const { uid } = /\/interaction\/(?<uid>[\w-]+)\//.exec(browser.page.text)?.groups ?? {};
  const path = `/interaction/${uid}/second-factor`;
  const token = formOf(browser.page.text, '/identify').fields.form_token!;
  const code = app.code();
  const early = await browser.post(path, { form_token: token, factor: 'totp', code });
  t.is(early.status, 400, 'before the password');
  t.is((await browser.post(`/interaction/${uid}/send-code`, { form_token: token, factor: 'sms_code' })).status, 400);
  t.is((await browser.post(`/interaction/${uid}/without`, { form_token: token, decision: 'continue' })).status, 400);
  t.is((await browser.post(`/interaction/${uid}/consent`, { form_token: token, decision: 'allow' })).status, 400);

  await browser.get(`/interaction/${uid}`);
  await browser.submit({ identifier: idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  const fields = formOf(browser.page.text, '/second-factor').fields;
  const elsewhere = server.browser();
  await elsewhere.get(`/interaction/${uid}`);
  t.is(elsewhere.page.status, 400, 'V53 the address opens nothing in another browser');
  t.is((await elsewhere.post(path, { ...fields, code })).status, 400);
  for (const [name, edited] of [
    ['no token', { ...fields, form_token: '', code }],
    ['the token of another request', { ...fields, form_token: ofAnother, code }],
    ['a factor that is none', { ...fields, factor: 'password', code }],
    ['a factor nobody has', { ...fields, factor: 'certificate', code }],
    ['a factor that the person has not bound', { ...fields, factor: 'otp_token', code }],
  ] as const) {
    const answer = await browser.post(path, edited);
    t.true(answer.status >= 400, `${name}: ${answer.status}`);
    t.is((await live(id)).length, 0, name);
  }
  await browser.get(`/interaction/${uid}`);
  await giveCode(server, browser, code);
  await allow(server, browser);
  t.truthy(answerOf(browser.page).get('code'));
  const late = await browser.post(path, { ...fields, code: app.code() });
  t.is(late.status, 400, 'after it was over');
  t.true((await refusalsOf(id)).some((data) => (data as { reason: string }).reason === 'mismatch'));
  const early2 = (await server.events('sign-in.refused')).filter(({ data }) => data.reason === 'out_of_order');
  t.true(early2.length > 0, 'who comes out of order is on record');
});

test('D13 two answers with one code at once begin one session', async (t) => {
  const { id, idNumber } = await somebody(server);
  await askAlways(server, id);
  const app = await bindApp(server, id);
  const browsers = [server.browser(), server.browser(), server.browser()];
  for (const browser of browsers) await enter(server, browser, plain, idNumber);
  const code = app.code();
  const answers = await Promise.all(browsers.map((browser) => browser.submit({ code }, '/second-factor')));
  t.is(answers.filter(({ status }) => status === 303).length, 1);
  for (const browser of browsers) await arrive(server, browser);
  t.is((await live(id)).length, 1);
});

test('V6 F2 an account that is shut between the two factors stays shut', async (t) => {
  for (const shut of ['disable', 'freeze'] as const) {
    const { id, idNumber } = await somebody(server);
    await askAlways(server, id);
    const app = await bindApp(server, id);
    const browser = server.browser();
    await enter(server, browser, plain, idNumber);
    t.true(asksForSecond(browser.page));
    if (shut === 'disable') await server.house.persons.disable(id, 'test', '');
    else await server.house.persons.freeze(id, 'watch');
    const answer = await browser.submit({ code: app.code() }, '/second-factor');
    t.is(answer.status, 400);
    t.is((await live(id)).length, 0);
    t.like((await refusalsOf(id)).at(-1), { reason: shut === 'disable' ? 'disabled' : 'frozen', factor: 'totp' });
  }
});

test('D12 a lost phone shuts nobody out: a code on paper stands in, once', async (t) => {
  const { id, idNumber } = await somebody(server);
  await bindApp(server, id);
  const [paper = ''] = await server.house.database.write((tx) => server.house.reaching.recoveryCodes.make(tx, id));
  const browser = server.browser();
  await enter(server, browser, strong, idNumber);
  t.regex(browser.page.text, /factor=recovery_code/);
  await browser.get(`${browser.page.url}?factor=recovery_code`);
  await giveCode(server, browser, paper, 'recovery_code');
  await allow(server, browser);
  t.is((await idTokenOf(strong, browser)).acr, THREE);
  const again = server.browser();
  await enter(server, again, strong, idNumber);
  t.is((await again.submit({ code: paper, factor: 'recovery_code' }, '/second-factor')).status, 401);
});

test('C5 D14 a passkey is a second factor beside the password, and with a proven person it reaches the top level, each time anew', async (t) => {
  const { id, idNumber } = await somebody(server);
  await server.house.persons.setLevel(id, { ial: 3, reason: 'proven', origin: 'test' });
  const top = await server.addPortal({ minimum_acr: 'urn:tongban:acr:4' });
  const browser = server.browser();
  await enter(server, browser, plain, idNumber);
  await allow(server, browser);
  const device = createAuthenticator(server.issuer);
  const { text } = await browser.get('/account/methods/passkey');
  const made = device.create(optionsIn(text, '/account/methods/passkey'));
  await browser.submit({ ...made, label: '我的手机' }, '/account/methods/passkey');
  for (const time of ['first', 'second']) {
    await browser.get(authorizationPath(top, { prompt: 'none' }));
    t.is(answerOf(browser.page).get('error'), 'login_required', `${time}: no session serves the top level`);
    await browser.get(authorizationPath(top));
    await arrive(server, browser);
    t.true(asksForPassword(browser.page), `${time}: it begins with who it is`);
    await browser.submit({ identifier: idNumber, password: PASSWORD }, '/identify');
    await arrive(server, browser);
    t.true(asksForSecond(browser.page));
    const signed = device.get(optionsIn(browser.page.text, '/second-factor'));
    await browser.submit({ ...signed, factor: 'passkey' }, '/second-factor');
    await arrive(server, browser);
    await allow(server, browser);
    const { acr, amr } = await idTokenOf(top, browser);
    t.is(acr, 'urn:tongban:acr:4');
    t.true((amr as string[]).includes('hwk') && (amr as string[]).includes('pwd'));
  }
  await browser.get(authorizationPath(plain, { prompt: 'none' }));
  t.is((await idTokenOf(plain, browser)).acr, THREE, 'and no other portal is told the top level');
});

test('C5 an API reads of a token at which level and when its person signed in (RFC 9470)', async (t) => {
  const { id, idNumber } = await somebody(server);
  const app = await bindApp(server, id);
  for (const format of ['jwt', 'opaque'] as const) {
    const identifier = `https://${format}.province.example/api`;
    const api = await server.addPortal({
      redirect_uris: [],
      grant_types: ['client_credentials'],
      scope: 'profile',
      api: { identifier, scopes: ['filing:read'], token_format: format },
    });
    const portal = await server.addPortal({
      minimum_acr: THREE,
      apis: [{ client_id: api.id, scopes: ['filing:read'] }],
    });
    const browser = server.browser();
    await enter(server, browser, portal, idNumber, { scope: 'openid filing:read', resource: identifier });
    await giveCode(server, browser, app.code());
    await allow(server, browser);
    const fields = { ...redemption(new URL(browser.page.location ?? '')), resource: identifier };
    const { body } = await server.token(portal, fields);
    const told = format === 'jwt' ? payloadOf(body.access_token) : await introspect(server, api, body.access_token);
    t.is(told.aud, identifier);
    t.is(told.acr, THREE, format);
    t.is(typeof told.auth_time, 'number', format);
  }
});

test('D15 D13 before something sensitive the account asks for the second factor too, and once in five minutes', async (t) => {
  const { id, idNumber } = await somebody(server);
  const app = await bindApp(server, id);
  const browser = server.browser();
  await enter(server, browser, plain, idNumber);
  await allow(server, browser);
  const sensitive = '/account/methods/user-name';
  await browser.get(sensitive);
  t.is(browser.page.status, 200, 'an app bound a moment ago was shown to work');
  await server.house.database.run('UPDATE bound_factors SET bound_at = bound_at - 1000 WHERE id = $1', [app.id]);
  await browser.get(sensitive);
  await browser.follow();
  t.true(browser.page.text.includes('action="/account/prove/factor"'), 'the password alone is not enough');
  t.false(asksForPassword(browser.page), 'and is not asked again');
  const refused = await browser.submit({ code: '000000' }, '/account/prove/factor');
  t.is(refused.status, 401);
  await browser.submit({ code: app.code() }, '/account/prove/factor');
  await browser.follow();
  t.is(new URL(browser.page.url).pathname, sensitive, 'it leads on to where they wanted to go');
  t.is(browser.page.status, 200);
  await browser.get(sensitive);
  t.is(browser.page.status, 200);
  await browser.get('/account/entered?state=https%3A%2F%2Fevil.example%2F');
  t.is(browser.page.location, `${server.issuer}/account`, 'A26 and nowhere else');
});
