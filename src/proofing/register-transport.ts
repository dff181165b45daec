import { CallFailure } from '../calling/call-failure.ts';
import { type GuardedFetch, postJson } from '../calling/json-exchange.ts';
import { type Signer, SM2_SIGNATURE_BYTES } from '../crypto/signer.ts';
import { nowMs } from '../shared/clock.ts';
import { answerText, REGISTER_HEADERS, requestText } from './register-message.ts';

/** Sends one JSON text and resolves with the text of an answer that is genuine. Rejects with `CallFailure` for everything else. */
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

const BASE64 = /^[A-Za-z0-9+/]{86}==$/;
const TIMESTAMP = /^\d{13}$/;

/** TLS with certificates on both sides vouches for both: the connection is the proof, and nothing else is signed. */
export function createPlainTransport(fetch: GuardedFetch): RegisterTransport {
  return async (url, nonce, body) => (await postJson(fetch, url, body, { [REGISTER_HEADERS.nonce]: nonce })).text;
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
    const { text, headers } = await postJson(fetch, url, body, {
      [REGISTER_HEADERS.app]: appId,
      [REGISTER_HEADERS.timestamp]: timestamp,
      [REGISTER_HEADERS.nonce]: nonce,
      [REGISTER_HEADERS.signature]: signed.toString('base64'),
    });
    const madeAt = headers.get(REGISTER_HEADERS.timestamp) ?? '';
    const signature = signatureOf(headers.get(REGISTER_HEADERS.signature) ?? '');
    if (signature === undefined || !TIMESTAMP.test(madeAt)) throw new CallFailure('signature');
    const message = answerText({ status: 200, appId, timestamp: madeAt, nonce, body: text });
    if (!verify(message, signature)) throw new CallFailure('signature');
    if (Math.abs(Number(madeAt) - nowMs()) > clockSkewSeconds * 1000) throw new CallFailure('clock');
    return text;
  };
}

function signatureOf(text: string): Buffer | undefined {
  if (!BASE64.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === SM2_SIGNATURE_BYTES ? bytes : undefined;
}
