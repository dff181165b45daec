import type { Client, Provider } from 'oidc-provider';
import { nowSeconds } from '../shared/clock.ts';
import { type KnownField, type PortalForm, readPortalForm } from './portal-form.ts';
import { SUPPORTED_SCOPES } from './provider.ts';
import { SCOPE } from './service-tokens.ts';
import { answerShortly, type ShortWay } from './short-way.ts';

/** As long as the library gives a portal to send the browser after its request (RFC 9126 2.2). */
const LIFETIME_SECONDS = 60;
const URN = 'urn:ietf:params:oauth:request_uri:';

/** Said to us or kept for the sign-in, and nothing the library would judge here. */
const ANYTHING = /./s;

const PARAMETERS: ReadonlyMap<string, RegExp> = new Map([
  ['response_type', /^code$/],
  ['response_mode', /^(?:query|form_post)$/],
  ['redirect_uri', ANYTHING],
  ['scope', SCOPE],
  ['state', ANYTHING],
  ['nonce', ANYTHING],
  ['login_hint', ANYTHING],
  ['ui_locales', ANYTHING],
  ['acr_values', ANYTHING],
  ['prompt', /^(?:none|login|consent|select_account)$/],
  ['max_age', /^[1-9]\d{0,8}$/],
  ['code_challenge', /^[\w.~-]{43,128}$/],
  ['code_challenge_method', /^S256$/],
]);

const isKnown: KnownField = (name, value) => PARAMETERS.get(name)?.test(value) ?? false;

/**
 * The short way of pushed authorization requests (RFC 9126 2): an ordinary request for a code by a client that proves itself with its
 * secret (portal-form.ts). It is kept as the library keeps it, inside a JWT without signature, and judged once more when the browser
 * brings it back. Requests for single claims, APIs or a subject, signed ones, and those with an ID token as a hint, are judged by the library.
 */
export function createPushedRequests(provider: Provider): ShortWay {
  return async (ctx) => {
    const form = await readPortalForm(ctx, provider, isKnown);
    if (form === undefined || !isAllowed(form)) return false;
    const pushed = new provider.PushedAuthorizationRequest({ request: requestObject(form, provider.issuer) });
    // A list by its type; the library itself leaves a mark that the client has proven itself.
    Object.assign(pushed, { trusted: true });
    const id = await pushed.save(LIFETIME_SECONDS);
    ctx.status = 201;
    const answer = { expires_in: LIFETIME_SECONDS, request_uri: URN + id };
    return answerShortly(ctx, 'pushed_authorization_request', 'DPoP-Nonce,WWW-Authenticate', answer);
  };
}

/** Whether everything that must be said is said, and the client is registered for all of it. */
const isAllowed = ({ client, fields }: PortalForm): boolean =>
  fields.response_type !== undefined &&
  fields.client_id !== undefined &&
  fields.code_challenge !== undefined &&
  fields.code_challenge_method !== undefined &&
  client.requireSignedRequestObject !== true &&
  client.responseTypeAllowed('code') &&
  client.responseModeAllowed(fields.response_mode ?? 'query', 'code', undefined) &&
  client.redirectUriAllowed(fields.redirect_uri ?? '') &&
  allowsScope(client, fields);

/** Access in the absence of the person only where they are asked for it; else the library leaves it out without a word. */
function allowsScope(client: Client, { scope = '', prompt }: PortalForm['fields']): boolean {
  const scopes = new Set(scope.split(' '));
  if (scopes.has('offline_access') && !(prompt === 'consent' && client.grantTypeAllowed('refresh_token'))) return false;
  const registered = new Set(client.scope?.split(' '));
  return scopes.has('openid') && scopes.isSubsetOf(registered) && scopes.isSubsetOf(SUPPORTED_SCOPES);
}

const NO_SIGNATURE = Buffer.from('{"alg":"none"}').toString('base64url');

function requestObject({ client, fields }: PortalForm, issuer: string): string {
  const said = Object.entries(fields).filter(([name]) => PARAMETERS.has(name));
  const now = nowSeconds();
  const claims = {
    ...Object.fromEntries(said),
    scope: [...new Set(fields.scope?.split(' '))].join(' '),
    client_id: client.clientId,
    iat: now,
    iss: client.clientId,
    aud: issuer,
    exp: now + LIFETIME_SECONDS,
    nbf: now,
  };
  return `${NO_SIGNATURE}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
}
