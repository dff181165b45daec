import type { Context } from 'koa';

/** What an authorization response says (RFC 6749 4.1.2, RFC 9207 2). */
export interface CodeAnswer {
  readonly code: string;
  readonly state: string | undefined;
  readonly iss: string;
}

/** An address that every parser leaves letter for letter as it is, without port and query: that of most portals. */
const PLAIN = /^https:\/\/(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}(?:\/[\w~-]+)+$/;
/** What stands in a query as it is (application/x-www-form-urlencoded). */
const AS_IT_IS = /^[\w.*-]+$/;

/**
 * Sends a browser to the registered address of a portal, with the answer in its query. A plain address is put together as text: to take
 * it apart, as the library does and Koa's redirect twice more, costs what an entry of the ledger costs. Throws, before anything is
 * changed, for what is no address.
 */
export function sendToPortal(ctx: Context, uri: string, { code, state, iss }: CodeAnswer): void {
  if (!PLAIN.test(uri)) {
    const address = new URL(uri);
    address.searchParams.set('code', code);
    if (state !== undefined) address.searchParams.set('state', state);
    address.searchParams.set('iss', iss);
    ctx.status = 303;
    ctx.redirect(address.href);
    return;
  }
  const said = state === undefined ? '' : `&state=${encoded(state)}`;
  const address = `${uri}?code=${encoded(code)}${said}&iss=${encoded(iss)}`;
  const isPage = ctx.accepts('html') !== false;
  ctx.status = 303;
  ctx.set('location', address);
  ctx.set('content-type', `text/${isPage ? 'html' : 'plain'}; charset=utf-8`);
  ctx.body = `Redirecting to ${isPage ? address.replaceAll('&', '&amp;') : address}.`;
}

const encoded = (value: string): string =>
  AS_IT_IS.test(value) ? value : new URLSearchParams([['', value]]).toString().slice(1);
