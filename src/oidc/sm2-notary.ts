import { generateKeyPairSync } from 'node:crypto';
import { type Client, errors, type JWK, type KoaContextWithOIDC } from 'oidc-provider';
import { type CompactJws, readCompactJws } from '../crypto/jose/jws.ts';
import type { SignatureForm } from '../crypto/jose/profile.ts';
import { SM2_SIGNATURE_BYTES } from '../crypto/signer.ts';
import { sm2SignatureFromDer } from '../crypto/sm2/der.ts';
import { verifySm2 } from '../crypto/sm2/sm2.ts';
import { isSender, requestSentIn } from './request-objects.ts';
import { signEs256 } from './signing-keys.ts';
import { formOf, type Signed, signingKeysOf } from './sm2-client.ts';

type Oidc = KoaContextWithOIDC['oidc'];

/**
 * Vouches for client assertions (RFC 7523) and request objects (RFC 9101) signed with SM2: verifies them with the client's registered
 * key and then signs the same payload, byte for byte, with a key of its own that the library knows for this client. Audience,
 * expiry and replay are judged where those of other algorithms are.
 */
export interface Notary {
  /** The public key, for the clients it vouches for. */
  readonly publicJwk: JWK;
  /**
   * Replaces what this client has sent in this request, once each, where it is registered for SM2. Throws `InvalidClientAuth`, or
   * `InvalidRequestObject`, unless it is signed with SM2 by a registered key, also when another of its keys would do.
   */
  vouch(oidc: Oidc, client: Client): void;
}

const ALG = 'ES256';

/** A notary of its own for each engine; its key never leaves the process. */
export function createNotary(): Notary {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: 'notary', use: 'sig', alg: ALG } as JWK;
  const seen = { assertion: new WeakSet<object>(), request: new WeakSet<object>() };

  const signedAnew = (jws: CompactJws, payload: string): string => {
    const header = encoded({ alg: ALG, kid: publicJwk.kid, typ: jws.header.typ });
    const input = Buffer.from(`${header}.${payload}`, 'latin1');
    return `${input}.${signEs256(input, privateKey).toString('base64url')}`;
  };

  /** The text as the library is to see it; undefined where it is not this client's to sign, or has been judged before. */
  function judge(text: unknown, what: Signed, oidc: Oidc, client: Client): string | undefined {
    const form = formOf(client, what);
    if (form === undefined || typeof text !== 'string' || seen[what].has(oidc)) return undefined;
    const jws = readCompactJws(text);
    // Whose an assertion is the library reads from `sub`; clients that are only looked up meanwhile have sent none.
    const isTheirs =
      what === 'request' ? isSender(oidc, client) : jws === undefined || jws.payload.sub === client.clientId;
    if (!isTheirs) return undefined;
    // Before it is refused: whoever answers the refusal looks the client up once more.
    seen[what].add(oidc);
    if (jws === undefined || !isSigned(jws, form, client)) throw refusalOf(what, form);
    // The library compares it as well, with the notary's key for every client's: nothing is vouched for that names another.
    if (what === 'request' && jws.payload.iss !== client.clientId) {
      throw new errors.InvalidRequestObject('iss of a request object must be the client_id');
    }
    return signedAnew(jws, text.split('.')[1]!);
  }

  return {
    publicJwk,
    vouch(oidc, client) {
      const assertion = judge(oidc.params?.client_assertion, 'assertion', oidc, client);
      if (assertion !== undefined) oidc.params!.client_assertion = assertion;
      const sent = requestSentIn(oidc);
      const request = judge(sent?.request, 'request', oidc, client);
      if (request !== undefined) sent!.request = request;
    },
  };
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const refusalOf = (what: Signed, { alg }: SignatureForm): Error =>
  what === 'assertion'
    ? new errors.InvalidClientAuth(`the assertion must be signed with ${alg} by a registered key`)
    : new errors.InvalidRequestObject(`the request object must be signed with ${alg} by a registered key`);

/** The registered form decides, never the token: another name or encoding is refused (S3, R8). */
function isSigned({ header, input, signature }: CompactJws, { alg, encoding }: SignatureForm, client: Client): boolean {
  if (header.alg !== alg) return false;
  const raw = encoding === 'der' ? sm2SignatureFromDer(signature) : signature;
  if (raw?.length !== SM2_SIGNATURE_BYTES) return false;
  return signingKeysOf(client, header.kid).some((key) => verifySm2(input, raw, key));
}
