import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';

export const BODY_BYTES_MAX = 56 * 1024;
export const PARAMETERS_MAX = 1000;

/** The fields of a form that fits its schema, or why there are none. `fields` names what did not fit, for the log; never values. */
export type FormOutcome<Values> =
  | { readonly state: 'read'; readonly values: Values }
  | { readonly state: 'malformed'; readonly fields: readonly string[] }
  | { readonly state: 'too_large' }
  | { readonly state: 'interrupted' };

/**
 * Reads a form sent as application/x-www-form-urlencoded, at most 56 KiB and 1000 parameters (G6). A field sent twice, a field the
 * schema does not know (give it a strict object), text that is not UTF-8, another media type or a compressed body are malformed.
 */
export async function readForm<Values>(
  request: IncomingMessage,
  schema: z.ZodType<Values>,
): Promise<FormOutcome<Values>> {
  if (!isPlainForm(request)) return { state: 'malformed', fields: ['content-type'] };
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) return { state: 'too_large' };
  const body = await readBody(request);
  return typeof body === 'string' ? { state: body } : parseForm(body.toString('utf8'), schema);
}

/** The pure half of `readForm`: a body already in hand. */
export function parseForm<Values>(body: string, schema: z.ZodType<Values>): FormOutcome<Values> {
  if (body.length > BODY_BYTES_MAX || separators(body) >= PARAMETERS_MAX) return { state: 'too_large' };
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(body)) {
    if (name in fields || `${name}${value}`.includes('\ufffd'))
      return { state: 'malformed', fields: [name.slice(0, 64)] };
    fields[name] = value;
  }
  const parsed = schema.safeParse(fields);
  if (parsed.success) return { state: 'read', values: parsed.data };
  return {
    state: 'malformed',
    fields: parsed.error.issues.slice(0, 8).map(({ path, code }) => path.join('.') || code),
  };
}

function isPlainForm({ headers }: IncomingMessage): boolean {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') return false;
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';', 4);
  return (
    type.trim() === 'application/x-www-form-urlencoded' &&
    parameters.every((parameter) => parameter.trim().replaceAll('"', '') === 'charset=utf-8')
  );
}

function separators(body: string): number {
  let count = 0;
  for (let at = body.indexOf('&'); at >= 0; at = body.indexOf('&', at + 1)) count += 1;
  return count;
}

/** Reads a body of at most 56 KiB, unless told otherwise. One above the limit is not read to its end: the caller answers, and the connection is cut when the time for a request is over. */
export function readBody(
  request: IncomingMessage,
  bytesMax = BODY_BYTES_MAX,
): Promise<Buffer | 'too_large' | 'interrupted'> {
  // Nothing more would be heard of one that has ended or broken off.
  if (request.readableEnded) return Promise.resolve(Buffer.alloc(0));
  if (request.destroyed) return Promise.resolve('interrupted');
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    // By events: an iterator over a stream brings listeners and promises of its own. What is told first counts.
    request
      .on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= bytesMax) return void chunks.push(chunk);
        request.pause();
        resolve('too_large');
      })
      .once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes)))
      .once('error', () => resolve('interrupted'))
      .once('close', () => resolve('interrupted'));
  });
}
