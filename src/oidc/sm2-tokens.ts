import type { Client, Provider } from 'oidc-provider';
import { sm3 } from '../crypto/digests.ts';
import { encryptToken } from '../crypto/jose/jwe.ts';
import { readCompactJws } from '../crypto/jose/jws.ts';
import { SM_JOSE } from '../crypto/jose/profile.ts';
import type { TokenSealer } from '../crypto/jose/token-sealer.ts';
import { Fault } from '../shared/fault.ts';
import { recipientOf } from './sm2-client.ts';
import { STAND_IN_ALG } from './sm2-stand-in.ts';

type IdToken = InstanceType<Provider['IdToken']>;
type Use = Parameters<IdToken['issue']>[0]['use'];

const HASHED_CLAIMS = ['at_hash', 'c_hash', 's_hash'] as const;
const HASH_BYTES = 16;

/**
 * Puts our header and signature on every token the library has built with the stand-in: ID and logout tokens, signed userinfo,
 * introspection and authorization answers, access tokens for APIs. Short ways make their tokens of the same classes. Only declared, public members
 * are replaced, on the classes of this one provider.
 */
export function sealTokens(provider: Provider, sealers: readonly TokenSealer[]): void {
  const seal = createSeal(sealers);
  const prototype = provider.IdToken.prototype;
  const issue = prototype.issue;
  Object.defineProperty(prototype, 'issue', {
    async value(this: IdToken, options: Parameters<typeof issue>[0]): Promise<string> {
      const built = await issue.call(this, options);
      if (algorithmFor(this.client, options.use) !== STAND_IN_ALG) return built;
      const sealed = await seal(built, options.use === 'idtoken' ? this.extra : {});
      const recipient = recipientFor(this.client, options.use);
      if (recipient === undefined) return sealed;
      return encryptToken(sealed, recipient, { iss: provider.issuer, aud: this.client.clientId });
    },
  });

  for (const model of ['AccessToken', 'ClientCredentials'] as const) {
    const { prototype: token } = provider[model];
    const save = token.save;
    Object.defineProperty(token, 'save', {
      async value(this: typeof token, ...options: Parameters<typeof save>): Promise<string> {
        const value = await save.apply(this, options);
        const { accessTokenFormat: format, jwt } = this.resourceServer ?? {};
        return format === 'jwt' && jwt?.sign && 'alg' in jwt.sign && jwt.sign.alg === STAND_IN_ALG
          ? seal(value)
          : value;
      },
    });
  }

  const validate = provider.IdToken.validate.bind(provider.IdToken);
  Object.defineProperty(provider.IdToken, 'validate', {
    async value(hint: string, client: Client): ReturnType<typeof validate> {
      if (client.idTokenSignedResponseAlg !== STAND_IN_ALG) return validate(hint, client);
      return ownToken(hint, client, provider.issuer, sealers);
    },
  });
}

/** Which of its algorithms a client gets this kind of token with. */
function algorithmFor(client: Client, use: Use): string | undefined {
  switch (use) {
    case 'userinfo':
      return client.userinfoSignedResponseAlg;
    case 'introspection':
      return client.introspectionSignedResponseAlg;
    case 'authorization':
      return client.authorizationSignedResponseAlg;
    default:
      return client.idTokenSignedResponseAlg;
  }
}

/** A logout token is encrypted as ID tokens are (OpenID Connect Back-Channel Logout 2.4). */
function recipientFor(client: Client, use: Use): ReturnType<typeof recipientOf> {
  if (use === 'userinfo' || use === 'authorization') return recipientOf(client, use);
  return use === 'idtoken' || use === 'logout' ? recipientOf(client, 'id_token') : undefined;
}

type Seal = (built: string, extra?: Readonly<Record<string, unknown>>) => Promise<string>;

/** The payload stays as the library wrote it, but for hashes of other values: those it has made with another digest. */
function createSeal([sealer]: readonly TokenSealer[]): Seal {
  if (sealer === undefined) throw new Fault('internal', 'There is no SM2 key to sign tokens with.');
  /** Our header for each of the library's, of which there is one for each `typ`. */
  const headers = new Map<string, string>();
  const headerFor = (theirs: string): string => {
    const known = headers.get(theirs);
    if (known !== undefined) return known;
    const { typ } = JSON.parse(Buffer.from(theirs, 'base64url').toString('utf8')) as { readonly typ?: string };
    const ours = encoded({ alg: SM_JOSE.signature, typ, kid: sealer.kid });
    headers.set(theirs, ours);
    return ours;
  };
  return async (built, extra = {}) => {
    const [header = '', payload = ''] = built.split('.', 2);
    const input = `${headerFor(header)}.${rehashed(payload, extra)}`;
    const signature = await sealer.signer.sign(Buffer.from(input, 'latin1'));
    return `${input}.${signature.toString('base64url')}`;
  };
}

/** OpenID Connect Core 3.1.3.6 with the digest of the signature: the left half of SM3. */
function rehashed(payload: string, extra: Readonly<Record<string, unknown>>): string {
  const named = HASHED_CLAIMS.filter((claim) => typeof extra[claim] === 'string');
  if (named.length === 0) return payload;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
  for (const claim of named) {
    claims[claim] = sm3(String(extra[claim])).subarray(0, HASH_BYTES).toString('base64url');
  }
  return encoded(claims);
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An ID token of ours that comes back as a hint: the key decides the algorithm, and an expired one still says who was meant. */
async function ownToken(
  hint: string,
  client: Client,
  issuer: string,
  sealers: readonly TokenSealer[],
): Promise<{ header: Record<string, unknown>; payload: Record<string, unknown> }> {
  const jws = readCompactJws(hint);
  const sealer = sealers.find(({ kid }) => kid === jws?.header.kid);
  const genuine =
    jws !== undefined &&
    jws.header.alg === SM_JOSE.signature &&
    jws.header.typ === undefined &&
    sealer?.verifier.verify(jws.input, jws.signature) === true;
  if (!genuine) throw new Error('the ID token is not signed by one of our SM2 keys');
  const { iss, sub, aud } = jws.payload;
  if (iss !== issuer || aud !== client.clientId || typeof sub !== 'string') {
    throw new Error('the ID token was made for somebody else');
  }
  return { header: { ...jws.header }, payload: { ...jws.payload } };
}
