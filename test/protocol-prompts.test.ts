import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { SignJWT } from 'jose';
import type { HttpBrowser } from './support/http-client.ts';
import { answerOf, arrive, pause, payloadOf, ROOMY, tokensOf, userinfo } from './support/portal-calls.ts';
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

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  await server.addPerson(LI);
  portal = await server.addPortal();
});
test.after.always(() => server.stop());

/** A browser whose citizen is signed in and has consented. */
async function signedIn(identifier: string = WANG.idNumber): Promise<HttpBrowser> {
  const browser = server.browser();
  await server.signIn(browser, portal, { identifier });
  return browser;
}

async function go(browser: HttpBrowser, query: Record<string, string>): Promise<URLSearchParams> {
  await browser.get(authorizationPath(portal, query));
  await arrive(server, browser);
  return answerOf(browser.page);
}

test('C2 prompt=none never shows a page: login_required without a session, a code with one', async (t) => {
  t.is((await go(server.browser(), { prompt: 'none' })).get('error'), 'login_required');
  const browser = await signedIn();
  t.truthy((await go(browser, { prompt: 'none' })).get('code'));
  const other = await server.addPortal({ scope: 'openid profile' });
  await browser.get(authorizationPath(other, { prompt: 'none' }));
  t.is(answerOf(browser.page).get('error'), 'consent_required');
});

test('C2 prompt=none goes together with nothing, and unknown prompts are refused', async (t) => {
  const browser = await signedIn();
  for (const prompt of ['none login', 'none consent', 'login none', 'none none2', 'create', '__proto__', 'LOGIN']) {
    t.is((await go(browser, { prompt })).get('error'), 'invalid_request', prompt);
  }
});

test('C2 prompt=login asks for the password again and moves auth_time', async (t) => {
  const browser = await signedIn();
  const before = payloadOf((await tokensOf(server, portal, browser)).id_token).auth_time as number;
  await pause(1100);
  t.is((await go(browser, { prompt: 'login' })).get('code'), null);
  t.true(browser.page.text.includes('name="password"'));
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  const callback = new URL(browser.page.location ?? '');
  const { body } = await server.token(portal, redemption(callback));
  t.true((payloadOf(body.id_token).auth_time as number) > before);
});

test('C2 prompt=login answered by another person signs the first one out and gives the portal the other', async (t) => {
  const fresh = await server.addPortal();
  const browser = server.browser();
  const first = await tokensOf(server, fresh, browser);
  await browser.get(authorizationPath(fresh, { prompt: 'login' }));
  await browser.follow();
  await browser.submit({ identifier: LI.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  t.true(browser.page.text.includes('/consent"'), 'the other person has not consented to anything');
  await browser.submit({ decision: 'allow' }, '/consent');
  await arrive(server, browser);
  const { body } = await server.token(fresh, redemption(new URL(browser.page.location ?? '')));
  t.not(payloadOf(body.id_token).sub, payloadOf(first.id_token).sub);
  t.is((await userinfo(server, first.access_token)).status, 401);
});

test('C2 A22 prompt=consent asks again, although everything was allowed before', async (t) => {
  const browser = await signedIn();
  await go(browser, { prompt: 'consent' });
  t.true(browser.page.text.includes('/consent"'));
  await browser.submit({ decision: 'allow' }, '/consent');
  await arrive(server, browser);
  t.truthy(answerOf(browser.page).get('code'));
});

test('C2 prompt=select_account shows who is signed in and takes either answer', async (t) => {
  const browser = await signedIn();
  await go(browser, { prompt: 'select_account' });
  t.true(browser.page.text.includes('/continue-as"'));
  await browser.submit({ decision: 'continue' }, '/continue-as');
  await arrive(server, browser);
  t.truthy(answerOf(browser.page).get('code'));

  await go(browser, { prompt: 'select_account' });
  await browser.submit({ decision: 'switch' }, '/continue-as');
  await arrive(server, browser);
  t.true(browser.page.text.includes('name="password"'));
  await browser.submit({ identifier: LI.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  if (browser.page.text.includes('/consent"')) {
    await browser.submit({ decision: 'allow' }, '/consent');
    await arrive(server, browser);
  }
  t.truthy(answerOf(browser.page).get('code'));
});

test('C2 prompt=select_account without a session is an ordinary sign-in', async (t) => {
  const browser = server.browser();
  await go(browser, { prompt: 'select_account' });
  t.true(browser.page.text.includes('name="password"'));
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  if (browser.page.text.includes('/consent"')) {
    await browser.submit({ decision: 'allow' }, '/consent');
    await arrive(server, browser);
  }
  t.truthy(answerOf(browser.page).get('code'), browser.page.text.slice(0, 400));
});

test('C3 max_age asks anew when the sign-in is older, always with 0, and refuses what is no number', async (t) => {
  const browser = await signedIn();
  t.truthy((await go(browser, { max_age: '1000' })).get('code'));
  await pause(2100);
  await go(browser, { max_age: '1' });
  t.true(browser.page.text.includes('name="password"'));
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  const { body } = await server.token(portal, redemption(new URL(browser.page.location ?? '')));
  t.is(typeof payloadOf(body.id_token).auth_time, 'number');

  await go(browser, { max_age: '0' });
  t.true(browser.page.text.includes('name="password"'));
  t.is((await go(browser, { max_age: '0', prompt: 'none' })).get('error'), 'login_required');
  for (const garbage of ['-1', 'x', '1.5', '99999999999999999999', 'NaN']) {
    t.is((await go(browser, { max_age: garbage })).get('error'), 'invalid_request', garbage);
  }
});

test('C4 a hint of another person is never answered with this one; a forged hint is an error', async (t) => {
  const browser = await signedIn();
  const mine = String((await tokensOf(server, portal, browser)).id_token);
  const other = await signedIn(LI.idNumber);
  const theirs = String((await tokensOf(server, portal, other)).id_token);
  t.truthy((await go(browser, { prompt: 'none', id_token_hint: mine })).get('code'));
  t.is((await go(browser, { prompt: 'none', id_token_hint: theirs })).get('error'), 'login_required');
  await go(browser, { id_token_hint: theirs });
  t.true(browser.page.text.includes('name="password"'));

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const forged = await new SignJWT(payloadOf(mine)).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${mine.split('.')[1]}.`;
  for (const hint of [forged, none, 'x', `${mine.slice(0, -8)}AAAAAAAA`]) {
    t.is(
      (await go(browser, { prompt: 'none', id_token_hint: hint })).get('error'),
      'invalid_request',
      hint.slice(0, 20),
    );
  }
  const claim = JSON.stringify({ id_token: { sub: { value: payloadOf(theirs).sub } } });
  t.is((await go(browser, { prompt: 'none', claims: claim })).get('error'), 'login_required');
});

const essential = (acr: object) => ({ claims: JSON.stringify({ id_token: { acr: { essential: true, ...acr } } }) });

test('C5 an essential acr that names no level of ours is an error and not a lower level', async (t) => {
  const browser = await signedIn();
  for (const acr of [{ value: 'x' }, { values: [] }, { values: ['urn:tongban:acr:5', 'x'] }, { value: 3 }]) {
    for (const request of [essential(acr), { ...essential(acr), acr_values: 'urn:tongban:acr:1' }]) {
      const answer = await go(browser, request);
      t.is(answer.get('error'), 'unmet_authentication_requirements', JSON.stringify(request));
      t.is(answer.get('code'), null);
      t.is((await go(server.browser(), request)).get('error'), 'unmet_authentication_requirements');
    }
  }
  t.is((await go(browser, essential({ values: 'urn:tongban:acr:3' }))).get('error'), 'invalid_request');
});

async function levelOf(browser: HttpBrowser, query: Record<string, string>): Promise<unknown> {
  const answer = await go(browser, query);
  const { body } = await server.token(portal, { ...redemption(new URL(`https://x/?${answer}`)) });
  return payloadOf(body.id_token).acr;
}

test('C5 a portal is told what was really done; an essential level is told by the name it was asked for', async (t) => {
  const browser = await signedIn();
  t.is(await levelOf(browser, {}), 'urn:tongban:acr:2');
  t.is(await levelOf(browser, { acr_values: 'urn:tongban:acr:1' }), 'urn:tongban:acr:2');
  t.is(
    await levelOf(browser, { acr_values: 'urn:tongban:acr:3 x' }),
    'urn:tongban:acr:2',
    'a mere wish gets what is true',
  );
  t.is(await levelOf(browser, essential({ values: ['urn:tongban:acr:1', 'x'] })), 'urn:tongban:acr:1');
  t.is(await levelOf(browser, essential({ values: ['urn:tongban:acr:1', 'urn:tongban:acr:2'] })), 'urn:tongban:acr:2');
  const wished = JSON.stringify({ id_token: { acr: { value: 'urn:tongban:acr:1' } } });
  t.is(await levelOf(browser, { claims: wished }), 'urn:tongban:acr:2');
});

test('C6 G5 the claims parameter: what is asked for comes, what is unknown is passed over, tricks are harmless', async (t) => {
  const asked = await server.addPortal({ scope: 'openid profile' });
  const browser = server.browser();
  const claims = JSON.stringify({
    id_token: { name: null, not_a_claim: { essential: true }, auth_time: { essential: true } },
    userinfo: { birthdate: { essential: true }, __proto__: null, constructor: null, toString: null },
  }).replace('"constructor"', '"__proto__":{"id_number":null},"constructor"');
  const body = await tokensOf(server, asked, browser, { scope: 'openid profile', claims });
  const idToken = payloadOf(body.id_token);
  t.is(idToken.name, WANG.name);
  t.is(idToken.not_a_claim, undefined);
  t.is(typeof idToken.auth_time, 'number');
  const answer = await fetch(`${server.issuer}/me`, {
    headers: { authorization: `Bearer ${String(body.access_token)}` },
  });
  const person = (await answer.json()) as Record<string, unknown>;
  t.is(person.birthdate, '1990-01-01');
  t.false(JSON.stringify([person, idToken]).includes(WANG.idNumber));
  for (const garbage of ['x', '[]', '"x"', '{"id_token":[]}', '{"id_token":{"sub":1}}', '{"userinfo":1}', '{}']) {
    const refused = await go(browser, { claims: garbage });
    t.is(refused.get('error') ?? 'none', 'invalid_request', garbage);
  }
});

test('C6 F6 a portal without the scope for it does not get the ID number by the claims parameter, nor does the citizen allow it', async (t) => {
  const modest = await server.addPortal({ scope: 'openid profile' });
  const browser = server.browser();
  const claims = JSON.stringify({ id_token: { id_number: { essential: true } }, userinfo: { id_number: null } });
  await browser.get(authorizationPath(modest, { scope: 'openid', claims }));
  await browser.follow();
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  t.true(browser.page.text.includes('/consent"'));
  t.false(browser.page.text.includes('class="sensitive"'), 'what is not given is not asked for');
  await browser.submit({ decision: 'allow' }, '/consent');
  await arrive(server, browser);
  const { body } = await server.token(modest, redemption(new URL(browser.page.location ?? '')));
  t.is(payloadOf(body.id_token).id_number, undefined);
  t.false((await (await userinfo(server, body.access_token)).text()).includes(WANG.idNumber));
});
