import { type Signer, SM2_SIGNATURE_BYTES } from '../crypto/signer.ts';
import { nowMs } from '../shared/clock.ts';
import { answerText, REGISTER_HEADERS, requestText } from './register-message.ts';

/** Why a register could not be understood; a closed list, told to metrics and logs. */
export type RegisterTrouble =
  | 'unreachable'
  | 'timed_out'
  | 'redirected'
  | 'body_too_large'
  | 'status'
  | 'content_type'
  | 'signature'
  | 'clock'
  | 'form'
  | 'other_request';

/** Thrown on the way to a register and back; caught by the register's client. Holds nothing of what was asked or answered. */
export class RegisterFailure extends Error {
  override readonly name = 'RegisterFailure';
  readonly trouble: RegisterTrouble;

  constructor(trouble: RegisterTrouble, cause?: unknown) {
    super(trouble, cause === undefined ? undefined : { cause });
    this.trouble = trouble;
  }
}

/**
 * The guarded client of the composition root: one origin, no redirects, a deadline over the whole exchange, so many bytes. Rejects
 * with an error whose `reason` says why.
 */
export type GuardedFetch = (url: string, options: RequestInit) => Promise<Response>;

/** Sends one JSON text and resolves with the text of an answer that is genuine. Rejects with `RegisterFailure` for everything else. */
export type RegisterTransport = (url: string, nonce: string, body: string) => Promise<string>;

/** Who signs for us, and by which key we know the register. */
export interface SignedTransportSources {
  readonly fetch: GuardedFetch;
  readonly appId: string;
  readonly signer: Pick<Signer, 'sign'>;
  /** Whether this signature is the register's over this message. */
  readonly verify: (message: Uint8Array, signature: Uint8Array) => boolean;
  /** How far the register's clock may be from ours. */
  readonly clockSkewSeconds: number;
}

const JSON_TYPE = /^application\/json\s*(;|$)/i;
const BASE64 = /^[A-Za-z0-9+/]{86}==$/;
const TIMESTAMP = /^\d{13}$/;

/** TLS with certificates on both sides vouches for both: the connection is the proof, and nothing else is signed. */
export function createPlainTransport(fetch: GuardedFetch): RegisterTransport {
  return async (url, nonce, body) => {
    const answer = await exchange(fetch, url, body, { [REGISTER_HEADERS.nonce]: nonce });
    return textOf(answer);
  };
}

/**
 * Requests signed with SM2 and answers verified likewise (GB/T 32918.2, base64 of R || S). The signature of an answer covers the
 * nonce of its request and the time it was made, so that a recorded one is worth nothing. Statuses other than 200 are refused
 * before anything is verified.
 */
export function createSignedTransport(sources: SignedTransportSources): RegisterTransport {
  const { fetch, appId, signer, verify, clockSkewSeconds } = sources;
  return async (url, nonce, body) => {
    const { pathname, search } = new URL(url);
    const timestamp = String(nowMs());
    const signed = await signer.sign(requestText({ path: pathname + search, appId, timestamp, nonce, body }));
    const answer = await exchange(fetch, url, body, {
      [REGISTER_HEADERS.app]: appId,
      [REGISTER_HEADERS.timestamp]: timestamp,
      [REGISTER_HEADERS.nonce]: nonce,
      [REGISTER_HEADERS.signature]: signed.toString('base64'),
    });
    const text = await textOf(answer);
    const madeAt = answer.headers.get(REGISTER_HEADERS.timestamp) ?? '';
    const signature = signatureOf(answer.headers.get(REGISTER_HEADERS.signature) ?? '');
    if (signature === undefined || !TIMESTAMP.test(madeAt)) throw new RegisterFailure('signature');
    const message = answerText({ status: answer.status, appId, timestamp: madeAt, nonce, body: text });
    if (!verify(message, signature)) throw new RegisterFailure('signature');
    if (Math.abs(Number(madeAt) - nowMs()) > clockSkewSeconds * 1000) throw new RegisterFailure('clock');
    return text;
  };
}

async function exchange(
  fetch: GuardedFetch,
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body,
    });
  } catch (error) {
    throw new RegisterFailure(troubleOf(error), error);
  }
  if (answer.status !== 200) throw new RegisterFailure('status');
  if (!JSON_TYPE.test(answer.headers.get('content-type') ?? '')) throw new RegisterFailure('content_type');
  return answer;
}

/** Bytes that are no UTF-8 are no answer: a reader that repairs them would read another text than was signed. */
async function textOf(answer: Response): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await answer.arrayBuffer());
  } catch (error) {
    throw new RegisterFailure('form', error);
  }
}

function signatureOf(text: string): Buffer | undefined {
  if (!BASE64.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === SM2_SIGNATURE_BYTES ? bytes : undefined;
}

const KNOWN: ReadonlySet<unknown> = new Set<RegisterTrouble>(['timed_out', 'redirected', 'body_too_large']);

function troubleOf(error: unknown): RegisterTrouble {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return KNOWN.has(reason) ? (reason as RegisterTrouble) : 'unreachable';
}
