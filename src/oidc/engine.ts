import type { RequestListener } from 'node:http';
import type { Middleware } from 'koa';
import { errors, type JWK, type KoaContextWithOIDC } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import { DeliveryFailure } from '../delivery/delivery-failure.ts';
import { enqueue } from '../delivery/outbox.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Persons } from '../people/persons.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { toProtocolMetadata } from '../relying-parties/relying-party.ts';
import { Fault } from '../shared/fault.ts';
import type { Interactions } from '../sign-in/interactions.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import type { Database } from '../storage/database.ts';
import { readBody } from '../web/forms.ts';
import type { Documents } from '../web/front.ts';
import { contentPolicy, formTarget } from '../web/security-headers.ts';
import { createFindAccount } from './accounts.ts';
import { commitBeforeAnswer } from './commit.ts';
import { grantLoader } from './grants.ts';
import { createInteractions } from './interactions.ts';
import type { ProtocolPages } from './pages.ts';
import { buildProvider, type ProviderSources } from './provider.ts';
import type { LogoutNotice } from './session-ends.ts';
import { shadow } from './shadows.ts';
import { createSuccession } from './token-ids.ts';
import { currentUnit } from './unit-of-work.ts';

export const LOGOUT_TOPIC = 'backchannel_logout';

export interface EngineSources {
  readonly config: Config;
  readonly database: Database;
  readonly store: ArtifactStore;
  readonly ledger: Ledger;
  readonly relyingParties: RelyingParties;
  readonly persons: Persons;
  readonly pages: ProtocolPages;
  readonly documents: Documents;
  readonly cookieKeys: ProviderSources['cookieKeys'];
  readonly dPoPNonceSecret: Buffer;
  /** Makes the ids of a rotated refresh token's successors (token-ids.ts). */
  readonly successionSecret: Buffer;
  readonly pairwiseSub: (personId: string, sector: string) => string;
  readonly outboundFetch: ProviderSources['outboundFetch'];
  readonly wakeOutbox: () => void;
  readonly shell: Middleware;
  readonly reportError: (requestId: string, error: unknown) => void;
  /** Our own pages, built on the engine's Interactions. */
  readonly routes: (interactions: Interactions) => Middleware;
}

/** One protocol engine with one set of keys: the Koa application and what delivers its logout tokens. */
export interface Engine {
  readonly listener: RequestListener;
  readonly interactions: Interactions;
  /** Sends one logout token, signed with this engine's keys. Rejects with DeliveryFailure. */
  deliverLogout(notice: LogoutNotice): Promise<void>;
}

/** Builds an engine. To change keys, build another and swap the listener: requests under way finish on the old one. */
export function createEngine(sources: EngineSources, signingKeys: readonly JWK[]): Engine {
  const { config, database, store, ledger, relyingParties, pages } = sources;
  const { provider, sessions } = buildProvider({
    ...sources,
    signingKeys,
    refreshRetrySeconds: config.ttl.refreshRetrySeconds,
    async findClient(clientId) {
      const party = await relyingParties.find(clientId);
      if (!party) return undefined;
      // The library refuses an empty scope and takes an absent one for every scope: a service without any gets the barest.
      return { ...toProtocolMetadata(party), scope: party.record.scope || 'openid' };
    },
    findAccount: createFindAccount((personId) => sources.persons.profile(personId)),
    loadExistingGrant: grantLoader(database),
    renderError: pages.renderError,
    logoutPage: pages.logoutPage,
    loggedOutPage: pages.loggedOutPage,
  });
  const sendLogout = shadow({
    provider,
    successorId: createSuccession(sources.successionSecret),
    sessions,
    findParty: (clientId) => relyingParties.find(clientId),
    queueLogout: (clientId, accountId, sid) => {
      currentUnit()?.also(async (tx) => {
        await enqueue(tx, { topic: LOGOUT_TOPIC, payload: { clientId, accountId, personId: accountId, sid } });
      });
    },
  });
  const interactions = createInteractions(provider, ledger);

  provider.use(sources.shell);
  provider.use(postAsGet);
  provider.use(commitBeforeAnswer({ store, ledger, refuse, wake: sources.wakeOutbox }));
  provider.use(rethrowFault);
  provider.use(keepDocuments(sources.documents));
  provider.use(formPostTarget);
  provider.use(clearAtSignOut);
  provider.use(sources.routes(interactions));

  // The library answers these itself; without this line their cause would be lost.
  provider.on('server_error', (ctx, error) => {
    if (error instanceof Fault) ctx.state.fault = error;
    else sources.reportError(String(ctx.state.requestId), error);
  });

  async function refuse(ctx: KoaContextWithOIDC, error: string, description: string): Promise<void> {
    ctx.status = 400;
    if (ctx.oidc.route === 'authorization' || ctx.oidc.route === 'resume') {
      await pages.renderError(ctx, { error, error_description: description });
    } else ctx.body = { error, error_description: description };
  }

  return {
    listener: provider.callback(),
    interactions,
    async deliverLogout({ clientId, accountId, sid }) {
      const client = await provider.Client.find(clientId);
      if (!client?.backchannelLogoutUri) return;
      try {
        await sendLogout(client, accountId, sid);
      } catch (error) {
        if (error instanceof errors.OIDCProviderError) throw error;
        throw error instanceof DeliveryFailure
          ? error
          : new DeliveryFailure('the portal did not accept the logout token', { cause: error });
      }
    },
  };
}

/** Where a portal may send its request as a form: authorization and sign-out. */
const POSTABLE_PATHS: ReadonlySet<string> = new Set(['/auth', '/session/end']);

/**
 * OpenID Connect Core 3.1.2.1 and RP-Initiated Logout 2 want POST as well as GET. The library's own support needs SameSite=None
 * cookies, which would send the session with every foreign form; a 303 to the same request as GET needs nothing.
 */
const postAsGet: Middleware = async (ctx, next) => {
  if (ctx.method !== 'POST' || !POSTABLE_PATHS.has(ctx.path)) return next();
  if (!ctx.is('application/x-www-form-urlencoded')) throw new Fault('malformed_request');
  const body = await readBody(ctx.req);
  if (body === 'interrupted') throw new Fault('malformed_request');
  if (body === 'too_large') throw new Fault('body_too_large');
  const query = new URLSearchParams(body.toString('utf8')).toString();
  if (query.length > QUERY_LENGTH_MAX) throw new Fault('body_too_large');
  ctx.status = 303;
  ctx.set('location', `${ctx.path}?${query}`);
  ctx.body = '';
};

const QUERY_LENGTH_MAX = 8000;

/** Discovery and key set never change while an engine lives: the first answer is kept and served by the front from then on. */
function keepDocuments(documents: Documents): Middleware {
  return async (ctx, next) => {
    await next();
    const route = ctx._matchedRouteName;
    if (route !== 'discovery' && route !== 'jwks') return;
    if (ctx.status === 200 && ctx.body) {
      documents.keep(ctx.path, String(ctx.response.get('content-type')), JSON.stringify(ctx.body));
      ctx.set('access-control-allow-origin', '*');
    }
  };
}

/** The page of response_mode=form_post submits itself to the portal, which the policy on forms must allow; its script keeps its hash. */
const formPostTarget: Middleware = async (ctx, next) => {
  await next();
  const oidc = ctx.oidc as KoaContextWithOIDC['oidc'] | undefined;
  if (oidc?.params?.response_mode !== 'form_post' || typeof ctx.body !== 'string' || !ctx.response.is('html')) return;
  const target = formTarget(String(oidc.params.redirect_uri));
  if (!target) return;
  const scripts = /script-src ([^;]+)/.exec(ctx.response.get('content-security-policy'))?.[1];
  const policy = contentPolicy([target]);
  ctx.set('content-security-policy', scripts ? policy.replace(/script-src [^;]+/, `script-src ${scripts}`) : policy);
};

/** Whoever uses this browser next finds nothing of ours in its cache (E8). Cookies stay: the display choice and the known device. */
const clearAtSignOut: Middleware = async (ctx, next) => {
  await next();
  const oidc = ctx.oidc as KoaContextWithOIDC['oidc'] | undefined;
  if (oidc?.route === 'end_session_confirm' && ctx.status === 303) ctx.set('clear-site-data', '"cache"');
};

/** A fault of ours that the library has answered as its own 500: it goes on to the shell, and what the request did is dropped. */
const rethrowFault: Middleware = async (ctx, next) => {
  await next();
  if (ctx.state.fault instanceof Fault) throw ctx.state.fault;
};
