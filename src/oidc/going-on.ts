import type { Context, Next } from 'koa';
import type { Interaction, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { nowSeconds } from '../shared/clock.ts';
import { pageOf } from './prompting.ts';
import { currentUnit } from './unit-of-work.ts';

/**
 * Goes on with the authorization request whose interaction this very request has answered, as if the browser had come to the
 * address that the library returns to: what was proven and what follows from it is one commit and one answer, and the browser
 * makes one round trip less. `library` is the rest of the stack; what it throws goes on to the shell, and nothing is written.
 *
 * The library knows the browser by a cookie that is bound to that address, so it is not sent to ours. The cookie of the ceremony is
 * signed with the same keys and names the same interaction (`Interactions.find` has compared it with the address): it vouches for both.
 */
export async function goOnAtOnce(
  ctx: Context,
  provider: Provider,
  answered: Interaction,
  library: Next,
): Promise<void> {
  const { method, url, cookies } = ctx;
  const { uid } = answered;
  await answered.save(answered.exp - nowSeconds());
  const resume = provider.cookieName('resume');
  // Beside the cookies of the request, not inheriting from them (request-context.ts tells why).
  ctx.cookies = Object.assign(Object.create(Object.getPrototypeOf(cookies)), cookies, {
    get: (...asked: Parameters<typeof cookies.get>) => (asked[0] === resume ? uid : cookies.get(...asked)),
  });
  ctx.remove('location');
  ctx.method = 'GET';
  // Without the query of ours, which the library would take for the portal's.
  ctx.url = provider.pathFor('resume', { uid });
  try {
    await library();
  } finally {
    Object.assign(ctx, { method, url, cookies });
  }
}

/** What works once, or tells of a person: no page stands at an address with one of them, where it could be read, and asked for again. */
const NEVER_SHOWN_AT: readonly string[] = ['request', 'request_uri', 'login_hint', 'id_token_hint'];

/** Whether a page may stand at the address of an authorization request itself. */
export const mayStandAt = (query: Readonly<Record<string, unknown>>): boolean =>
  NEVER_SHOWN_AT.every((name) => query[name] === undefined);

/** The interaction whose page the library sends the browser to, if this very request has begun it. */
export function begunIn({ status, response }: Context, { entities }: KoaContextWithOIDC['oidc']): string | undefined {
  const uid = entities.Interaction?.uid;
  return status === 303 && uid !== undefined && response.get('location') === pageOf(uid) ? uid : undefined;
}

/**
 * Answers with the page of the interaction that this request has begun, in place of a redirect to it: the browser makes one round trip less. In answer to a
 * form only where a script will give the page its own address: one that was loaded by sending a password sends it again when it is loaded again.
 * `pages` shows it as if the browser had come to its address, and the page tells that address (`Content-Location`, RFC 9110 section 8.7). Whatever
 * else comes of it, a fault for one, waits for the browser at the address it is sent to: what has been begun is kept. False then.
 */
export async function showAtOnce(
  ctx: Context,
  uid: string,
  pages: (ctx: Context) => Promise<unknown>,
): Promise<boolean> {
  const unit = currentUnit();
  if (unit === undefined) return false;
  const { method, url, status, body } = ctx;
  const { page } = ctx.state;
  const headers = ctx.res.getHeaders();
  ctx.method = 'GET';
  ctx.url = pageOf(uid);
  ctx.remove('location');
  unit.begun = uid;
  const isShown = await pages(ctx).then(
    () => ctx.status === 200,
    () => false,
  );
  ctx.method = method;
  ctx.url = url;
  ctx.state.page = page;
  if (isShown) {
    ctx.set('content-location', pageOf(uid));
    return true;
  }
  for (const name of ctx.res.getHeaderNames()) ctx.res.removeHeader(name);
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) ctx.res.setHeader(name, value);
  ctx.status = status;
  // What a short way has sent there says nothing yet (`tellWhereTo`), and to Koa no body at all would be a status of its own.
  if (body !== undefined) ctx.body = body;
  return false;
}

/** What a redirect says to whoever does not follow it. It takes a look at what the browser accepts, so it is said where no page is shown instead. */
export function tellWhereTo(ctx: Context): void {
  ctx.redirect(ctx.response.get('location'));
}
