import { sm3 } from '../crypto/digests.ts';

/** What a signed request is made of. `path` with the query, as it stands in the request line; `timestamp` in epoch milliseconds. */
export interface RequestParts {
  readonly path: string;
  readonly appId: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly body: string;
}

/** What a signed answer is made of. `nonce` is that of the request: an answer to another request has another signature. */
export interface AnswerParts {
  readonly status: number;
  readonly appId: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly body: string;
}

/** The headers of both directions, lower-case as Node hands them over. */
export const REGISTER_HEADERS = {
  app: 'x-register-app',
  timestamp: 'x-register-timestamp',
  nonce: 'x-register-nonce',
  signature: 'x-register-signature',
} as const;

/**
 * The bytes that are signed (SM3withSM2, user id 1234567812345678): one value a line, the body as its SM3 digest. The first line
 * keeps requests and answers apart, so that neither can be sent back as the other. None of the values can hold a line break: each
 * comes from a header, a request line or a digest.
 */
export const requestText = ({ path, appId, timestamp, nonce, body }: RequestParts): Buffer =>
  lines('TONGBAN-REGISTER-REQUEST-1', 'POST', path, appId, timestamp, nonce, digestOf(body));

export const answerText = ({ status, appId, timestamp, nonce, body }: AnswerParts): Buffer =>
  lines('TONGBAN-REGISTER-ANSWER-1', String(status), appId, timestamp, nonce, digestOf(body));

const lines = (...values: readonly string[]): Buffer => Buffer.from(values.join('\n'), 'utf8');
const digestOf = (body: string): string => sm3(body).toString('hex');
