/** A JWS in compact form (RFC 7515 7.1), taken apart and not verified. */
export interface CompactJws {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  /** The bytes that are signed: both parts as they came. */
  readonly input: Buffer;
  readonly signature: Buffer;
}

/** No token or assertion of ours comes near it; a longer text is not looked at (B9). */
const CHARACTERS_MAX = 16_384;
const COMPACT = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/;

/**
 * Takes a compact JWS apart. Undefined for everything else: other alphabets, blanks, padding and bits that mean nothing, parts that
 * are no JSON objects (B9), and a header with `crit`, `b64` or `zip`, none of which we understand (RFC 7515 4.1.11, B2).
 */
export function readCompactJws(text: string): CompactJws | undefined {
  const found = text.length <= CHARACTERS_MAX ? COMPACT.exec(text) : null;
  if (found === null) return undefined;
  const [, first = '', second = '', third = ''] = found;
  const header = objectIn(first);
  const payload = objectIn(second);
  const signature = bytesIn(third);
  if (header === undefined || payload === undefined || signature === undefined) return undefined;
  if ('crit' in header || 'b64' in header || 'zip' in header) return undefined;
  return { header, payload, input: Buffer.from(`${first}.${second}`, 'latin1'), signature };
}

function bytesIn(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? bytes : undefined;
}

function objectIn(part: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = bytesIn(part);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
