import type { Client } from 'oidc-provider';
import { nowSeconds } from '../shared/clock.ts';
import { SUPPORTED_SCOPES } from './provider.ts';
import { SCOPE } from './service-tokens.ts';

/** The parameters of a request for a code, each said once. */
export type Parameters = Readonly<Record<(typeof NEEDED)[number], string>> &
  Readonly<Partial<Record<'nonce' | 'state', string>>>;

/** Said to us or kept for the sign-in, and nothing the library would judge here. */
export const ANYTHING = /./s;

/** RFC 7636 4.2. */
export const CODE_CHALLENGE = /^[\w.~-]{43,128}$/;

/** What a plain request may say, and how. A portal that wants a page, a level, an age, single claims or a subject is the library's. */
const PLAIN: ReadonlyMap<string, RegExp> = new Map([
  ['client_id', ANYTHING],
  ['response_type', /^code$/],
  ['response_mode', /^query$/],
  ['redirect_uri', ANYTHING],
  ['scope', SCOPE],
  ['state', ANYTHING],
  ['nonce', ANYTHING],
  ['login_hint', ANYTHING],
  ['ui_locales', ANYTHING],
  ['prompt', /^none$/],
  ['code_challenge', CODE_CHALLENGE],
  ['code_challenge_method', /^S256$/],
]);
const NEEDED = [
  'client_id',
  'response_type',
  'redirect_uri',
  'scope',
  'code_challenge',
  'code_challenge_method',
] as const;

/**
 * What a request that waits for its person may say: they are asked what the portal wants them to be asked. To one that wants a new sign-in the library
 * adds a claim of its own.
 */
const PROMPTED: ReadonlyMap<string, RegExp> = new Map([
  ...PLAIN,
  ['prompt', /^(?:consent|select_account)(?: (?:consent|select_account))*$/],
]);

/**
 * The parameters of an ordinary request for a code, every one known, said once and plain; undefined for any other. Whether the client
 * may ask so is `mayAsk`. Pure.
 */
export const plainParameters = (said: Readonly<Record<string, unknown>>): Parameters | undefined =>
  parametersOf(said, PLAIN);

/** The same, of a request that may have its person asked for something. Pure. */
export const promptedParameters = (said: Readonly<Record<string, unknown>>): Parameters | undefined =>
  parametersOf(said, PROMPTED);

function parametersOf(
  said: Readonly<Record<string, unknown>>,
  known: ReadonlyMap<string, RegExp>,
): Parameters | undefined {
  for (const [name, value] of Object.entries(said)) {
    if (typeof value !== 'string' || !known.get(name)?.test(value)) return undefined;
  }
  if (NEEDED.some((name) => said[name] === undefined)) return undefined;
  const parameters = said as Parameters;
  return { ...parameters, scope: [...new Set(parameters.scope.split(' '))].join(' ') };
}

const URN = 'urn:ietf:params:oauth:request_uri:';

/** By whom a request was pushed, and under which id it waits. */
export interface PushedReference {
  readonly clientId: string;
  readonly id: string;
}

/** What a request says that says nothing but where it was pushed (RFC 9126 4); undefined for any other. Pure. */
export function pushedReference(said: Readonly<Record<string, unknown>>): PushedReference | undefined {
  const { client_id: clientId, request_uri: uri, ...more } = said;
  if (typeof clientId !== 'string' || typeof uri !== 'string' || Object.keys(more).length > 0) return undefined;
  return uri.startsWith(URN) ? { clientId, id: uri.slice(URN.length) } : undefined;
}

const NO_SIGNATURE = Buffer.from('{"alg":"none"}').toString('base64url');

/** A request as it waits for the browser: a JWT without signature that its client has proven itself for. Lives `lifetimeSeconds`. */
export function requestObject(
  parameters: Readonly<Record<string, string>>,
  { clientId }: Client,
  { issuer, lifetimeSeconds }: { readonly issuer: string; readonly lifetimeSeconds: number },
): string {
  const now = nowSeconds();
  const claims = {
    ...parameters,
    client_id: clientId,
    iat: now,
    iss: clientId,
    aud: issuer,
    exp: now + lifetimeSeconds,
    nbf: now,
  };
  return `${NO_SIGNATURE}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
}

/** What a client pushed, as `requestObject` has written it; undefined for what is over, or is not plain. */
export function pushedParameters(request: string, { clientId }: Client, issuer: string): Parameters | undefined {
  const [head, payload, signature, ...more] = request.split('.');
  if (head !== NO_SIGNATURE || signature !== '' || more.length > 0) return undefined;
  const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString('utf8')) as Record<string, unknown>;
  const { iat: _iat, iss, aud, exp, nbf, ...said } = claims;
  const now = nowSeconds();
  if (iss !== clientId || aud !== issuer || said.client_id !== clientId) return undefined;
  if (typeof exp !== 'number' || exp <= now || typeof nbf !== 'number' || nbf > now) return undefined;
  return plainParameters(said);
}

/**
 * Whether a client is registered for all that it asks, and for nothing that would make its plain request another: a level, an age or a
 * time of proof of its own. Pure.
 */
export const mayAsk = (client: Client, parameters: Parameters, came: 'sent' | 'pushed'): boolean =>
  client.defaultAcrValues === undefined &&
  client.defaultMaxAge === undefined &&
  !client.requireAuthTime &&
  !client.requireSignedRequestObject &&
  (came === 'pushed' || !client.requirePushedAuthorizationRequests) &&
  client.responseTypeAllowed('code') &&
  client.responseModeAllowed('query', 'code', undefined) &&
  client.redirectUriAllowed(parameters.redirect_uri) &&
  allowsScope(client, parameters);

/** Access in the absence of the person only where they are asked for it; else the library leaves it out without a word. */
export function allowsScope(client: Client, { scope = '', prompt }: { scope?: string; prompt?: string }): boolean {
  const scopes = new Set(scope.split(' '));
  if (scopes.has('offline_access') && !(prompt === 'consent' && client.grantTypeAllowed('refresh_token'))) return false;
  const registered = new Set(client.scope?.split(' '));
  return scopes.has('openid') && scopes.isSubsetOf(registered) && scopes.isSubsetOf(SUPPORTED_SCOPES);
}
