import { Browser, formsOf } from './browser.ts';
import { Connection } from './connection.ts';
import type { Draft, Pair } from './fuzz-draft.ts';
import { encode } from './fuzz-values.ts';
import type { Running } from './peers.ts';
import {
  authorizationPath,
  authorize,
  basicCredentials,
  expectOk,
  memberOf,
  PKCE_CHALLENGE,
  PKCE_VERIFIER,
  portalRequest,
  redeem,
} from './sign-in.ts';

/** Pages and endpoints worth a request whether or not this server has them. */
const WELL_KNOWN_PATHS =
  '/ /account /account/entered /register /interaction /health/live /health/ready /metrics /favicon.ico /robots.txt /assets/x.css /assets/..%2fx /console /reg /device /device/auth /device/unknown /backchannel /session/end /session/end/success /.well-known/openid-configuration /.well-known/oauth-authorization-server /.well-known/webfinger /.well-known/change-password'.split(
    ' ',
  );
const UNKNOWN_UID = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
const LINKS_MAX = 60;

interface Material {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly code: string;
  readonly requestUri: string;
  readonly idToken: string;
}

const parameters = (fields: Readonly<Record<string, string>>): readonly Pair[] =>
  Object.entries(fields).map(([name, value]) => [encode(name), encode(value)]);

const cookiesOf = (browser: Browser, path: string): readonly Pair[] =>
  browser
    .cookiesFor(path)
    .split('; ')
    .filter((cookie) => cookie !== '')
    .map((cookie) => [cookie.slice(0, cookie.indexOf('=')), cookie.slice(cookie.indexOf('=') + 1)]);

/** `route` names the template in the summary: the path with what is random in it left out. */
function draft(method: 'GET' | 'POST', path: string, more: Partial<Draft> = {}): Draft {
  const contentType = method === 'POST' ? 'application/x-www-form-urlencoded' : undefined;
  const route = `${method} ${path.replace(/[\w-]{20,}/g, ':id')}`;
  return {
    ...{ route, method, path, query: [], form: method === 'POST' ? [] : undefined, body: undefined, contentType },
    ...{ headers: [], cookies: [], malformed: false },
    ...more,
  };
}

/**
 * Requests that the server would accept as they are, or nearly: codes and tokens that live, a person who is signed in, a
 * sign-in half done, every form and link of the pages. They age; make new ones now and then.
 */
export async function liveTemplates(server: Running): Promise<readonly Draft[]> {
  const signedIn = new Browser(server.origin);
  const ceremony = new Browser(server.origin);
  try {
    const material = await gather(server, signedIn);
    const request = authorizationPath(server, {}).split('?');
    const query: readonly Pair[] = request[1]!.split('&').map((pair) => pair.split('=') as [string, string]);
    const opened = await ceremony.get(request.join('?'));
    const page = ceremony.pathOf(opened.header('content-location') ?? '') ?? '/interaction/none';
    const uid = page.split('/')[2] ?? 'none';
    const found = [
      ...(await crawl(ceremony, [page])),
      ...(await crawl(signedIn, ['/', '/account', '/register', server.endpoints.endSession])),
    ];
    return [
      ...protocolTemplates(server, material, query, cookiesOf(signedIn, server.endpoints.authorization)),
      draft('GET', page, { cookies: cookiesOf(ceremony, page) }),
      draft('GET', `${server.endpoints.authorization}/${uid}`, {
        cookies: cookiesOf(ceremony, `${server.endpoints.authorization}/${uid}`),
      }),
      ...found,
    ];
  } finally {
    signedIn.connection.close();
    ceremony.connection.close();
  }
}

/** What a stranger without any credentials can send; all there is to send to a server we did not start. */
export function strangerTemplates({ endpoints, client }: Running): readonly Draft[] {
  const knownClient = parameters({ client_id: client.id });
  return [
    ...WELL_KNOWN_PATHS.map((path) => draft('GET', path)),
    ...Object.values(endpoints).flatMap((path) => [draft('GET', path), draft('POST', path)]),
    draft('GET', `${endpoints.authorization}/${UNKNOWN_UID}`, { query: knownClient }),
    draft('GET', `/interaction/${UNKNOWN_UID}`),
    ...['', '/identify', '/consent', '/cancel', '/continue-as'].map((step) =>
      draft('POST', `/interaction/${UNKNOWN_UID}${step}`, {
        form: parameters({ identifier: 'x', password: 'y', decision: 'allow' }),
      }),
    ),
    draft('POST', '/device', { form: parameters({ user_code: 'AAAA-AAAA', xsrf: 'x' }) }),
    draft('POST', `${endpoints.endSession}/confirm`, { form: parameters({ xsrf: 'x', logout: 'yes' }) }),
  ];
}

async function gather(server: Running, browser: Browser): Promise<Material> {
  const offline = { prompt: 'consent', scope: 'openid profile offline_access' };
  const { connection } = browser;
  const first = await authorize(server, browser, authorizationPath(server, offline), server.people[0]);
  const tokens = await redeem(server, connection, first.code);
  const { code } = await authorize(server, browser, authorizationPath(server, { prompt: 'none' }));
  const pushed = portalRequest(server, server.endpoints.pushedRequest, pushedFields(server));
  const requestUri = memberOf(expectOk(await connection.exchange(pushed), 'request_uri'), 'request_uri');
  return {
    accessToken: memberOf(tokens, 'access_token'),
    refreshToken: memberOf(tokens, 'refresh_token'),
    idToken: memberOf(tokens, 'id_token'),
    code,
    requestUri,
  };
}

const pushedFields = ({ client }: Running): Readonly<Record<string, string>> => ({
  response_type: 'code',
  client_id: client.id,
  redirect_uri: client.redirectUri,
  scope: 'openid profile',
  code_challenge: PKCE_CHALLENGE,
  code_challenge_method: 'S256',
});

function protocolTemplates(
  server: Running,
  live: Material,
  query: readonly Pair[],
  cookies: readonly Pair[],
): readonly Draft[] {
  const { endpoints, client } = server;
  const headers: readonly Pair[] = [['Authorization', basicCredentials(server)]];
  const bearer: readonly Pair[] = [['Authorization', `Bearer ${live.accessToken}`]];
  const portal = (path: string, fields: Readonly<Record<string, string>>): Draft =>
    draft('POST', path, { headers, form: parameters(fields) });
  const assertion = {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: live.idToken,
  };
  const byCode = {
    grant_type: 'authorization_code',
    code: live.code,
    redirect_uri: client.redirectUri,
    code_verifier: PKCE_VERIFIER,
  };
  const logout = parameters({ id_token_hint: live.idToken, state: 'x', ui_locales: 'zh-CN en' });
  return [
    draft('GET', endpoints.authorization, { query }),
    draft('GET', endpoints.authorization, { query: [...query, ['prompt', 'none']], cookies }),
    draft('GET', endpoints.authorization, {
      query: [
        ...query,
        ...parameters({ claims: '{"id_token":{"acr":null}}', max_age: '0', id_token_hint: live.idToken }),
      ],
      cookies,
    }),
    draft('GET', endpoints.authorization, {
      query: parameters({ client_id: client.id, request_uri: live.requestUri }),
      cookies,
    }),
    draft('POST', endpoints.authorization, { form: query, cookies }),
    portal(endpoints.token, byCode),
    portal(endpoints.token, { grant_type: 'refresh_token', refresh_token: live.refreshToken, scope: 'openid' }),
    portal(endpoints.token, { grant_type: 'client_credentials', scope: 'profile' }),
    draft('POST', endpoints.token, { form: parameters({ ...byCode, ...assertion, client_id: client.id }) }),
    draft('POST', endpoints.token, {
      form: parameters({ ...byCode, client_id: client.id, client_secret: client.secret }),
    }),
    portal(endpoints.introspection, { token: live.accessToken, token_type_hint: 'access_token' }),
    portal(endpoints.revocation, { token: live.refreshToken, token_type_hint: 'refresh_token' }),
    portal(endpoints.pushedRequest, pushedFields(server)),
    draft('GET', endpoints.userinfo, { headers: bearer }),
    draft('POST', endpoints.userinfo, { headers: bearer }),
    draft('POST', endpoints.userinfo, { form: parameters({ access_token: live.accessToken }) }),
    draft('GET', endpoints.endSession, { query: logout, cookies }),
    draft('POST', endpoints.endSession, { form: logout, cookies }),
  ];
}

/** Every form and link of the given pages, as requests with the cookies the browser would send along. */
async function crawl(browser: Browser, paths: readonly string[]): Promise<readonly Draft[]> {
  const drafts: Draft[] = [];
  const links = new Set<string>();
  for (const path of paths) {
    const answer = await browser.get(path);
    if (answer.status !== 200) continue;
    for (const form of formsOf(answer.text)) {
      const action = browser.pathOf(form.action)?.split('?', 1)[0] ?? path;
      const typed = Object.fromEntries([...form.fields].map((field) => [field, form.hidden[field] ?? 'x']));
      drafts.push(draft('POST', action, { form: parameters(typed), cookies: cookiesOf(browser, action) }));
    }
    for (const [, link] of answer.text.matchAll(/\s(?:href|src)="(\/[^"#]*)"/g))
      links.add(link!.replaceAll('&amp;', '&'));
  }
  for (const link of [...links].slice(0, LINKS_MAX)) {
    const [path, search] = link.split('?');
    const query = (search ?? '')
      .split('&')
      .filter(Boolean)
      .map((pair) => pair.split('=') as [string, string]);
    drafts.push(draft('GET', path!, { query, cookies: cookiesOf(browser, path!) }));
  }
  return drafts;
}

/** Whether the server still answers at all. */
export async function answers(origin: URL): Promise<boolean> {
  const connection = new Connection(origin);
  const request = `GET /.well-known/openid-configuration HTTP/1.1\r\nHost: ${origin.host}\r\n\r\n`;
  const status = await connection.exchange(request).then(
    (answer) => answer.status,
    () => 0,
  );
  connection.close();
  return status === 200;
}
