import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** The one application that may ask, and the key both sides hold. */
export interface Caller {
  readonly appId: string;
  readonly sharedKey: Buffer;
}

const CLOCK_SKEW_MS = 60_000;
const NONCE = /^[\w-]{16,64}$/;
const MAC = /^[0-9a-f]{64}$/;
const NONCES_MAX = 100_000;

export interface Message {
  readonly path: string;
  readonly appId: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly body: string;
}

/** HMAC-SM3 over one value a line, the body as its SM3 digest. */
export function macOf(key: Buffer, direction: 'REQUEST' | 'ANSWER', message: Message): string {
  const { path, appId, timestamp, nonce, body } = message;
  const digest = createHash('sm3').update(body).digest('hex');
  const lines = [`TONGBAN-SVS-${direction}-1`, path, appId, timestamp, nonce, digest];
  return createHmac('sm3', key).update(lines.join('\n')).digest('hex');
}

/** Says why a request is not genuine, or undefined when it is. Each nonce counts once while its timestamp would be accepted. */
export function createGate({
  appId,
  sharedKey,
}: Caller): (path: string, headers: IncomingHttpHeaders, body: string) => string | undefined {
  const seen = new Map<string, number>();
  return (path, headers, body) => {
    const { 'x-svs-app': app, 'x-svs-timestamp': timestamp, 'x-svs-nonce': nonce, 'x-svs-mac': mac } = headers;
    if (app !== appId) return 'unknown application';
    const now = Date.now();
    if (typeof timestamp !== 'string' || !/^\d{13}$/.test(timestamp)) return 'clock';
    if (Math.abs(Number(timestamp) - now) > CLOCK_SKEW_MS) return 'clock';
    if (typeof nonce !== 'string' || !NONCE.test(nonce)) return 'nonce';
    if (typeof mac !== 'string' || !MAC.test(mac)) return 'mac';
    const expected = macOf(sharedKey, 'REQUEST', { path, appId, timestamp, nonce, body });
    if (!timingSafeEqual(Buffer.from(mac, 'hex'), Buffer.from(expected, 'hex'))) return 'mac';
    for (const [old, at] of seen) {
      if (now - at <= 2 * CLOCK_SKEW_MS && seen.size < NONCES_MAX) break;
      seen.delete(old);
    }
    if (seen.has(nonce)) return 'repeated';
    seen.set(nonce, now);
    return undefined;
  };
}
