import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';
import type { Context } from 'koa';
import type { Client, Provider } from 'oidc-provider';
import { secretMatches } from '../relying-parties/secret.ts';
import { Fault } from '../shared/fault.ts';
import { wantsMore } from './short-way.ts';

/** The fields of a form that a portal has sent and proven to be its own. */
export interface PortalForm {
  readonly client: Client;
  readonly fields: Readonly<Record<string, string | undefined>>;
}

/** Says of a field whether the endpoint knows it by this name and with this value, beside the others, which are not yet judged. */
export type KnownField = (name: string, value: string, fields: Readonly<Record<string, unknown>>) => boolean;

/**
 * Reads the form of a client that proves itself with its secret the way it is registered (RFC 6749 2.3.1). Undefined for anything
 * else: another proof, a field that is not known, stands twice or says nothing. The body is only looked at, never taken, so that
 * the library reads it as if nobody had been here. Throws `Fault('malformed_request')` when the sender went away within its body.
 */
export async function readPortalForm(
  { req }: Context,
  provider: Provider,
  isKnown: KnownField,
): Promise<PortalForm | undefined> {
  if (!isOrdinary(req)) return undefined;
  const body = await peekBody(req);
  const fields = body && fieldsOf(body, isKnown);
  const proof = fields && proofOf(req.headers.authorization, fields);
  if (!proof) return undefined;
  const client = await provider.Client.find(proof.clientId);
  return client !== undefined && proves(client, proof) ? { client, fields } : undefined;
}

const MEDIA_TYPE = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i;

function isOrdinary(request: IncomingMessage): boolean {
  const { method, headers, url = '' } = request;
  return (
    method === 'POST' &&
    !url.includes('?') &&
    !wantsMore(request) &&
    headers['content-encoding'] === undefined &&
    MEDIA_TYPE.test(headers['content-type'] ?? '')
  );
}

/** A token, what is said of it and a client's credentials fit three times over. */
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

type Fields = PortalForm['fields'];

const PRINTABLE = /^[\x21-\x7e]+$/;

/** The fields of a form in which each is known, stands once and says something; undefined for any other. */
function fieldsOf(body: Buffer, isKnown: KnownField): Fields | undefined {
  const fields = parse(body.toString()); // by the function the library parses with
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'string') return undefined;
    const isCredential = name === 'client_id' || name === 'client_secret';
    if (!(isCredential ? PRINTABLE.test(value) : isKnown(name, value, fields))) return undefined;
  }
  return fields as Fields;
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
function proofOf(authorization: string | undefined, fields: Fields): Proof | undefined {
  const { client_id: clientId, client_secret: clientSecret } = fields;
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
