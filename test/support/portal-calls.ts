import type { HttpBrowser, Page } from './http-client.ts';
import { callbackOf, redemption, type TestPortal, type TestServer, type TokenAnswer } from './server.ts';

/** What a portal asks of the server behind the citizen's back, with the portal's own way of proving itself. */

export const basic = ({ id, secret }: TestPortal): Record<string, string> => ({
  authorization: `Basic ${btoa(`${id}:${secret}`)}`,
});

/** Posts a form as this portal; a public client names itself in the body. */
export function postAs(
  server: TestServer,
  portal: TestPortal,
  path: string,
  fields: Record<string, string>,
): Promise<Response> {
  const open = portal.secret === '';
  return fetch(server.issuer + path, {
    method: 'POST',
    redirect: 'manual',
    headers: open ? {} : basic(portal),
    body: new URLSearchParams(open ? { client_id: portal.id, ...fields } : fields),
  });
}

export async function introspect(
  server: TestServer,
  portal: TestPortal,
  token: unknown,
): Promise<Record<string, unknown>> {
  const answer = await postAs(server, portal, '/token/introspection', { token: String(token) });
  return (await answer.json()) as Record<string, unknown>;
}

export const revoke = (server: TestServer, portal: TestPortal, token: unknown): Promise<Response> =>
  postAs(server, portal, '/token/revocation', { token: String(token) });

export const userinfo = (server: TestServer, token: unknown): Promise<Response> =>
  fetch(`${server.issuer}/me`, { headers: { authorization: `Bearer ${String(token)}` } });

export const refresh = (server: TestServer, portal: TestPortal, token: unknown): Promise<TokenAnswer> =>
  server.token(portal, { grant_type: 'refresh_token', refresh_token: String(token) });

/** The whole way to tokens, in this browser. */
export async function tokensOf(
  server: TestServer,
  portal: TestPortal,
  browser: HttpBrowser,
  query: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const callback = await server.signIn(browser, portal, { query });
  const answer = await server.token(portal, redemption(callback));
  if (answer.status !== 200) throw new Error(`${callback.search}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** For files whose tests sign in one person side by side: more attempts under way than one person ever has. */
export const ROOMY = { limits: { failuresPerAccount: 100, failuresPerAddress: 10_000 } } as const;

/** What a request without a session can ask for: tokens that outlive it. */
export const OFFLINE = { scope: 'openid profile offline_access', prompt: 'consent' } as const;

/** The payload of a JWT, unverified. */
export const payloadOf = (jwt: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt).split('.')[1] ?? '', 'base64url').toString('utf8')) as Record<string, unknown>;

/** What the answer to an authorization request says in its redirect; empty when it is a page. */
export const answerOf = (page: Page): URLSearchParams =>
  page.location === undefined ? new URLSearchParams() : callbackOf(page).searchParams;

/**
 * Follows what a browser follows by itself, until a page asks the citizen something or the answer leads to a portal: redirects,
 * and the page that signs one person out before another goes on.
 */
export async function arrive(server: TestServer, browser: HttpBrowser): Promise<Page> {
  await browser.follow((url) => url.origin !== server.issuer);
  if (!browser.page.text.includes('forms[0].submit()')) return browser.page;
  await browser.submit({}, '/session/end/confirm');
  return browser.follow((url) => url.origin !== server.issuer);
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
