import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import { IdentityServerUnavailable } from './identity-server.ts';
import { Sm2TokenRefused } from './sm2-judge.ts';
import type { Trouble } from './texts.ts';

/** The HTTP status each calm page is shown with. */
export const STATUS_OF: Readonly<Record<Trouble, number>> = {
  login_required: 403,
  access_denied: 403,
  expired: 400,
  unavailable: 503,
  failed: 502,
  not_found: 404,
  internal: 500,
};

const NEEDS_A_PAGE = ['login_required', 'interaction_required', 'consent_required', 'account_selection_required'];
const SERVER_BUSY = ['temporarily_unavailable', 'server_error'];
const NO_ANSWER = ['OAUTH_TIMEOUT', 'OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON'];

const isNetworkFailure = (error: unknown): boolean =>
  error instanceof TypeError && error.cause instanceof Error && 'code' in error.cause;

/** Which page an error of the protocol library leads to (RFC 6749 section 4.1.2.1, OIDC Core section 3.1.2.6). */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof IdentityServerUnavailable || isNetworkFailure(error)) return 'unavailable';
  if (error instanceof Sm2TokenRefused) return 'failed';
  if (error instanceof AuthorizationResponseError) {
    if (NEEDS_A_PAGE.includes(error.error)) return 'login_required';
    if (error.error === 'access_denied') return 'access_denied';
    return SERVER_BUSY.includes(error.error) ? 'unavailable' : 'failed';
  }
  if (error instanceof ResponseBodyError) return error.status >= 500 ? 'unavailable' : 'failed';
  if (error instanceof ClientError) return NO_ANSWER.includes(error.code ?? '') ? 'unavailable' : 'failed';
  return 'internal';
}
