import { type Client, type Configuration, errors, type interactionPolicy, Provider, type Session } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { CookieKeys } from '../crypto/cookie-keys.ts';
import { CLAIMS_BY_SCOPE } from '../people/claims.ts';
import { EXTRA_METADATA, sectorIsFetched } from '../relying-parties/relying-party.ts';
import { ACR_VALUES, PLAIN_MODES } from '../relying-parties/schema.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { FindAccount } from './accounts.ts';
import { ACTING_CLAIMS } from './acting-claims.ts';
import { checkActingAs } from './acting-hint.ts';
import { type AdapterSources, ArtifactAdapter, CLOCK_TOLERANCE_SECONDS, SessionAdapter } from './adapter.ts';
import { type FeatureHooks, features } from './features.ts';
import { pageOf } from './prompting.ts';
import { isRequestObject } from './request-objects.ts';
import { type EngineKeys, keysAtHand } from './signing-keys.ts';
import { SM2_METADATA } from './sm2-client.ts';
import { STAND_IN_ALG, StandInKey } from './sm2-stand-in.ts';
import { claimsOfApiToken, type Standings } from './standing.ts';

/** Signing algorithms of the tokens we issue, as the library knows them, and those accepted from relying parties. */
const signingAlgorithms = (smOnly: boolean) =>
  smOnly ? ([STAND_IN_ALG] as const) : (['ES256', 'RS256', STAND_IN_ALG] as const);
const INBOUND_ALGORITHMS = ['ES256', 'PS256', 'RS256'] as const;
const ASSERTION_LIFETIME_SECONDS_MAX = 300;

/** What an ID token tells beside its envelope: who, how they signed in, and for whom they act. */
export const ID_TOKEN_CLAIMS = ['sub', 'acr', 'amr', 'auth_time', ...ACTING_CLAIMS] as const;

/** Which claims each scope opens. Without the first line the ID token would say nothing about how the citizen signed in. */
const SCOPE_CLAIMS = { openid: ID_TOKEN_CLAIMS, ...CLAIMS_BY_SCOPE } as const;

export const SUPPORTED_SCOPES: ReadonlySet<string> = new Set([
  'openid',
  'offline_access',
  ...Object.keys(SCOPE_CLAIMS),
]);

export interface ProviderSources extends AdapterSources, FeatureHooks {
  readonly config: Config;
  readonly keys: EngineKeys;
  readonly cookieKeys: CookieKeys;
  readonly findAccount: FindAccount;
  readonly pairwiseSub: (personId: string, sector: string) => string;
  readonly policy: readonly interactionPolicy.Prompt[];
  readonly standings: Standings;
  readonly loadExistingGrant: NonNullable<Configuration['loadExistingGrant']>;
  readonly renderError: NonNullable<Configuration['renderError']>;
  readonly outboundFetch: NonNullable<Configuration['fetch']>;
}

/** Typed as a class of a package we do not have; the library asks for `sign`, `verify` and `index`. */
type Keygrip = NonNullable<NonNullable<Configuration['cookies']>['keys']>;

export interface BuiltProvider {
  readonly provider: Provider;
  readonly sessions: SessionAdapter;
}

/** Builds the protocol engine. Every option we rely on is set, also where the library's default is right. */
export function buildProvider(sources: ProviderSources): BuiltProvider {
  const { config } = sources;
  const sessions = new SessionAdapter(sources.database);
  const secure = config.issuer.startsWith('https:');
  const issued = signingAlgorithms(config.keys.smOnly);
  const usualAlg = config.keys.smOnly ? STAND_IN_ALG : 'ES256';
  const configuration: Configuration = {
    adapter: (model: string) => (model === 'Session' ? sessions : new ArtifactAdapter(model, sources)),
    acrValues: [...ACR_VALUES],
    acceptQueryParamAccessTokens: false,
    allowOmittingSingleRegisteredRedirectUri: false,
    assertJwtClientAuthClaimsAndHeader: assertClientAssertion(config.issuer),
    claims: { ...SCOPE_CLAIMS } as unknown as NonNullable<Configuration['claims']>,
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    clientBasedCORS: (_ctx, origin, client) => origin !== 'null' && originsOf(client.redirectUris).has(origin),
    clientDefaults: {
      grant_types: ['authorization_code'],
      response_types: ['code'],
      response_modes: [...PLAIN_MODES],
      subject_type: 'pairwise',
      id_token_signed_response_alg: usualAlg,
      introspection_signed_response_alg: usualAlg,
      // Of a client that is not registered for signed answers it is never asked.
      authorization_signed_response_alg: usualAlg,
      token_endpoint_auth_method: 'client_secret_basic',
    },
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    conformIdTokenClaims: true,
    cookies: {
      keys: sources.cookieKeys as unknown as Keygrip,
      // __Host- demands https and path=/; the two cookies of a ceremony are bound to its path instead.
      names: {
        session: secure ? '__Host-tongban' : 'tongban',
        interaction: 'tongban_ceremony',
        resume: 'tongban_resume',
      },
      long: sessionCookie(secure),
      short: { httpOnly: true, sameSite: 'lax', secure, signed: true },
    },
    enableHttpPostMethods: false,
    enabledJWA: {
      idTokenSigningAlgValues: [...issued],
      userinfoSigningAlgValues: [...issued],
      introspectionSigningAlgValues: [...issued],
      authorizationSigningAlgValues: [...issued],
      requestObjectSigningAlgValues: [...INBOUND_ALGORITHMS],
      clientAuthSigningAlgValues: [...INBOUND_ALGORITHMS],
      dPoPSigningAlgValues: ['ES256', 'PS256'],
    },
    expiresWithSession: async (_ctx, token) => endsWithSession(token),
    extraClientMetadata: { properties: [...EXTRA_METADATA, SM2_METADATA] },
    extraParams: {
      async acting_as(ctx, value, client) {
        checkActingAs(ctx, value, client);
        // The library's last question about a request: all of it is verified by now.
        await sources.requestObjects.spend(ctx, client);
      },
    },
    extraTokenClaims: (ctx, token) => claimsOfApiToken(sources.standings, ctx, token),
    features: features(config, sources),
    fetch: sources.outboundFetch,
    fetchResponseBodyLimits: {
      jwks_uri: config.outbound.bodyBytesMax,
      sector_identifier_uri: config.outbound.bodyBytesMax,
    },
    findAccount: (ctx, sub, token) =>
      sources.findAccount(
        sub,
        ctx?.oidc?.client,
        () => ctx?.oidc?.entities.Grant,
        isToldLevel(token) ? token : undefined,
      ),
    formats: { bitsOfOpaqueRandomness: 256 },
    interactions: {
      policy: [...sources.policy],
      url: async (_ctx, interaction) => pageOf(interaction.uid),
    },
    issueRefreshToken: async (_ctx, client, code) => issuesRefreshToken(client, code),
    jwks: { keys: [...keysAtHand(sources.keys.classical), new StandInKey()] },
    loadExistingGrant: sources.loadExistingGrant,
    pairwiseIdentifier: async (_ctx, accountId, client) =>
      sources.pairwiseSub(accountId, String(client.sector ?? client.clientId)),
    pkce: { required: () => true },
    renderError: sources.renderError,
    responseTypes: ['code'],
    revokeGrantPolicy: async (ctx) => !(ctx.oidc.route === 'revocation' && ctx.oidc.entities.AccessToken !== undefined),
    rotateRefreshToken: async () => true,
    scopes: [...SUPPORTED_SCOPES],
    sectorIdentifierUriValidate: (client) => sectorIsFetched(client.sectorIdentifierUri ?? ''),
    subjectTypes: ['pairwise', 'public'],
    ttl: lifetimes(config),
  };
  const provider = new Provider(config.issuer, configuration);
  provider.silent = true;
  // The front has settled what X-Forwarded-* say before any request gets here (web/front.ts).
  provider.proxy = true;
  provider.maxIpsCount = config.http.trustedProxies;
  return { provider, sessions };
}

/** A portal that may refresh gets a refresh token where the person agreed to access in their absence. */
export const issuesRefreshToken = (client: Client, { scopes }: { readonly scopes: ReadonlySet<string> }): boolean =>
  client.grantTypeAllowed('refresh_token') && scopes.has('offline_access');

/** What is given to a portal ends with the session it came of, unless the person agreed to access in their absence. */
export const endsWithSession = ({ scopes }: { readonly scopes: ReadonlySet<string> }): boolean =>
  !scopes.has('offline_access');

/** How the cookie of a session is set, also where we set it ourselves (session-renewal.ts). */
export const sessionCookie = (secure: boolean) =>
  ({ httpOnly: true, sameSite: 'lax', secure, signed: true, path: '/' }) as const;

/** The limits of a session: those of everybody, and those of staff as well once it has opened a portal of theirs. */
export function limitsOf(
  { proven }: Partial<Pick<Session, 'proven'>>,
  { session, staff }: Pick<Config, 'session' | 'staff'>,
): Config['session'] {
  if (proven?.staff !== true) return session;
  return {
    ...session,
    idleSeconds: Math.min(session.idleSeconds, staff.idleSeconds),
    absoluteSeconds: Math.min(session.absoluteSeconds, staff.absoluteSeconds),
  };
}

/** How long a session lives from now on when it is used now: up to its absolute end, counted from the proof. */
export function sessionSeconds(limits: Config['session'], provenAt: number | undefined): number {
  const absoluteEnd = (provenAt ?? nowSeconds()) + limits.absoluteSeconds;
  return Math.max(1, Math.min(limits.idleSeconds, absoluteEnd - nowSeconds()));
}

/** `ttl` by class name. The session slides while it is used, up to its absolute end. */
function lifetimes({ ttl, session, staff }: Config): NonNullable<Configuration['ttl']> {
  return {
    AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? ttl.accessTokenSeconds,
    AuthorizationCode: ttl.authorizationCodeSeconds,
    ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? ttl.clientCredentialsSeconds,
    Grant: ttl.grantSeconds,
    IdToken: ttl.idTokenSeconds,
    Interaction: ttl.interactionSeconds,
    RefreshToken: (ctx) => {
      // A rotated family keeps the end its first token had: rotation never prolongs it (A7).
      const rotated = ctx?.oidc?.entities.RotatedRefreshToken;
      return rotated ? Math.max(1, rotated.remainingTTL) : ttl.refreshTokenSeconds;
    },
    Session: (_ctx, held) => sessionSeconds(limitsOf(held, { session, staff }), held.loginTs),
  };
}

/** RFC 7523bis: the audience of an assertion is the issuer alone, and it lives five minutes at most (A14, V19, V55). */
function assertClientAssertion(issuer: string): NonNullable<Configuration['assertJwtClientAuthClaimsAndHeader']> {
  return async (_ctx, claims, header) => {
    if (isRequestObject(header)) throw new errors.InvalidClientAuth('a request object is no client assertion');
    if (claims.aud !== issuer) {
      throw new errors.InvalidClientAuth('the audience of a client assertion must be the issuer, as a single string');
    }
    // The library looks at iat only where exp is missing.
    if (typeof claims.iat === 'number' && claims.iat > nowSeconds() + CLOCK_TOLERANCE_SECONDS) {
      throw new errors.InvalidClientAuth('a client assertion must not be issued in the future');
    }
    // Whole seconds, for the mark of its use is kept until then.
    if (!Number.isSafeInteger(claims.exp) || Number(claims.exp) > nowSeconds() + ASSERTION_LIFETIME_SECONDS_MAX) {
      throw new errors.InvalidClientAuth('a client assertion expires within five minutes, at a whole second');
    }
  };
}

/** Codes and refresh tokens carry the level they were issued at; access tokens do not. */
const isToldLevel = (token: unknown): token is { acr: string } =>
  typeof token === 'object' && token !== null && 'acr' in token && typeof token.acr === 'string';

const originsOf = (uris: readonly string[] | undefined): ReadonlySet<string> =>
  new Set((uris ?? []).map((uri) => URL.parse(uri)?.origin ?? '').filter(Boolean));
