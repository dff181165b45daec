import type { TestPortal } from './server.ts';

/** Requests as text, so that what no client of ours would send can be sent too. `{host}` is put in by whoever sends them. */

export type Fields = Readonly<Record<string, string>>;

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' } as const;

export const raw = (method: string, path: string, headers: Fields, body?: string): string =>
  [
    `${method} ${path} HTTP/1.1`,
    'Host: {host}',
    'Connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    '',
    body ?? '',
  ].join('\r\n');

export const credentials = (text: string): Fields => ({ authorization: `Basic ${btoa(text)}` });

export const form = (fields: Fields): string => new URLSearchParams(fields).toString();

/** How a portal names and proves itself in the body of its request. */
export const inBody = ({ id, secret }: TestPortal): Fields => ({ client_id: id, client_secret: secret });

/** Head and body apart, the body in two. */
export function inPieces(request: string): readonly string[] {
  const at = request.indexOf('\r\n\r\n') + 4;
  return [request.slice(0, at), request.slice(at, at + 9), request.slice(at + 9)];
}
