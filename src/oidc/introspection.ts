import type { Client, Grant, Provider } from 'oidc-provider';
import { type FeatureHooks, type IntrospectedToken, mayIntrospect } from './features.ts';
import { readPortalForm } from './portal-form.ts';
import { answerShortly, type ShortWay, TOKEN_LENGTH_MAX } from './short-way.ts';

export interface IntrospectionSources {
  readonly provider: Provider;
  /** The very function the library's introspection is configured with. */
  readonly actingClaimsOf: FeatureHooks['actingClaimsOf'];
}

/**
 * The short way of the introspection endpoint (RFC 7662 2): a form with one of our typed tokens, from a client that proves itself
 * with its secret (portal-form.ts), answered as JSON.
 */
export function createIntrospection({ provider, actingClaimsOf }: IntrospectionSources): ShortWay {
  return async (ctx) => {
    if (!PLAIN_ACCEPT.has(ctx.req.headers.accept)) return false;
    const form = await readPortalForm(ctx, provider, isKnown);
    if (form === undefined || form.client.introspectionEncryptedResponseAlg) return false;
    const { client } = form;
    const presented = form.fields.token;
    if (presented === undefined) return false;
    const token = await findToken(provider, presented);
    const answer = token === undefined ? INACTIVE : await describe(client, token);
    return answer !== undefined && answerShortly(ctx, 'introspection', 'WWW-Authenticate', answer);
  };

  /** The members of RFC 7662 2.2 in the library's order, `INACTIVE`, or undefined for a token the library must describe. */
  async function describe(client: Client, token: Token): Promise<Answer | undefined> {
    if (!token.isValid) return INACTIVE;
    const grantId = 'grantId' in token ? token.grantId : undefined;
    const grant = grantId ? await findGrant(provider, token, grantId) : undefined;
    if (grantId && grant === undefined) return INACTIVE;
    if (!mayIntrospect(client, token)) return INACTIVE;
    const acting = await actingClaimsOf(client, token, grant);
    if (acting === undefined) return INACTIVE;
    if (token.clientId !== client.clientId || token.isSenderConstrained()) return undefined;
    if (token.rar || ('extra' in token && token.extra)) return undefined;
    return {
      active: true,
      ...(token.kind === 'ClientCredentials' ? {} : await subjectOf(provider, client, token.accountId)),
      ...acting,
      client_id: token.clientId,
      exp: token.exp,
      iat: token.iat,
      sid: 'sid' in token ? token.sid : undefined,
      iss: provider.issuer,
      aud: 'aud' in token ? token.aud : undefined,
      scope: token.scope || undefined,
      token_type: token.kind === 'RefreshToken' ? undefined : token.tokenType,
    };
  }
}

type Token = IntrospectedToken;
type Answer = Readonly<Record<string, unknown>>;

const INACTIVE: Answer = { active: false };

/** The type at the head of a token names the one model that can hold it (token-ids.ts). */
function findToken(provider: Provider, token: string): Promise<Token | undefined> {
  if (token.startsWith('at_')) return provider.AccessToken.find(token);
  return token.startsWith('ct_') ? provider.ClientCredentials.find(token) : provider.RefreshToken.find(token);
}

async function findGrant(provider: Provider, token: Token, grantId: string): Promise<Grant | undefined> {
  const grant = await provider.Grant.find(grantId, { ignoreExpiration: true });
  if (grant === undefined || grant.isExpired || grant.clientId !== token.clientId) return undefined;
  return 'accountId' in token && grant.accountId === token.accountId ? grant : undefined;
}

/** `sub` as this client knows the person: the library's mask makes it pairwise where the registration says so. */
function subjectOf(provider: Provider, client: Client, accountId: string): Promise<Answer> {
  return new provider.Claims({ sub: accountId }, { client }).scope('openid').result();
}

/** Answers that are JSON whatever the client is registered for; all other wishes are weighed by the library. */
const PLAIN_ACCEPT: ReadonlySet<string | undefined> = new Set([
  undefined,
  '*/*',
  'application/json',
  'application/json, */*',
  'application/json, text/plain, */*',
]);

const TYPED_TOKEN = /^(?:at|ct|rt)_[\w-]+$/;
const HINT = /^[\x21-\x7e]+$/;

const isKnown = (name: string, value: string): boolean =>
  name === 'token'
    ? value.length <= TOKEN_LENGTH_MAX && TYPED_TOKEN.test(value)
    : name === 'token_type_hint' && HINT.test(value);
