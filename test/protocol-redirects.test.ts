import test, { type ExecutionContext } from 'ava';
import { type CorpusRow, readCorpus, rowsOf } from './support/corpus.ts';
import { foreignLinks } from './support/foreign-links.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { arrive, postAs, ROOMY } from './support/portal-calls.ts';
import {
  authorizationPath,
  CHALLENGE,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';

/** What is registered, `{}` being the page's name: each address has neighbours in the corpus that differ from it by one trick. */
const WEB = [
  'https://portal.example/{}',
  'https://portal.example/{}?from=tongban&lang=zh',
  'https://portal.example:8443/{}',
  'https://portal.example/a/b;c=d/{}',
  'https://portal.example/%E5%8A%9E/{}',
  'https://xn--fiqs8s.example/{}',
  'https://10.20.30.40/{}',
  'https://[2400:da00::66]/{}',
  'https://root.example',
  'https://slash.example/',
  'http://localhost:9001/{}',
];
const NATIVE = [
  'http://127.0.0.1/{}',
  'http://[::1]/{}',
  'cn.gov.example.app:/{}',
  'cn.gov.example.app://done/{}',
  'https://app.example/{}',
];
const named = (uris: readonly string[], page: string): readonly string[] => uris.map((uri) => uri.replace('{}', page));

/** Any port, as RFC 8252 7.3 wants it, also in spellings that browsers put right. */
const LOOPBACK_PORTS = [':49152', ':1', ':65535', ':80', ':', ':0080', ''];

const SIDE_BY_SIDE = 25;

const CORPUS = readCorpus('redirects');

interface Party {
  readonly portal: TestPortal;
  readonly redirectUris: readonly string[];
}

/** Signed in, with consent given: one answer to the wrong address would hand out a code. */
interface Visit extends Party {
  readonly browser: HttpBrowser;
  readonly idToken: string;
}

let server: TestServer;
let web: Party;
let native: Party;

async function register(addresses: readonly string[], record: Record<string, unknown>): Promise<Party> {
  const redirectUris = named(addresses, 'callback');
  const portal = await server.addPortal({
    redirect_uris: redirectUris,
    post_logout_redirect_uris: named(addresses, 'bye'),
    sector: 'portal.example',
    grant_types: ['authorization_code'],
    scope: 'openid profile',
    ...record,
  });
  return { portal, redirectUris };
}

async function enter({ portal, redirectUris }: Party): Promise<Visit> {
  const browser = server.browser();
  const redirect_uri = redirectUris[0]!;
  const callback = await server.signIn(browser, portal, { query: { redirect_uri } });
  const { body } = await server.token(portal, { ...redemption(callback), redirect_uri });
  return { portal, redirectUris, browser, idToken: String(body.id_token) };
}

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  web = await register(WEB, {});
  native = await register(NATIVE, { application_type: 'native', token_endpoint_auth_method: 'none' });
});
test.after.always(() => server.stop());

const FORM_POST = 'response_mode=form_post';
const admitsNoForm = (policy: unknown): boolean => String(policy).includes("form-action 'self';");

const STRANGE = /portal\.example|evil|javascript|cn\.gov/i;

/** Cookies without their values, which are random letters: in a thousand answers some of them spell a word. */
const cookieShapes = (headers: Page['headers']): readonly string[] =>
  [headers['set-cookie'] ?? []].flat().map((cookie) => cookie.replace(/=[\w-]*/, ''));

/** The answer stays here: a page of ours that leads nowhere else, by no header and no element. */
function staysHere(t: ExecutionContext, page: Page, { trick, text }: CorpusRow, how: string): void {
  const message = `${how}, ${trick}: ${JSON.stringify(text)}`;
  const { 'content-security-policy': policy, ...headers } = page.headers;
  t.is(page.status, 400, message);
  t.is(page.headers.location, undefined, message);
  t.is(page.headers.refresh, undefined, message);
  t.true(page.text.includes('<h1>'), message);
  t.deepEqual(foreignLinks(page.text, server.issuer), [], message);
  t.notRegex(JSON.stringify({ ...headers, 'set-cookie': cookieShapes(headers) }), STRANGE, message);
  t.true(admitsNoForm(policy), `${message} ${policy}`);
}

const sameTarget = (location: string | undefined, registered: string): boolean => {
  const [to, from] = [new URL(location ?? 'none:'), new URL(registered)];
  to.port = '';
  from.port = '';
  return to.protocol === from.protocol && to.host === from.host && (to.pathname || '/') === (from.pathname || '/');
};

for (const [kind, countMin, party] of [
  ['web', 200, () => web],
  ['native', 60, () => native],
] as const) {
  const rows = rowsOf(CORPUS, `authorization ${kind}`, countMin);

  test(`A1 every address a ${kind} client has registered gets its answer, with a code or with an error`, async (t) => {
    const { portal, redirectUris, browser } = await enter(party());
    for (const redirect_uri of redirectUris) {
      await browser.get(authorizationPath(portal, { redirect_uri }));
      await arrive(server, browser);
      if (browser.page.text.includes('/consent"')) {
        await browser.submit({ decision: 'allow' }, '/consent');
        await arrive(server, browser);
      }
      t.true(sameTarget(browser.page.location, redirect_uri), `${redirect_uri} ${browser.page.location}`);
      t.truthy(new URL(browser.page.location ?? '').searchParams.get('code'), redirect_uri);
      const refused = await browser.get(authorizationPath(portal, { redirect_uri, response_type: 'none' }));
      t.true(sameTarget(refused.location, redirect_uri), redirect_uri);
    }
  });

  test(`A1 V17 V20 V45 V47 P19 no address that is not registered letter by letter is answered to (${kind})`, async (t) => {
    const { portal, browser } = await enter(party());
    for (const row of rows) {
      const redirect_uri = row.text;
      const asked = await browser.get(authorizationPath(portal, { redirect_uri }));
      staysHere(t, asked, row, 'a request that would get a code');
      for (const how of ['response_type=token', 'prompt=none', FORM_POST]) {
        const query = { redirect_uri, ...Object.fromEntries(new URLSearchParams(how)) };
        staysHere(t, await browser.get(authorizationPath(portal, query)), row, how);
      }
    }
  });

  test(`A1 A15 V17 P19 nor can it be pushed (${kind})`, async (t) => {
    const { portal, redirectUris } = party();
    const push = (redirect_uri: string) =>
      postAs(server, portal, '/request', {
        client_id: portal.id,
        redirect_uri,
        response_type: 'code',
        scope: 'openid',
        code_challenge: CHALLENGE,
        code_challenge_method: 'S256',
      });
    t.is((await push(redirectUris[0]!)).status, 201);
    const refused = async (row: CorpusRow): Promise<void> => {
      const answer = await push(row.text);
      t.is(answer.status, 400, `${row.trick}: ${JSON.stringify(row.text)}`);
      t.false('request_uri' in ((await answer.json()) as object));
    };
    // Side by side: a flood of refusals from one address is answered as slowly as its counts are written.
    for (let from = 0; from < rows.length; from += SIDE_BY_SIDE)
      await Promise.all(rows.slice(from, from + SIDE_BY_SIDE).map(refused));
  });

  test(`C8 V17 V35 P19 no sign-out leads to an address that is not registered letter by letter (${kind})`, async (t) => {
    const { portal, browser, idToken } = await enter(party());
    // What may be answered to when signing in is a stranger to the sign-out, and the other way round.
    const strangers = [...rowsOf(CORPUS, `sign-out ${kind}`, kind === 'web' ? 60 : 14), ...rows];
    for (const row of strangers) {
      for (const [hint, value] of [
        ['id_token_hint', idToken],
        ['client_id', portal.id],
      ] as const) {
        const query = new URLSearchParams([
          [hint, value],
          ['post_logout_redirect_uri', row.text],
        ]);
        staysHere(t, await browser.get(`/session/end?${query}`), row, hint);
      }
    }
    for (const uri of named(kind === 'web' ? WEB : NATIVE, 'bye')) {
      const query = new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: uri });
      t.is((await browser.get(`/session/end?${query}`)).status, 200, `${uri} is registered`);
    }
  });
}

test('E5 V17 the page that refuses an address as form_post target lets no form go there either', async (t) => {
  const query = { redirect_uri: 'https://evil.cn/callback', response_mode: 'form_post' };
  const page = await server.browser().get(authorizationPath(web.portal, query));
  t.is(page.status, 400);
  t.true(admitsNoForm(page.headers['content-security-policy']));
});

test('A1 A27 a second redirect_uri, or one that only looks like the parameter, changes nothing', async (t) => {
  const { browser } = await enter(web);
  const path = authorizationPath(web.portal, { redirect_uri: web.redirectUris[0]! });
  const bare = authorizationPath(web.portal, { redirect_uri: '' });
  const evil = encodeURIComponent('https://evil.cn/');
  for (const address of [
    `${path}&redirect_uri=${evil}`,
    `${bare}&redirect_uri=${evil}&redirect_uri=${encodeURIComponent(web.redirectUris[0]!)}`,
    `${bare}&redirect_uri=`,
    `${bare}&redirect_uri[]=${evil}`,
    `${bare}&redirect_uri%00=${evil}`,
    `${bare}&Redirect_Uri=${evil}`,
    `${bare};redirect_uri=${evil}`,
    `${bare}#redirect_uri=${evil}`,
  ])
    staysHere(t, await browser.get(address), { trick: 'parameter', text: address }, 'query');
  for (const address of [
    `${path}&redirect_uri[]=${evil}`,
    `${path};redirect_uri=${evil}`,
    `${path}&redirecturi=${evil}`,
  ])
    t.false(String((await browser.get(address)).location).startsWith('https://evil.cn'), address);
});

test('A1 RFC 8252 the port of a registered loopback address is free, and only there', async (t) => {
  const { browser } = await enter(native);
  for (const host of ['127.0.0.1', '[::1]'])
    for (const port of LOOPBACK_PORTS) {
      const redirect_uri = `http://${host}${port}/callback`;
      const page = await browser.get(authorizationPath(native.portal, { redirect_uri, response_type: 'none' }));
      t.is(page.status, 303, redirect_uri);
      t.true(sameTarget(page.location, `http://${host}/callback`), `${redirect_uri} ${page.location}`);
      t.is(new URL(page.location ?? '').port, new URL(redirect_uri).port);
    }
});
