/** One element of a DER encoding (X.690). `whole` is what a signature over it covers. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  objectId: 0x06,
  enumerated: 0x0a,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** What is not the one DER form of what was expected. Stays within this room: readers answer with undefined. */
export class NotDer extends Error {}

const LONG_FORM = 0x80;
const LENGTH_BYTES_MAX = 3;
const HIGH_TAG = 0x1f;

/** The elements that fill these bytes to the last. Throws `NotDer` where a length is not in its shortest form (X.690 10.1). */
export function elements(bytes: Uint8Array): readonly DerElement[] {
  const found: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element = elementAt(bytes, at);
    found.push(element);
    at += element.whole.length;
  }
  return found;
}

/** The one element that is all of these bytes, with this tag. */
export function only(bytes: Uint8Array, tag: number): DerElement {
  const [element, ...others] = elements(bytes);
  return others.length === 0 ? expect(element, tag) : fail();
}

export function expect(element: DerElement | undefined, tag: number): DerElement {
  return element?.tag === tag ? element : fail();
}

export function fail(): never {
  throw new NotDer('not the DER form of what was expected');
}

function elementAt(bytes: Uint8Array, at: number): DerElement {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  if (tag === undefined || first === undefined || (tag & HIGH_TAG) === HIGH_TAG) return fail();
  let start = at + 2;
  let length = first;
  if (first >= LONG_FORM) {
    const count = first - LONG_FORM;
    const digits = bytes.subarray(start, start + count);
    if (count < 1 || count > LENGTH_BYTES_MAX || digits.length < count || digits[0] === 0) return fail();
    length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
    if (length < LONG_FORM) return fail();
    start += count;
  }
  const end = start + length;
  if (end > bytes.length) return fail();
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) };
}

/** An object identifier with dots. */
export function objectId(element: DerElement | undefined): string {
  const { content } = expect(element, TAG.objectId);
  const numbers: number[] = [];
  let value = 0;
  for (const [place, byte] of content.entries()) {
    if (value === 0 && byte === LONG_FORM) return fail();
    value = value * 128 + (byte & 127);
    if (byte >= LONG_FORM) {
      if (place === content.length - 1 || value > 0xffff_ffff) return fail();
      continue;
    }
    numbers.push(value);
    value = 0;
  }
  const [head, ...rest] = numbers;
  if (head === undefined) return fail();
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...rest].join('.');
}

/** A whole number, not negative, in hexadecimal digits without zeros in front. */
export function positiveInteger(element: DerElement | undefined): string {
  const { content } = expect(element, TAG.integer);
  const [first, second = LONG_FORM] = content;
  if (first === undefined || first >= LONG_FORM || (first === 0 && content.length > 1 && second < LONG_FORM))
    return fail();
  return Buffer.from(content)
    .toString('hex')
    .replace(/^0+(?=.)/, '');
}

/** True; DER writes false by leaving it out. */
export function truth(element: DerElement | undefined): true {
  const { content } = expect(element, TAG.boolean);
  return content.length === 1 && content[0] === 0xff ? true : fail();
}

/** The bytes of a bit string of whole bytes, as keys and signatures are. */
export function wholeBits(element: DerElement | undefined): Uint8Array {
  const { content } = expect(element, TAG.bits);
  return content[0] === 0 ? content.subarray(1) : fail();
}

/** The numbers of the bits that are set, in the order of named bit lists (X.690 11.2: no zeros at the end). */
export function namedBits(element: DerElement | undefined): ReadonlySet<number> {
  const { content } = expect(element, TAG.bits);
  const [unused = 8, ...bytes] = content;
  const last = bytes.at(-1) ?? 0;
  if (unused > 7 || (bytes.length > 0 && (last >> unused) % 2 !== 1) || last % 2 ** unused !== 0) return fail();
  const set = bytes.flatMap((byte, at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].flatMap((bit) => (byte & (0x80 >> bit) ? [at * 8 + bit] : [])),
  );
  return new Set(set);
}

const UTC_TIME = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;

/** Epoch seconds; seconds and Z are a must, and two digits of a year from 50 on mean the last century (RFC 5280 4.1.2.5). */
export function time(element: DerElement | undefined): number {
  if (element?.tag !== TAG.utcTime && element?.tag !== TAG.generalizedTime) return fail();
  const isShort = element.tag === TAG.utcTime;
  const text = Buffer.from(element.content).toString('latin1');
  const [, year = '', ...rest] = (isShort ? UTC_TIME : GENERALIZED_TIME).exec(text) ?? fail();
  const century = isShort ? (Number(year) < 50 ? '20' : '19') : '';
  const [month, day, hour, minute, second] = rest;
  const ms = Date.parse(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? fail() : ms / 1000;
}
