import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { readBody } from './forms.ts';

/** What an upload may hold at most. */
export interface UploadLimits {
  readonly filesMax: number;
  readonly fileBytesMax: number;
}

/** A file as a browser sent it; an input in which nothing was chosen sends none. `name` is what the sender calls it. */
export interface UploadedFile {
  readonly field: string;
  readonly name: string;
  readonly content: Uint8Array;
}

export type UploadOutcome<Values> =
  | { readonly state: 'read'; readonly values: Values; readonly files: readonly UploadedFile[] }
  | { readonly state: 'malformed' | 'too_large' | 'interrupted' };

const FIELDS_MAX = 20;
const FIELD_BYTES_MAX = 8192;
const HEADER_BYTES_MAX = 1024;
const NAME_CHARS_MAX = 255;
/** RFC 2046 5.1.1: at most 70 characters; browsers use letters, digits and hyphens. */
const BOUNDARY = /^multipart\/form-data;\s*boundary="?([A-Za-z0-9'()+_,./:=?-]{1,70})"?$/;
const DISPOSITION = /^content-disposition:\s*form-data;\s*name="([^"\r\n]*)"(?:;\s*filename="([^"\r\n]*)")?\s*$/im;

/**
 * Reads a form with files (multipart/form-data, RFC 7578), as browsers send it: no nesting, no encodings, no parts without a name.
 * A body that outgrows what the limits allow is left unread, and so is one of another type. Each field once, as in `readForm`.
 */
export async function readUpload<Values>(
  request: IncomingMessage,
  schema: z.ZodType<Values>,
  limits: UploadLimits,
): Promise<UploadOutcome<Values>> {
  const boundary = BOUNDARY.exec(request.headers['content-type'] ?? '')?.[1];
  if (boundary === undefined || request.headers['content-encoding'] !== undefined) return { state: 'malformed' };
  const bytesMax = bodyBytesMax(limits);
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return { state: 'too_large' };
  const body = await readBody(request, bytesMax);
  return typeof body === 'string' ? { state: body } : parseUpload(body, boundary, schema, limits);
}

const bodyBytesMax = ({ filesMax, fileBytesMax }: UploadLimits): number =>
  filesMax * (fileBytesMax + HEADER_BYTES_MAX) + FIELDS_MAX * (FIELD_BYTES_MAX + HEADER_BYTES_MAX);

/** The pure half of `readUpload`: a body already in hand. */
export function parseUpload<Values>(
  body: Buffer,
  boundary: string,
  schema: z.ZodType<Values>,
  limits: UploadLimits,
): UploadOutcome<Values> {
  const fields: Record<string, string> = Object.create(null);
  const files: UploadedFile[] = [];
  const parts = partsOf(body, boundary);
  if (parts === undefined) return { state: 'malformed' };
  for (const part of parts) {
    const [, name, fileName] = DISPOSITION.exec(part.header) ?? [];
    if (name === undefined || /\\/.test(name)) return { state: 'malformed' };
    if (fileName === undefined) {
      if (part.content.length > FIELD_BYTES_MAX || Object.keys(fields).length >= FIELDS_MAX)
        return { state: 'too_large' };
      const value = part.content.toString('utf8');
      if (name in fields || value.includes('\ufffd')) return { state: 'malformed' };
      fields[name] = value;
      continue;
    }
    if (fileName === '' && part.content.length === 0) continue;
    if (files.length >= limits.filesMax || part.content.length > limits.fileBytesMax) return { state: 'too_large' };
    files.push({ field: name, name: fileName.slice(0, NAME_CHARS_MAX), content: part.content });
  }
  const parsed = schema.safeParse({ ...fields });
  return parsed.success ? { state: 'read', values: parsed.data, files } : { state: 'malformed' };
}

interface Part {
  readonly header: string;
  readonly content: Buffer;
}

const PARTS_MAX = 64;

/** The parts between the boundaries; undefined for a body that does not begin, go on and end as it should. */
function partsOf(body: Buffer, boundary: string): readonly Part[] | undefined {
  const first = Buffer.from(`--${boundary}\r\n`);
  const between = Buffer.from(`\r\n--${boundary}`);
  if (!body.subarray(0, first.length).equals(first)) return undefined;
  const parts: Part[] = [];
  let at = first.length;
  while (parts.length < PARTS_MAX) {
    const headerEnd = body.subarray(at, at + HEADER_BYTES_MAX).indexOf('\r\n\r\n');
    if (headerEnd < 0) return undefined;
    const start = at + headerEnd + 4;
    const end = body.indexOf(between, start);
    if (end < 0) return undefined;
    parts.push({ header: body.toString('utf8', at, at + headerEnd), content: body.subarray(start, end) });
    const after = end + between.length;
    const next = body.toString('latin1', after, after + 2);
    if (next === '--') return parts;
    if (next !== '\r\n') return undefined;
    at = after + 2;
  }
  return undefined;
}
