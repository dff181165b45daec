import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';
import type { Context } from 'koa';
import type { Client, Grant, Provider } from 'oidc-provider';
import { secretMatches } from '../relying-parties/secret.ts';
import { Fault } from '../shared/fault.ts';
import { type FeatureHooks, type IntrospectedToken, mayIntrospect } from './features.ts';
import { answerShortly, type ShortWay, TOKEN_LENGTH_MAX, wantsMore } from './short-way.ts';

export interface IntrospectionSources {
  readonly provider: Provider;
  /** The very function the library's introspection is configured with. */
  readonly actingClaimsOf: FeatureHooks['actingClaimsOf'];
}

/**
 * The short way of the introspection endpoint (RFC 7662 2): a form with one of our typed tokens, from a client that proves itself
 * with its secret the way it is registered (RFC 6749 2.3.1), answered as JSON. The body is only looked at, never taken, so that
 * the library reads it as if nobody had been here. Throws `Fault('malformed_request')` when the sender went away within its body.
 */
export function createIntrospection({ provider, actingClaimsOf }: IntrospectionSources): ShortWay {
  return async (ctx) => {
    if (!isOrdinary(ctx)) return false;
    const form = formOf(await peekBody(ctx.req));
    const proof = form && proofOf(ctx.req.headers.authorization, form);
    if (!proof) return false;
    const client = await provider.Client.find(proof.clientId);
    if (client === undefined || !proves(client, proof) || client.introspectionEncryptedResponseAlg) return false;
    const token = await findToken(provider, form.token);
    const answer = token === undefined ? INACTIVE : await describe(client, token);
    return answer !== undefined && answerShortly(ctx, 'introspection', 'WWW-Authenticate', answer);
  };

  /** The members of RFC 7662 2.2 in the library's order, `INACTIVE`, or undefined for a token the library must describe. */
  async function describe(client: Client, token: Token): Promise<Answer | undefined> {
    if (!token.isValid) return INACTIVE;
    const grantId = 'grantId' in token ? token.grantId : undefined;
    const grant = grantId ? await findGrant(provider, token, grantId) : undefined;
    if (grantId && grant === undefined) return INACTIVE;
    if (!mayIntrospect(client, token)) return INACTIVE;
    const acting = await actingClaimsOf(token, grant);
    if (acting === undefined) return INACTIVE;
    if (token.clientId !== client.clientId || token.isSenderConstrained()) return undefined;
    if (token.rar || ('extra' in token && token.extra)) return undefined;
    return {
      active: true,
      ...(token.kind === 'ClientCredentials' ? {} : await subjectOf(provider, client, token.accountId)),
      ...acting,
      client_id: token.clientId,
      exp: token.exp,
      iat: token.iat,
      sid: 'sid' in token ? token.sid : undefined,
      iss: provider.issuer,
      aud: 'aud' in token ? token.aud : undefined,
      scope: token.scope || undefined,
      token_type: token.kind === 'RefreshToken' ? undefined : token.tokenType,
    };
  }
}

type Token = IntrospectedToken;
type Answer = Readonly<Record<string, unknown>>;

const INACTIVE: Answer = { active: false };

/** The type at the head of a token names the one model that can hold it (token-ids.ts). */
function findToken(provider: Provider, token: string): Promise<Token | undefined> {
  if (token.startsWith('at_')) return provider.AccessToken.find(token);
  return token.startsWith('ct_') ? provider.ClientCredentials.find(token) : provider.RefreshToken.find(token);
}

async function findGrant(provider: Provider, token: Token, grantId: string): Promise<Grant | undefined> {
  const grant = await provider.Grant.find(grantId, { ignoreExpiration: true });
  if (grant === undefined || grant.isExpired || grant.clientId !== token.clientId) return undefined;
  return 'accountId' in token && grant.accountId === token.accountId ? grant : undefined;
}

/** `sub` as this client knows the person: the library's mask makes it pairwise where the registration says so. */
function subjectOf(provider: Provider, client: Client, accountId: string): Promise<Answer> {
  return new provider.Claims({ sub: accountId }, { client }).scope('openid').result();
}

const MEDIA_TYPE = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i;
/** Answers that are JSON whatever the client is registered for; all other wishes are weighed by the library. */
const PLAIN_ACCEPT: ReadonlySet<string | undefined> = new Set([
  undefined,
  '*/*',
  'application/json',
  'application/json, */*',
  'application/json, text/plain, */*',
]);

function isOrdinary({ req }: Context): boolean {
  const { method, headers, url = '' } = req;
  return (
    method === 'POST' &&
    !url.includes('?') &&
    !wantsMore(req) &&
    headers['content-encoding'] === undefined &&
    MEDIA_TYPE.test(headers['content-type'] ?? '') &&
    PLAIN_ACCEPT.has(headers.accept)
  );
}

/** A token, a hint and a client's credentials fit three times over. */
const BODY_BYTES_MAX = 2048;

/** The body, still in the stream for the library; undefined when it is too large for the short way or of unknown length. */
async function peekBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const bytes = Number(request.headers['content-length']);
  if (!(bytes > 0 && bytes <= BODY_BYTES_MAX)) return undefined;
  // One turn of promises later a body that came in the packet of the headers is there: cheaper than waiting for an event.
  await undefined;
  if (request.readableLength < bytes) await arrival(request, bytes);
  const body = request.read() as Buffer | null;
  // Put back at once: in the next tick the stream would be over.
  if (body !== null) request.unshift(body);
  return body?.length === bytes ? body : undefined;
}

/** Waits until that many bytes wait in the stream; the server's own time limit ends slow senders (R17). */
async function arrival(request: IncomingMessage, bytes: number): Promise<void> {
  const whole = await new Promise<boolean>((resolve) => {
    const look = (): void => {
      if (request.readableLength >= bytes) end(true);
    };
    const gone = (): void => end(false);
    const end = (outcome: boolean): void => {
      request.off('readable', look);
      request.off('close', gone);
      resolve(outcome);
    };
    request.on('readable', look);
    request.on('close', gone);
    if (request.destroyed) gone();
  });
  if (!whole) throw new Fault('malformed_request');
}

interface Form {
  readonly token: string;
  readonly clientId: string | undefined;
  readonly clientSecret: string | undefined;
}

const TYPED_TOKEN = /^(?:at|ct|rt)_[\w-]+$/;
const PRINTABLE = /^[\x21-\x7e]+$/;
const KNOWN_FIELDS: ReadonlySet<string> = new Set(['token', 'token_type_hint', 'client_id', 'client_secret']);

/** The fields of a form in which each is known, stands once and says something; undefined for any other. */
function formOf(body: Buffer | undefined): Form | undefined {
  if (body === undefined) return undefined;
  const fields = parse(body.toString()); // by the function the library parses with
  for (const [name, value] of Object.entries(fields)) {
    if (!KNOWN_FIELDS.has(name) || typeof value !== 'string' || !PRINTABLE.test(value)) return undefined;
  }
  const { token, client_id: clientId, client_secret: clientSecret } = fields as Record<string, string | undefined>;
  if (token === undefined || token.length > TOKEN_LENGTH_MAX || !TYPED_TOKEN.test(token)) return undefined;
  return { token, clientId, clientSecret };
}

interface Proof {
  readonly method: 'client_secret_basic' | 'client_secret_post';
  readonly clientId: string;
  readonly secret: string;
}

const BASIC = /^basic ((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/i;
/** Printable ASCII without `%` and `+`: what RFC 6749 2.3.1 has a client encode is not in it, so it is what it looks like. */
const UNENCODED = /^[\x21-\x24\x26-\x2a\x2c-\x7e]+$/;

/** The one proof a request carries; undefined for none, for two, and for credentials that need decoding. */
function proofOf(authorization: string | undefined, form: Form): Proof | undefined {
  const { clientId, clientSecret } = form;
  if (authorization === undefined) {
    if (clientId === undefined || clientSecret === undefined) return undefined;
    return { method: 'client_secret_post', clientId, secret: clientSecret };
  }
  if (clientSecret !== undefined) return undefined;
  const credentials = Buffer.from(BASIC.exec(authorization)?.[1] ?? '', 'base64').toString('utf8');
  const colonAt = credentials.indexOf(':');
  const [id, secret] = [credentials.slice(0, Math.max(0, colonAt)), credentials.slice(colonAt + 1)];
  if (!UNENCODED.test(id) || !UNENCODED.test(secret)) return undefined;
  if (clientId !== undefined && clientId !== id) return undefined;
  return { method: 'client_secret_basic', clientId: id, secret };
}

/** Whether the client is registered for this method and its secret is the one presented, in constant time (A13). */
const proves = (client: Client, { method, secret }: Proof): boolean =>
  client.clientAuthMethod === method &&
  !client.clientSecretExpiresAt &&
  client.clientSecret !== undefined &&
  secretMatches(client.clientSecret, secret);
