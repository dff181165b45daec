import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { Client, Provider } from 'oidc-provider';
import { nowSeconds } from '../shared/clock.ts';
import { ID_TOKEN_CLAIMS } from './provider.ts';
import { type EngineKeys, isKeyAtHand, signEs256 } from './signing-keys.ts';

/** What an ID token is to say, and to whom. */
export interface IdTokenContent {
  readonly client: Client;
  /** What may be told; of it stands in the token what `openid` opens. */
  readonly available: Readonly<Record<string, unknown>> & { readonly sub: string };
  /** Names of claims the person does not let out. */
  readonly rejected: readonly string[];
  readonly nonce: string | undefined;
  readonly sid: string | undefined;
}

export interface IdTokenSources {
  readonly provider: Provider;
  readonly keys: Pick<EngineKeys, 'classical'>;
  readonly pairwiseSub: (personId: string, sector: string) => string;
  readonly lifetimeSeconds: number;
}

/**
 * ID tokens that go out beside an access token for userinfo, and so tell no more than `openid` opens (OpenID Connect Core 5.4). A signature with
 * ES256 is put under them here; those of portals that want another algorithm, or encryption, are built by the library.
 */
export function createIdTokens({ provider, keys, pairwiseSub, lifetimeSeconds }: IdTokenSources) {
  const signing = signingEs256(keys);

  /** With the members in the library's order. */
  const payloadOf = ({ client, available, rejected, nonce, sid }: IdTokenContent): Record<string, unknown> => {
    const claims: Record<string, unknown> = {};
    for (const name of ID_TOKEN_CLAIMS) {
      if (available[name] !== undefined && !rejected.includes(name)) claims[name] = available[name];
    }
    if (claims.sub !== undefined && client.subjectType === 'pairwise') {
      claims.sub = pairwiseSub(available.sub, String(client.sector ?? client.clientId));
    }
    const now = nowSeconds();
    return { ...claims, nonce, sid, aud: client.clientId, exp: now + lifetimeSeconds, iat: now, iss: provider.issuer };
  };

  const build = ({ client, available, rejected, nonce, sid }: IdTokenContent): Promise<string> => {
    const token = new provider.IdToken({ ...available }, { client });
    token.scope = 'openid';
    token.rejected = rejected;
    token.set('nonce', nonce);
    token.set('sid', sid);
    return token.issue({ use: 'idtoken' });
  };

  return (content: IdTokenContent): Promise<string> | string => {
    const { idTokenSignedResponseAlg: alg, idTokenEncryptedResponseAlg: encryption } = content.client;
    if (signing === undefined || alg !== 'ES256' || encryption !== undefined) return build(content);
    const input = `${signing.header}.${encoded(payloadOf(content))}`;
    return `${input}.${signEs256(Buffer.from(input, 'latin1'), signing.key).toString('base64url')}`;
  };
}

interface SigningKey {
  readonly key: KeyObject;
  readonly header: string;
}

/** The key the library would take: the first of its kind. Undefined in a house of SM2 alone. */
function signingEs256({ classical }: Pick<EngineKeys, 'classical'>): SigningKey | undefined {
  const jwk = classical.find(isKeyAtHand);
  if (jwk === undefined) return undefined;
  return { key: createPrivateKey({ key: { ...jwk }, format: 'jwk' }), header: encoded({ alg: 'ES256', kid: jwk.kid }) };
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
