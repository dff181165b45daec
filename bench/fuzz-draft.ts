import { latin1 } from './fuzz-values.ts';

export type Pair = readonly [name: string, value: string];

/** A request before it is written down: names and values of query and form are already percent-encoded. */
export interface Draft {
  readonly route: string;
  readonly method: string;
  readonly path: string;
  readonly query: readonly Pair[];
  readonly form: readonly Pair[] | undefined;
  readonly body: string | undefined;
  readonly contentType: string | undefined;
  readonly headers: readonly Pair[];
  readonly cookies: readonly Pair[];
  /** Not HTTP any more: the server may hang up without an answer. */
  readonly malformed: boolean;
}

/** A request as it goes over the wire. */
export interface FuzzCase {
  readonly number: number;
  readonly route: string;
  readonly bytes: Buffer;
  readonly bodiless: boolean;
  readonly malformed: boolean;
  /** Larger than any body or head the server takes: it may refuse and hang up before all of it has arrived. */
  readonly oversize: boolean;
}

const BODY_BYTES_MAX = 56 * 1024;
const HEAD_BYTES_MAX = 15 * 1024;

const join = (pairs: readonly Pair[]): string => pairs.map(([name, value]) => `${name}=${value}`).join('&');

/** Writes the request down byte by byte, adding only what it could not be read without. */
export function write(number: number, draft: Draft, host: string): FuzzCase {
  const body = draft.body ?? (draft.form ? join(draft.form) : undefined);
  const query = draft.query.length > 0 ? `?${join(draft.query)}` : '';
  const lines = [`${draft.method} ${draft.path}${query} HTTP/1.1`];
  if (!draft.headers.some(([name]) => name === 'Host')) lines.push(`Host: ${host}`);
  if (draft.cookies.length > 0)
    lines.push(`Cookie: ${draft.cookies.map(([name, value]) => `${name}=${value}`).join('; ')}`);
  if (draft.contentType !== undefined) lines.push(`Content-Type: ${draft.contentType}`);
  for (const [name, value] of draft.headers) lines.push(`${name}: ${value}`);
  const bodyBytes = Buffer.from(latin1(body ?? ''), 'latin1');
  if (body !== undefined) lines.push(`Content-Length: ${bodyBytes.length}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return {
    number,
    route: draft.route,
    bytes: Buffer.concat([head, bodyBytes]),
    bodiless: draft.method === 'HEAD',
    malformed: draft.malformed,
    oversize: bodyBytes.length > BODY_BYTES_MAX || head.length > HEAD_BYTES_MAX,
  };
}
