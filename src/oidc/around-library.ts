import type { Context, Middleware, Next } from 'koa';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { Fault } from '../shared/fault.ts';
import { readBody } from '../web/forms.ts';
import type { Documents } from '../web/front.ts';
import { contentPolicy, formTarget } from '../web/security-headers.ts';
import { begunIn, goOnAtOnce, mayStandAt, showAtOnce, tellWhereTo } from './going-on.ts';
import type { Resumption } from './resumption.ts';
import type { ShortWays } from './short-way.ts';
import { currentUnit } from './unit-of-work.ts';

/** Our own pages beside the protocol's endpoints. */
export interface OwnPages {
  /** Whether a path is ours: asked at every request, so it must be cheap. */
  owns(path: string): boolean;
  readonly handle: Middleware;
}

/** What we put into the library's constant documents. */
export type Publish = Readonly<
  Record<'discovery' | 'jwks', (document: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>>
>;

export interface AroundLibrary {
  readonly provider: Provider;
  readonly pages: OwnPages;
  readonly documents: Documents;
  readonly publish: Publish;
  readonly shortWays: ShortWays;
  /** The short way on from a page of ours. */
  readonly resume?: Resumption | undefined;
}

/** Where a portal may send its request as a form: authorization and sign-out. */
const POSTABLE_PATHS: ReadonlySet<string> = new Set(['/auth', '/session/end']);
const QUERY_LENGTH_MAX = 8000;
const nowhere: Next = async () => {};

/** What the library, or a short way in its place, has made of a request; undefined for one that is none of the protocol's. */
const oidcOf = (ctx: Context) => (ctx as Partial<Pick<KoaContextWithOIDC, 'oidc'>>).oidc;

/** In answer to a form only where that form has said so, which the script of its page does. */
const mayShow = ({ query, state }: Context, { route }: KoaContextWithOIDC['oidc']): boolean =>
  route === 'authorization' ? mayStandAt(query) : route === 'resume' && state.showsNext === true;

/**
 * Everything of ours that stands directly around the library, in one layer: each layer of the Koa stack costs every request
 * a promise or two.
 */
export function aroundLibrary({ provider, pages, documents, publish, shortWays, resume }: AroundLibrary): Middleware {
  /** The page a request for authorization leads to, or what was answered on the page before, where it can be shown at once. */
  const showBegun = async (ctx: Context): Promise<boolean> => {
    const oidc = oidcOf(ctx);
    const begun = oidc !== undefined && mayShow(ctx, oidc) ? begunIn(ctx, oidc) : undefined;
    return begun !== undefined && (await showAtOnce(ctx, begun, (own) => pages.handle(own, nowhere)));
  };

  /** Ends what a short way has answered: to the page it leads to, or with that page. */
  const lead = async (ctx: Context): Promise<void> => {
    if (await showBegun(ctx)) return;
    const oidc = oidcOf(ctx);
    if (oidc !== undefined && begunIn(ctx, oidc) !== undefined) tellWhereTo(ctx);
  };

  return async (ctx, next) => {
    const shortWay = shortWays.get(ctx.path);
    if (shortWay !== undefined && (await shortWay(ctx))) return lead(ctx);
    if (ctx.method === 'POST' && POSTABLE_PATHS.has(ctx.path)) return postAsGet(ctx);
    if (pages.owns(ctx.path)) {
      await pages.handle(ctx, next);
      const answered = currentUnit()?.answered;
      if (answered === undefined) return;
      if (await resume?.(ctx, answered)) return lead(ctx);
      await goOnAtOnce(ctx, provider, answered, next);
    } else await next();
    // A fault of ours that the library has answered as its own 500 goes on to the shell; what the request did is dropped.
    if (ctx.state.fault instanceof Fault) throw ctx.state.fault;
    const oidc = ctx.oidc as KoaContextWithOIDC['oidc'] | undefined;
    switch (oidc?.route) {
      case 'discovery':
      case 'jwks':
        return keepDocument(ctx, documents, publish[oidc.route]);
      case 'authorization':
      case 'resume':
        if (await showBegun(ctx)) return;
        return admitFormPost(ctx, oidc);
      case 'end_session_confirm':
        // Whoever uses this browser next finds nothing of ours in its cache (E8). Cookies stay: display choice and known device.
        if (ctx.status === 303) ctx.set('clear-site-data', '"cache"');
    }
  };
}

/**
 * OpenID Connect Core 3.1.2.1 and RP-Initiated Logout 2 want POST as well as GET. The library's own support needs SameSite=None
 * cookies, which would send the session with every foreign form; a 303 to the same request as GET needs nothing.
 */
async function postAsGet(ctx: Context): Promise<void> {
  if (!ctx.is('application/x-www-form-urlencoded')) throw new Fault('malformed_request');
  const body = await readBody(ctx.req);
  if (body === 'interrupted') throw new Fault('malformed_request');
  if (body === 'too_large') throw new Fault('body_too_large');
  const query = new URLSearchParams(body.toString('utf8')).toString();
  if (query.length > QUERY_LENGTH_MAX) throw new Fault('body_too_large');
  ctx.status = 303;
  ctx.set('location', `${ctx.path}?${query}`);
  ctx.body = '';
}

/** Discovery and key set never change while an engine lives: the first answer is kept and served by the front from then on. */
function keepDocument(ctx: Context, documents: Documents, publish: Publish[keyof Publish]): void {
  if (ctx.status !== 200 || !ctx.body) return;
  ctx.body = publish(ctx.body as Readonly<Record<string, unknown>>);
  documents.keep(ctx.path, String(ctx.response.get('content-type')), JSON.stringify(ctx.body));
  ctx.set('access-control-allow-origin', '*');
}

/**
 * Pages of the library that submit themselves: to the portal (`form_post` and `form_post.jwt`), or to our sign-out, whose answer leads on there
 * (somebody else is signed in still). The policy on forms must allow it, for browsers check the whole chain; their script keeps its hash.
 */
function admitFormPost(ctx: Context, { client, params, entities }: KoaContextWithOIDC['oidc']): void {
  if (typeof ctx.body !== 'string' || !ctx.response.is('html')) return;
  const target = formTarget(
    String(params === undefined ? addressAfterSignOut(ctx, entities) : postedTo(client, params)),
  );
  if (!target) return;
  const scripts = /script-src ([^;]+)/.exec(ctx.response.get('content-security-policy'))?.[1];
  const policy = contentPolicy([target]);
  ctx.set('content-security-policy', scripts ? policy.replace(/script-src [^;]+/, `script-src ${scripts}`) : policy);
}

type Oidc = KoaContextWithOIDC['oidc'];

/** Where the portal's request leads in the end: the library has not taken it up again, and has checked it when it came. */
const addressAfterSignOut = ({ status }: Context, { Interaction: waiting }: Oidc['entities']): unknown =>
  status === 200 ? waiting?.params.redirect_uri : undefined;

const FORM_MODES: ReadonlySet<unknown> = new Set(['form_post', 'form_post.jwt']);

/** A refused request has named an address of its own choosing. */
const postedTo = (
  client: Oidc['client'],
  { response_mode: mode, redirect_uri: address }: NonNullable<Oidc['params']>,
) => (FORM_MODES.has(mode) && client?.redirectUriAllowed(String(address)) ? address : undefined);
