import type { KeyObject } from 'node:crypto';
import { hmacSm3, sm3 } from '../digests.ts';

/** The headers of both directions where both sides share a key, lower-case as Node hands them over. */
export const SIGNATURE_SERVER_HEADERS = {
  app: 'x-svs-app',
  timestamp: 'x-svs-timestamp',
  nonce: 'x-svs-nonce',
  mac: 'x-svs-mac',
} as const;

/** `path` as it stands in the request line; `timestamp` in epoch milliseconds; `nonce` is the id of the request. */
export interface MessageParts {
  readonly path: string;
  readonly appId: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly body: string;
}

/**
 * HMAC-SM3 over one value a line, the body as its SM3 digest, in 64 hexadecimal digits. The first line keeps requests and answers
 * apart, so that neither can be sent back as the other; an answer covers path and nonce of its request. None of the values can hold a
 * line break: each comes from a header, a request line or a digest.
 */
export const requestMac = (key: KeyObject, parts: MessageParts): string => macOf(key, 'TONGBAN-SVS-REQUEST-1', parts);
export const answerMac = (key: KeyObject, parts: MessageParts): string => macOf(key, 'TONGBAN-SVS-ANSWER-1', parts);

const macOf = (key: KeyObject, direction: string, { path, appId, timestamp, nonce, body }: MessageParts): string =>
  hmacSm3(key, [direction, path, appId, timestamp, nonce, sm3(body).toString('hex')].join('\n')).toString('hex');
