import type { Context, Next } from 'koa';
import type { Provider } from 'oidc-provider';

/**
 * Goes on with the authorization request whose interaction this very request has answered, as if the browser had come to the
 * address that the library returns to: what was proven and what follows from it is one commit and one answer, and the browser
 * makes one round trip less. `library` is the rest of the stack; what it throws goes on to the shell, and nothing is written.
 *
 * The library knows the browser by a cookie that is bound to that address, so it is not sent to ours. The cookie of the ceremony is
 * signed with the same keys and names the same interaction (`Interactions.find` has compared it with the address): it vouches for both.
 */
export async function goOnAtOnce(ctx: Context, provider: Provider, uid: string, library: Next): Promise<void> {
  const { method, url, cookies } = ctx;
  const resume = provider.cookieName('resume');
  ctx.cookies = Object.create(cookies, {
    get: {
      value: (...asked: Parameters<typeof cookies.get>) => (asked[0] === resume ? uid : cookies.get(...asked)),
    },
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
