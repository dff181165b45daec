import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { readCompactJws } from '../crypto/jose/jws.ts';
import { nowSeconds } from '../shared/clock.ts';
import { CLOCK_TOLERANCE_SECONDS } from './adapter.ts';

type Oidc = KoaContextWithOIDC['oidc'];
type Claims = Readonly<Record<string, unknown>>;

/** As long as a client assertion may live: whoever sends the browser on does it at once. */
const LIFETIME_SECONDS_MAX = 300;
const JTI_CHARACTERS_MAX = 256;

/** The media type of a request object (RFC 9101 10.8), and what those say that name none of their own. */
const TYPES: ReadonlySet<string> = new Set(['oauth-authz-req+jwt', 'jwt']);

const typeOf = ({ typ }: Claims): string => String(typ).toLowerCase().replace('application/', '');

/** Whether a JWT calls itself a request object, which is good for nothing else (B3). */
export const isRequestObject = (header: Claims): boolean => typeOf(header) === 'oauth-authz-req+jwt';

/**
 * Where this request carries what it asks for, while the library has yet to read it: the form of a pushed request, which is read once
 * the client has proven itself, and the address of an authorization request. Undefined at other endpoints.
 */
export function requestSentIn(oidc: Oidc): Record<string, unknown> | undefined {
  if (oidc.route === 'pushed_authorization_request') return oidc.body;
  return oidc.route === 'authorization' ? oidc.params : undefined;
}

/** Whether it is this client that asks, and none that is only looked up meanwhile: who pushes a request is known by its proof. */
export const isSender = ({ route, params }: Oidc, { clientId }: Client): boolean =>
  route === 'pushed_authorization_request' || params?.client_id === clientId;

/** A name of a response mode that nobody can be registered for. */
const UNKNOWN_MODE = 'unsupported';

/**
 * To a client that is not registered for them, request objects and signed answers are what the library does not know of: it answers as if
 * it had never been taught them (`RequestNotSupported`). From all others an object is taken as one compact JWS without anything the
 * library might read more kindly than we do (B2, B9), else `InvalidRequestObject`. Called wherever a request learns who calls.
 */
export function admitRequest(oidc: Oidc, client: Client): void {
  const sent = requestSentIn(oidc);
  if (sent === undefined || !isSender(oidc, client)) return;
  if (isWithheld(sent.response_mode, client)) sent.response_mode = UNKNOWN_MODE;
  // Sent twice it is refused as any other parameter is.
  if (typeof sent.request !== 'string' || sent.request === '') return;
  const isRegistered = client.requestObjectSigningAlg !== undefined;
  if (isRegistered && readCompactJws(sent.request) !== undefined) return;
  // Whoever answers the refusal looks the client up once more.
  delete sent.request;
  if (!isRegistered) throw new errors.RequestNotSupported();
  throw new errors.InvalidRequestObject(
    'the request object is no signed JWT in compact form, or says what we do not know',
  );
}

/** Other modes are judged by the library; a refusal in one of these would be a token that the client cannot verify. */
const isWithheld = (mode: unknown, client: Client): boolean =>
  typeof mode === 'string' && mode.includes('jwt') && !client.responseModeAllowed(mode, 'code', undefined);

export interface RequestObjects {
  /** What the library leaves to us of the claims of an object; called before it verifies the signature. Throws `InvalidRequestObject`. */
  assertClaims(ctx: KoaContextWithOIDC, claims: Claims, header: Claims, client: Client): void;
  /** Marks the object of this request as used, if it names itself (`jti`); called once everything in it is verified. */
  spend(ctx: KoaContextWithOIDC, client: Client): Promise<void>;
}

interface Spendable {
  readonly jti: string;
  readonly exp: number;
}

/**
 * Signed request objects (RFC 9101): by value, with the algorithm the client has registered, for a few minutes. The library compares
 * the algorithm, the issuer, the audience and the dates, and takes no parameter from outside the object.
 */
export function createRequestObjects(): RequestObjects {
  const waiting = new WeakMap<object, Spendable>();
  return {
    assertClaims({ oidc }, claims, header, client) {
      // What the client pushed was judged then, and may have been no object at all.
      if (oidc.entities.PushedAuthorizationRequest !== undefined) return;
      const fault = typeFault(header) ?? claimsFault(claims, client);
      if (fault !== undefined) throw new errors.InvalidRequestObject(fault);
      if (isWithheld(claims.response_mode, client)) {
        if (oidc.params !== undefined) oidc.params.response_mode = undefined;
        throw new errors.UnsupportedResponseMode();
      }
      if (typeof claims.jti === 'string') waiting.set(oidc, { jti: claims.jti, exp: Number(claims.exp) });
    },
    async spend({ oidc }, { clientId }) {
      const object = waiting.get(oidc);
      if (object === undefined) return;
      // Apart from the ids of assertions: a portal may count both from one.
      const isFresh = await oidc.provider.ReplayDetection.unique(`request:${clientId}`, object.jti, object.exp);
      if (!isFresh) throw new errors.InvalidRequestObject('the request object was used before');
    },
  };
}

const typeFault = (header: Claims): string | undefined =>
  header.typ === undefined || TYPES.has(typeOf(header))
    ? undefined
    : 'the typ of a request object is oauth-authz-req+jwt';

function claimsFault({ sub, exp, iat, jti }: Claims, { clientId }: Client): string | undefined {
  // RFC 9101 10.8: what could pass for a client assertion is none, and the other way round.
  if (sub === clientId) return 'sub of a request object must not be the client_id';
  const latest = nowSeconds() + CLOCK_TOLERANCE_SECONDS;
  if (!Number.isSafeInteger(exp)) return 'exp of a request object must be given, in whole seconds';
  if (Number(exp) > latest + LIFETIME_SECONDS_MAX) return 'a request object expires within five minutes';
  if (typeof iat === 'number' && iat > latest) return 'a request object must not be issued in the future';
  return typeof jti === 'string' && (jti === '' || jti.length > JTI_CHARACTERS_MAX)
    ? `jti of a request object must have 1 to ${JTI_CHARACTERS_MAX} characters`
    : undefined;
}
