import { CallFailure } from '../../calling/call-failure.ts';
import { type GuardedFetch, postJson } from '../../calling/json-exchange.ts';
import { nowMs } from '../../shared/clock.ts';
import { equalInConstantTime, hmacKey } from '../digests.ts';
import { answerMac, SIGNATURE_SERVER_HEADERS as HEADERS, requestMac } from './signature-server-message.ts';

/** Posts one JSON text and resolves with the text of an answer that is genuine. Rejects with `CallFailure` for everything else. */
export type SignatureServerTransport = (url: string, nonce: string, body: string) => Promise<string>;

const TIMESTAMP = /^\d{13}$/;
const MAC = /^[0-9a-f]{64}$/;

/** TLS with certificates on both sides vouches for both. */
export const createTlsTransport =
  (fetch: GuardedFetch): SignatureServerTransport =>
  async (url, _nonce, body) =>
    (await postJson(fetch, url, body, {})).text;

/** Requests and answers carry an HMAC-SM3 under a key of at least 32 bytes that both sides hold. */
export function createSharedKeyTransport(sources: {
  readonly fetch: GuardedFetch;
  readonly appId: string;
  readonly sharedKey: Uint8Array;
  /** How far the server's clock may be from ours. */
  readonly clockSkewSeconds: number;
}): SignatureServerTransport {
  const { fetch, appId, clockSkewSeconds } = sources;
  const key = hmacKey(sources.sharedKey);
  return async (url, nonce, body) => {
    const path = new URL(url).pathname;
    const timestamp = String(nowMs());
    const { text, headers } = await postJson(fetch, url, body, {
      [HEADERS.app]: appId,
      [HEADERS.timestamp]: timestamp,
      [HEADERS.nonce]: nonce,
      [HEADERS.mac]: requestMac(key, { path, appId, timestamp, nonce, body }),
    });
    const madeAt = headers.get(HEADERS.timestamp) ?? '';
    const mac = headers.get(HEADERS.mac) ?? '';
    if (!TIMESTAMP.test(madeAt) || !MAC.test(mac)) throw new CallFailure('signature');
    const expected = answerMac(key, { path, appId, timestamp: madeAt, nonce, body: text });
    if (!equalInConstantTime(Buffer.from(mac, 'hex'), Buffer.from(expected, 'hex'))) throw new CallFailure('signature');
    if (Math.abs(Number(madeAt) - nowMs()) > clockSkewSeconds * 1000) throw new CallFailure('clock');
    return text;
  };
}
