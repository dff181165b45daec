import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { CHALLENGE, REDIRECT_URI, type TestPortal } from './server.ts';
import { encoded, portalKey, signedBy } from './sm2-portal.ts';

/** Portals that sign what they ask for (RFC 9101), each with its own key and by hand. */
export type RequestAlg = 'ES256' | 'PS256' | 'RS256' | 'SGD_SM3_SM2';

export interface RequestSigner {
  readonly alg: RequestAlg;
  readonly jwk: Readonly<Record<string, unknown>>;
  /** A compact JWS of these claims; `header` adds to the usual one or replaces what is in it. */
  sign(claims: unknown, header?: Readonly<Record<string, unknown>>): string;
}

const TYPE = 'oauth-authz-req+jwt';

export function requestSigner(alg: RequestAlg, kid = `key-${alg}`): RequestSigner {
  if (alg === 'SGD_SM3_SM2') {
    const key = portalKey(kid);
    return {
      alg,
      jwk: key.jwk,
      sign: (claims, header = {}) => signedBy(key, claims, { header: { typ: TYPE, ...header } }),
    };
  }
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    alg,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' },
    sign: (claims, header = {}) => jwsBy(privateKey, alg, claims, { kid, typ: TYPE, ...header }),
  };
}

/** A compact JWS with this key, under whatever the header says. Claims that are a text are signed as they stand. */
export function jwsBy(
  key: KeyObject,
  alg: Exclude<RequestAlg, 'SGD_SM3_SM2'>,
  claims: unknown,
  header: Readonly<Record<string, unknown>>,
): string {
  const payload = typeof claims === 'string' ? Buffer.from(claims).toString('base64url') : encoded(claims);
  const input = `${encoded({ alg, ...header })}.${payload}`;
  const options = { ES256: { dsaEncoding: 'ieee-p1363' }, PS256: { padding: 6, saltLength: 32 }, RS256: {} } as const;
  return `${input}.${sign('sha256', Buffer.from(input), { key, ...options[alg] }).toString('base64url')}`;
}

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** The claims of an ordinary request; those that are undefined are left out. */
export function requestClaims(
  portal: TestPortal,
  issuer: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    iss: portal.id,
    aud: issuer,
    jti: randomUUID(),
    iat: nowSeconds(),
    exp: nowSeconds() + 240,
    client_id: portal.id,
    redirect_uri: REDIRECT_URI,
    response_type: 'code',
    scope: 'openid profile',
    state: 'inside',
    nonce: 'inside',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...more,
  };
}

/** The address of a request that is all in this object. */
export const objectPath = ({ id }: TestPortal, request: string, outside: Record<string, string> = {}): string =>
  `/auth?${new URLSearchParams({ client_id: id, request, ...outside })}`;
