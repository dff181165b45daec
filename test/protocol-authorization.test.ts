import test from 'ava';
import { foreignLinks } from './support/foreign-links.ts';
import { answerOf, payloadOf, ROOMY } from './support/portal-calls.ts';
import {
  authorizationPath,
  CHALLENGE,
  REDIRECT_URI,
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
  portal = await server.addPortal();
});
test.after.always(() => server.stop());

const ask = (query: Record<string, string>) => server.browser().get(authorizationPath(portal, query));

test('A1 without redirect_uri there is a page, although only one is registered', async (t) => {
  const page = await ask({ redirect_uri: '' });
  t.is(page.status, 400);
  t.is(page.location, undefined);
});

test('A1 a native app may vary the port of its loopback address and nothing else', async (t) => {
  const app = await server.addPortal({
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'],
    redirect_uris: ['http://127.0.0.1/callback'],
  });
  const go = (uri: string) => server.browser().get(authorizationPath(app, { redirect_uri: uri }));
  t.is((await go('http://127.0.0.1:49152/callback')).status, 200);
  for (const uri of ['http://127.0.0.1:49152/other', 'http://localhost:49152/callback', 'https://127.0.0.1/callback']) {
    t.is((await go(uri)).status, 400, uri);
  }
});

test('A5 V46 every portal must use PKCE with S256, the confidential ones too', async (t) => {
  const open = await server.addPortal({ token_endpoint_auth_method: 'none', grant_types: ['authorization_code'] });
  for (const client of [portal, open]) {
    const incomplete: readonly Record<string, string>[] = [
      { code_challenge: '' },
      { code_challenge_method: '' },
      { code_challenge_method: 'plain' },
      { code_challenge_method: 's256' },
      { code_challenge: '', code_challenge_method: '' },
      { code_challenge: 'short' },
      { code_challenge: `${CHALLENGE}=` },
    ];
    for (const query of incomplete) {
      const answer = answerOf(await server.browser().get(authorizationPath(client, query)));
      t.is(answer.get('error'), 'invalid_request', JSON.stringify(query));
      t.is(answer.get('code'), null);
    }
  }
});

test('A6 V5 V7 no response type but code exists', async (t) => {
  for (const type of ['token', 'id_token', 'id_token token', 'code token', 'code id_token', 'none', '', 'CODE']) {
    const page = await ask({ response_type: type });
    t.not(page.status, 200, type);
    const answer = new URL(page.location ?? 'none:').hash.replace('#', '?') || new URL(page.location ?? 'none:').search;
    t.regex(answer, /error=(unsupported_response_type|invalid_request|unauthorized_client)/, type);
    t.notRegex(answer, /access_token|id_token=|code=/);
  }
});

test('A9 iss comes with every answer to a portal: the code, an error at once, and an error later', async (t) => {
  const browser = server.browser();
  const success = (await server.signIn(browser, portal)).searchParams;
  t.truthy(success.get('code'));
  t.is(success.get('iss'), server.issuer);

  const atOnce = answerOf(await ask({ prompt: 'none' }));
  t.is(atOnce.get('error'), 'login_required');
  t.is(atOnce.get('iss'), server.issuer);

  const late = server.browser();
  await late.get(authorizationPath(portal));
  await late.follow();
  await late.submit({}, '/cancel');
  await late.follow((url) => url.origin !== server.issuer);
  t.is(answerOf(late.page).get('error'), 'access_denied');
  t.is(answerOf(late.page).get('iss'), server.issuer);
});

test('A10 state and nonce come back byte for byte, and neither needs to be there', async (t) => {
  const browser = server.browser();
  for (const text of ['a b+c%20d&e=f#g', '汉字🀄', `"'><script>`, '%00%0d%0a', 'n'.repeat(384), ' ']) {
    const callback = await server.signIn(browser, portal, { query: { state: text, nonce: text } });
    t.is(callback.searchParams.get('state'), text);
    const { body } = await server.token(portal, redemption(callback));
    t.is(payloadOf(body.id_token).nonce, text);
  }
  const bare = await server.signIn(browser, portal, { query: { state: '', nonce: '' } });
  t.false(bare.searchParams.has('state'));
  t.truthy(bare.searchParams.get('code'));
});

test('A11 an error in a redirect carries no code, and its description stays within the letters of RFC 6749', async (t) => {
  const faulty: readonly Record<string, string>[] = [
    { prompt: 'none' },
    { prompt: 'none login' },
    { max_age: '汉字"\\' },
    { claims: '{"id_token":"汉\\u0000' },
    { scope: 'profile "\\汉' },
    { response_mode: '汉字"\\' },
    { code_challenge_method: '"\\汉' },
  ];
  for (const query of faulty) {
    const page = await ask(query);
    const answer = answerOf(page);
    if (page.location === undefined) t.is(page.status, 400, JSON.stringify(query));
    else t.truthy(answer.get('error'), JSON.stringify(query));
    t.is(answer.get('code'), null);
    t.regex(answer.get('error_description') ?? '', /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  }
});

test('A27 a parameter sent twice is refused, one nobody knows is passed over', async (t) => {
  const twice = await server.browser().get(`${authorizationPath(portal)}&scope=openid`);
  t.is(answerOf(twice).get('error') ?? twice.status, 'invalid_request');
  const address = await server.browser().get(`${authorizationPath(portal)}&redirect_uri=${REDIRECT_URI}`);
  t.is(address.status, 400);
  t.is(address.location, undefined);
  t.regex((await ask({ not_known: '1' })).url, /\/interaction\//);
});

test('A27 a portal may send its request as a POST; the answer is a 303 to the same request', async (t) => {
  const browser = server.browser();
  const path = authorizationPath(portal);
  const fields = new URL(path, server.issuer).searchParams;
  const page = await browser.post('/auth', fields, {
    origin: 'https://portal.example',
    'sec-fetch-site': 'cross-site',
  });
  t.is(page.status, 303);
  t.is(page.location, server.issuer + path);
  await browser.follow();
  t.regex(browser.page.text, /name="password"/);

  const twice = new URLSearchParams([...fields, ['scope', 'openid']]);
  await browser.post('/auth', twice);
  t.is(answerOf(await browser.follow((url) => url.origin !== server.issuer)).get('error'), 'invalid_request');
});

test('A26 no address of the server leads away to where a stranger says', async (t) => {
  const browser = server.browser();
  await server.signIn(browser, portal);
  for (const path of [
    '/?return_to=https://evil.cn',
    '/account?return_to=https://evil.cn&next=//evil.cn',
    '/account/entered?redirect_uri=https://evil.cn',
    '/session/end?post_logout_redirect_uri=https://evil.cn',
    `/session/end?client_id=${portal.id}&post_logout_redirect_uri=https://evil.cn`,
    '/interaction/x?return_to=https://evil.cn',
    '/auth/x?redirect_uri=https://evil.cn',
    '/https://evil.cn',
    '/%5cevil.cn',
    '//evil.cn/%2e%2e',
  ]) {
    const page = await browser.get(server.issuer + path);
    t.true(page.location === undefined || page.location.startsWith(`${server.issuer}/`), `${path} ${page.location}`);
    t.deepEqual(foreignLinks(page.text, server.issuer), [], path);
  }
});
