import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { createSm2Verifier } from '../../src/crypto/sm2-software-signer.ts';

/** The one application that may ask, by its name and its SM2 public key (04 || X || Y in hexadecimal). */
export interface Caller {
  readonly appId: string;
  readonly publicKey: string;
}

const CLOCK_SKEW_MS = 60_000;
const NONCE = /^[\w-]{16,64}$/;
const NONCES_MAX = 100_000;

const sm3 = (text: string): string => createHash('sm3').update(text).digest('hex');

/** What the signature of a request covers: one value a line, then the SM3 digest of the body. */
export const requestText = (path: string, headers: IncomingHttpHeaders, body: string): string =>
  [
    'TONGBAN-REGISTER-REQUEST-1',
    'POST',
    path,
    headers['x-register-app'],
    headers['x-register-timestamp'],
    headers['x-register-nonce'],
    sm3(body),
  ].join('\n');

/** What the signature of an answer covers. The nonce is that of the request: an answer belongs to one question. */
export const answerText = (answer: {
  readonly status: number;
  readonly appId: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly body: string;
}): string =>
  [
    'TONGBAN-REGISTER-ANSWER-1',
    String(answer.status),
    answer.appId,
    answer.timestamp,
    answer.nonce,
    sm3(answer.body),
  ].join('\n');

/** Says why a request is not genuine, or undefined when it is. Each nonce counts once while its timestamp would be accepted. */
export function createGate(
  caller: Caller,
): (path: string, headers: IncomingHttpHeaders, body: string) => string | undefined {
  const verifier = createSm2Verifier(Buffer.from(caller.publicKey, 'hex'));
  const seen = new Map<string, number>();
  return (path, headers, body) => {
    const { 'x-register-app': app, 'x-register-timestamp': timestamp, 'x-register-nonce': nonce } = headers;
    if (app !== caller.appId) return 'unknown application';
    const now = Date.now();
    if (Math.abs(Number(timestamp) - now) > CLOCK_SKEW_MS || !/^\d{13}$/.test(String(timestamp))) return 'clock';
    if (typeof nonce !== 'string' || !NONCE.test(nonce)) return 'nonce';
    const signature = Buffer.from(String(headers['x-register-signature']), 'base64');
    if (!verifier.verify(Buffer.from(requestText(path, headers, body)), signature)) return 'signature';
    for (const [old, at] of seen) {
      if (now - at <= 2 * CLOCK_SKEW_MS && seen.size < NONCES_MAX) break;
      seen.delete(old);
    }
    if (seen.has(nonce)) return 'repeated';
    seen.set(nonce, now);
    return undefined;
  };
}
