import { errors, type JWTPayload, jwtVerify } from 'jose';
import { nowMs } from '../../src/shared/clock.ts';
import type { IdentityServer, TokenAlg } from './identity-server.ts';
import { BoundedStore } from './sessions.ts';
import { Sm2TokenRefused } from './sm2-judge.ts';

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const TYP = 'logout+jwt';
const TOKEN_AGE_MAX_SECONDS = 180;
const CLOCK_TOLERANCE_SECONDS = 10;
const JTI_CHARACTERS_MAX = 256;
// Symmetric algorithms and `none` are left out: only the server's published keys may end a session.
const ALGORITHMS = ['ES256', 'PS256', 'RS256', 'EdDSA', 'Ed25519'];

export type LogoutVerdict =
  | { readonly state: 'accepted'; readonly sub: string | undefined; readonly sid: string | undefined }
  | { readonly state: 'refused'; readonly reason: string }
  | { readonly state: 'unavailable' };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function judgeClaims({ events, nonce, jti, sub, sid }: JWTPayload): LogoutVerdict {
  const refused = (reason: string): LogoutVerdict => ({ state: 'refused', reason });
  if (!isRecord(events) || !isRecord(events[LOGOUT_EVENT])) return refused('no logout event');
  // An ID token must never pass for a logout token; only ID tokens carry a nonce.
  if (nonce !== undefined) return refused('nonce present');
  if (!isText(jti) || jti.length > JTI_CHARACTERS_MAX) return refused('no usable jti');
  if (sub !== undefined && !isText(sub)) return refused('malformed sub');
  if (sid !== undefined && !isText(sid)) return refused('malformed sid');
  if (sub === undefined && sid === undefined) return refused('neither sub nor sid');
  return { state: 'accepted', sub, sid: sid as string | undefined };
}

// What jose says when the token is to blame; anything else it throws means that the keys could not be fetched.
const blamesToken = (error: unknown): error is errors.JOSEError =>
  error instanceof errors.JWTClaimValidationFailed ||
  error instanceof errors.JWTExpired ||
  error instanceof errors.JWTInvalid ||
  error instanceof errors.JWSInvalid ||
  error instanceof errors.JWSSignatureVerificationFailed ||
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSEAlgNotAllowed ||
  error instanceof errors.JOSENotSupported;

/**
 * Returns the judge of logout tokens for one portal (OIDC Back-Channel Logout 1.0 section 2.6): signature by a published key,
 * typ, iss, aud, iat, exp, the event, sub or sid, no nonce, and each jti once. `unavailable` means that the keys could not be
 * fetched and the same token may be sent again.
 */
export function logoutTokenJudge(
  clientId: string,
  tokenAlg?: TokenAlg,
): (token: string, server: IdentityServer) => Promise<LogoutVerdict> {
  const seen = new BoundedStore<true>({
    entriesMax: 10_000,
    lifetimeSeconds: TOKEN_AGE_MAX_SECONDS + 2 * CLOCK_TOLERANCE_SECONDS,
  });
  const algorithms = tokenAlg === undefined ? ALGORITHMS : [tokenAlg];
  return async (token, server) => {
    let payload: JWTPayload;
    try {
      payload = await claimsOf(token, server, clientId, algorithms);
    } catch (error) {
      if (error instanceof Sm2TokenRefused) return { state: 'refused', reason: error.message };
      return blamesToken(error) ? { state: 'refused', reason: error.code } : { state: 'unavailable' };
    }
    const verdict = judgeClaims(payload);
    if (verdict.state !== 'accepted') return verdict;
    if (seen.find(payload.jti)) return { state: 'refused', reason: 'replayed' };
    seen.keep(true, payload.jti);
    return verdict;
  };
}

async function claimsOf(
  token: string,
  { configuration, jwks, sm2 }: IdentityServer,
  audience: string,
  algorithms: string[],
): Promise<JWTPayload> {
  const { issuer } = configuration.serverMetadata();
  if (sm2 !== undefined) {
    const claims = await sm2.claimsOf(token, { issuer, audience, typ: TYP });
    const ageSeconds = nowMs() / 1000 - Number(claims.iat);
    if (!(ageSeconds >= -CLOCK_TOLERANCE_SECONDS && ageSeconds <= TOKEN_AGE_MAX_SECONDS + CLOCK_TOLERANCE_SECONDS)) {
      throw new Sm2TokenRefused('too old or not yet valid');
    }
    return claims;
  }
  const { payload } = await jwtVerify(token, jwks, {
    typ: TYP,
    issuer,
    audience,
    algorithms,
    requiredClaims: ['iat', 'exp', 'jti'],
    maxTokenAge: TOKEN_AGE_MAX_SECONDS,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    currentDate: new Date(nowMs()),
  });
  return payload;
}
