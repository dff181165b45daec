import type { Provider } from 'oidc-provider';
import { ANYTHING, allowsScope, CODE_CHALLENGE, requestObject } from './authorization-request.ts';
import { type KnownField, type PortalForm, readPortalForm } from './portal-form.ts';
import { SCOPE } from './service-tokens.ts';
import { answerShortly, type ShortWay } from './short-way.ts';

/** As long as the library gives a portal to send the browser after its request (RFC 9126 2.2). */
const LIFETIME_SECONDS = 60;
const URN = 'urn:ietf:params:oauth:request_uri:';

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
  ['code_challenge', CODE_CHALLENGE],
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
    const pushed = new provider.PushedAuthorizationRequest({ request: waiting(form, provider.issuer) });
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

/** The request as it is kept: without what the client has proven itself with, and each scope once. */
function waiting({ client, fields }: PortalForm, issuer: string): string {
  const said = Object.entries(fields).filter(([name]) => PARAMETERS.has(name)) as [string, string][];
  const scope = [...new Set(fields.scope?.split(' '))].join(' ');
  const parameters = { ...Object.fromEntries(said), scope };
  return requestObject(parameters, client, { issuer, lifetimeSeconds: LIFETIME_SECONDS });
}
