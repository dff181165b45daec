import type { RequestListener } from 'node:http';
import type { Context, Middleware } from 'koa';
import { type Client, errors, type Grant, type KoaContextWithOIDC } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { CookieKeys } from '../crypto/cookie-keys.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { PortalSecrets } from '../defence/portal-secrets.ts';
import { DeliveryFailure } from '../delivery/delivery-failure.ts';
import type { Failures } from '../ledger/flood.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Acting } from '../legal-persons/acting.ts';
import type { Persons } from '../people/persons.ts';
import type { Recoveries } from '../people/recoveries.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { Fault } from '../shared/fault.ts';
import type { Interactions } from '../sign-in/interactions.ts';
import type { Ladder } from '../sign-in/ladder.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import type { Database } from '../storage/database.ts';
import { handOnDirectly } from '../web/direct-context.ts';
import type { Documents } from '../web/front.ts';
import { createFindAccount } from './accounts.ts';
import type { Vocabularies } from './acr-levels.ts';
import { aroundLibrary, type OwnPages, type Publish } from './around-library.ts';
import { createAssurance } from './assurance.ts';
import { type AuthorizationEndpointSources, createAuthorizationEndpoint } from './authorization-endpoint.ts';
import { createCarriedCodes } from './carried-codes.ts';
import { createCodeRedemption } from './code-redemption.ts';
import { commitBeforeAnswer } from './commit.ts';
import type { IntrospectedToken } from './features.ts';
import { grantLoader } from './grants.ts';
import { createIdTokens } from './id-tokens.ts';
import { createInteractions } from './interactions.ts';
import { createIntrospection } from './introspection.ts';
import { createKeptTokens } from './kept-tokens.ts';
import { enqueueLogout, type LogoutNotice } from './logout-notices.ts';
import { createLookUpsAhead } from './look-ups-ahead.ts';
import type { ProtocolPages } from './pages.ts';
import { promptPolicy } from './policy.ts';
import { buildProvider, type ProviderSources } from './provider.ts';
import { algorithmsOf, publishedKeys, publishedMetadata } from './published.ts';
import { createPushedRequests } from './pushed-requests.ts';
import { createRefreshRotation } from './refresh-rotation.ts';
import { admitRequest, createRequestObjects } from './request-objects.ts';
import { apiLookup, withApis } from './resources.ts';
import { createResumption } from './resumption.ts';
import { createSealedHints } from './sealed-hints.ts';
import { createServiceTokens } from './service-tokens.ts';
import { shadow } from './shadows.ts';
import type { ShortWay, ShortWays } from './short-way.ts';
import type { SignedOut } from './signed-out.ts';
import type { EngineKeys } from './signing-keys.ts';
import { toLibraryMetadata } from './sm2-client.ts';
import { createNotary } from './sm2-notary.ts';
import { sealTokens } from './sm2-tokens.ts';
import { createStandings } from './standing.ts';
import { createSubjects } from './subjects.ts';
import { createTokenEndpoint } from './token-endpoint.ts';
import { createSuccession } from './token-ids.ts';
import { currentUnit } from './unit-of-work.ts';
import { createUserinfo } from './userinfo.ts';

export interface EngineSources {
  readonly config: Config;
  readonly database: Database;
  readonly store: ArtifactStore;
  readonly ledger: Ledger;
  readonly failures: Failures;
  readonly relyingParties: RelyingParties;
  readonly persons: Persons;
  readonly recoveries: Recoveries;
  readonly acting: Acting;
  readonly ladder: Ladder;
  readonly scales: Vocabularies;
  readonly pages: ProtocolPages;
  readonly documents: Documents;
  readonly cookieKeys: CookieKeys;
  readonly dPoPNonceSecret: Buffer;
  /** Seals the `login_hint` of waiting requests. */
  readonly hintSealer: Sealer;
  /** Seals what codes carry; tells nobody of what does not open. */
  readonly codeSealer: Sealer;
  /** Makes the ids of a rotated refresh token's successors (token-ids.ts). */
  readonly successionSecret: Buffer;
  /** Whether a person's password is older than the house lets passwords become. */
  readonly passwordIsOutdated: (personId: string, at: { readonly asStaff: boolean }) => Promise<boolean>;
  readonly pairwiseSub: (personId: string, sector: string) => string;
  readonly outboundFetch: ProviderSources['outboundFetch'];
  readonly wakeOutbox: () => void;
  readonly signedOut: SignedOut;
  /** Wrong secrets of portals, counted. */
  readonly portalSecrets: PortalSecrets;
  readonly shell: Middleware;
  readonly reportError: (requestId: string, error: unknown) => void;
  /** Our own pages, built on the engine's Interactions. */
  readonly routes: (interactions: Interactions) => OwnPages;
  /** False lets the library answer everything itself, so that both ways can be compared. */
  readonly shortWays?: boolean;
}

/** One protocol engine with one set of keys: the Koa application and what delivers its logout tokens. */
export interface Engine {
  readonly listener: RequestListener;
  readonly interactions: Interactions;
  /** Sends one logout token, signed with this engine's keys. Rejects with DeliveryFailure. */
  deliverLogout(notice: LogoutNotice): Promise<void>;
}

/** Builds an engine. To change keys, build another and swap the listener: requests under way finish on the old one. */
export function createEngine(sources: EngineSources, keys: EngineKeys): Engine {
  const { config, database, ledger, relyingParties, pages } = sources;
  const standings = createStandings({ acting: sources.acting, pairwiseSub: sources.pairwiseSub });
  const assurance = createAssurance(sources);
  const subjects = createSubjects({ acting: sources.acting, ledger, assurance });
  const findAccount = createFindAccount({
    standings,
    assurance,
    passwordIsOutdated: sources.passwordIsOutdated,
    profileOf: (personId) => sources.persons.profile(personId),
    released: (personId, clientId, claims) => {
      const unit = currentUnit();
      const base = { personId, clientId, actor: `client:${clientId}`, correlation: unit?.requestId };
      unit?.also((tx) => ledger.append(tx, { ...base, type: 'personal-data.released', details: { claims } }));
    },
  });
  const algorithms = algorithmsOf(config.keys.smOnly);
  const publish: Publish = {
    discovery: (document) => publishedMetadata(document, algorithms),
    jwks: (document) => publishedKeys(document, keys.sealers),
  };
  const notary = createNotary();
  const policy = promptPolicy(subjects, assurance);
  const loadExistingGrant = withApis(grantLoader(database, subjects));
  const ahead = createLookUpsAhead(sources);
  const carriedCodes = createCarriedCodes(sources.codeSealer);
  const { provider, sessions } = buildProvider({
    ...sources,
    keys,
    hints: createSealedHints(sources.hintSealer),
    carriedCodes,
    refreshRetrySeconds: config.ttl.refreshRetrySeconds,
    interactionTaken: ahead.taken,
    async findClient(clientId) {
      const party = await relyingParties.find(clientId);
      if (!party) return undefined;
      // The library refuses an empty scope and takes an absent one for every scope: a service without any gets the barest.
      return { ...toLibraryMetadata(party, notary.publicJwk), scope: party.record.scope || 'openid' };
    },
    findAccount,
    policy,
    standings,
    actingClaimsOf,
    requestObjects: createRequestObjects(),
    apiFor: apiLookup(relyingParties, config.ttl.accessTokenSeconds),
    loadExistingGrant,
    renderError: pages.renderError,
    logoutPage: pages.logoutPage,
    loggedOutPage: pages.loggedOutPage,
  });
  const statementOf = (ctx: KoaContextWithOIDC) => assurance.statementOf(ctx, subjects.ceilingOf(ctx));
  const successorId = createSuccession(sources.successionSecret);
  // SQLite keeps and finds a code for less than sealing and opening it costs; elsewhere that is three commands to Redis, or two messages.
  const writeCarried = database.engine === 'postgres' ? carriedCodes.write : undefined;
  const kept = createKeptTokens(provider, successorId, writeCarried);
  const sendLogout = shadow({
    provider,
    successorId,
    sessions,
    findParty: (clientId) => relyingParties.find(clientId),
    called(oidc, client) {
      admitRequest(oidc, client);
      notary.vouch(oidc, client);
    },
    statementOf,
    queueLogout: (notice) => currentUnit()?.also((tx) => enqueueLogout(tx, notice)),
  });
  sealTokens(provider, keys.sealers);
  const interactions = createInteractions({ provider, database: sources.database, ledger, config, assurance, ahead });

  handOnDirectly(provider);
  provider.use(sources.shell);
  provider.use(commitBeforeAnswer({ ...sources, subjects, refuse, wake: sources.wakeOutbox }));
  const { documents } = sources;
  const ownPages = sources.routes(interactions);
  const authorization: AuthorizationEndpointSources = {
    ...sources,
    provider,
    kept,
    findAccount,
    loadExistingGrant,
    policy,
    statementOf,
    lookAhead: ahead.opened,
  };
  const resume = sources.shortWays === false ? undefined : createResumption(authorization);
  provider.use(aroundLibrary({ provider, pages: ownPages, documents, publish, shortWays: shortWays(), resume }));

  // The library answers these itself; without this line their cause would be lost.
  provider.on('server_error', (ctx, error) => {
    if (error instanceof Fault) ctx.state.fault = error;
    else sources.reportError(String(ctx.state.requestId), error);
  });

  // The answer may hide it: in a form, or in a token.
  provider.on('authorization.error', (ctx, { error }) => {
    ctx.state.refusal = error;
  });

  async function refuse(ctx: Context, error: string, description: string): Promise<void> {
    ctx.status = 400;
    const oidc = ctx.oidc as KoaContextWithOIDC['oidc'] | undefined;
    if (oidc?.route === 'authorization' || oidc?.route === 'resume') {
      await pages.renderError(ctx as unknown as KoaContextWithOIDC, { error, error_description: description });
    } else ctx.body = { error, error_description: description };
  }

  async function actingClaimsOf(
    asker: Client,
    token: IntrospectedToken,
    grant: Grant | undefined,
  ): Promise<object | undefined> {
    if (grant === undefined) return {};
    // Ids are those of the portal the token was issued to, whoever asks.
    const isOwn = token.clientId === asker.clientId;
    const client = isOwn ? asker : await provider.Client.find(token.clientId ?? '');
    return client && standings.claimsOf(grant, client, token.scope ?? '');
  }

  function shortWays(): ShortWays {
    const ways = new Map<string, ShortWay>();
    if (sources.shortWays === false) return ways;
    ways.set(provider.pathFor('authorization'), createAuthorizationEndpoint(authorization));
    ways.set(provider.pathFor('introspection'), createIntrospection({ provider, actingClaimsOf }));
    ways.set(provider.pathFor('userinfo'), createUserinfo({ provider, findAccount }));
    ways.set(provider.pathFor('pushed_authorization_request'), createPushedRequests(provider));
    const { accessTokenSeconds, refreshTokenSeconds, clientCredentialsSeconds, idTokenSeconds } = config.ttl;
    const issueIdToken = createIdTokens({ ...sources, provider, keys, lifetimeSeconds: idTokenSeconds });
    const lookAhead = ahead.ofPerson;
    const forPersons = { provider, kept, issueIdToken, findAccount, database, accessTokenSeconds, lookAhead };
    const grants = {
      authorization_code: createCodeRedemption({ ...forPersons, refreshTokenSeconds }),
      client_credentials: createServiceTokens(kept, clientCredentialsSeconds),
      refresh_token: createRefreshRotation(forPersons),
    };
    ways.set(provider.pathFor('token'), createTokenEndpoint({ provider, ledger, grants }));
    return ways;
  }

  return {
    listener: provider.callback(),
    interactions,
    async deliverLogout({ clientId, accountId, sid }) {
      const client = await provider.Client.find(clientId);
      if (!client?.backchannelLogoutUri) {
        throw new DeliveryFailure('the portal is switched off or takes no notices any more', { permanent: true });
      }
      try {
        await sendLogout(client, accountId, sid);
      } catch (error) {
        if (error instanceof errors.OIDCProviderError) throw error;
        if (error instanceof DeliveryFailure) throw error;
        const why =
          error instanceof Fault
            ? 'the logout token could not be signed'
            : 'the portal did not accept the logout token';
        throw new DeliveryFailure(why, { cause: error });
      }
    },
  };
}
