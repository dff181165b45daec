import { SM2_PUBLIC_KEY_BYTES } from '../signer.ts';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OCTETS = 0x04;
const NUMBER_BYTES = 32;
const C3_BYTES = 32;
const LONG_FORM = 0x80;
const UNCOMPRESSED = 4;

/**
 * SEQUENCE { r, s } (GM/T 0009, GB/T 35276) of the 64 bytes r || s, as certificates and older portals have it. The caller has
 * checked the length.
 */
export const sm2SignatureToDer = (raw: Uint8Array): Buffer =>
  element(SEQUENCE, integer(raw.subarray(0, NUMBER_BYTES)), integer(raw.subarray(NUMBER_BYTES)));

/** The 64 bytes r || s, or undefined for anything but the one DER form of two numbers of at most 256 bits (R8). */
export function sm2SignatureFromDer(der: Uint8Array): Buffer | undefined {
  const [r, s, ...others] = parts(der) ?? [];
  if (others.length > 0 || r?.tag !== INTEGER || s?.tag !== INTEGER) return undefined;
  const [left, right] = [numberOf(r.content), numberOf(s.content)];
  return left && right && Buffer.concat([left, right]);
}

/** SEQUENCE { x, y, C3, C2 } (GM/T 0009) of 04 || X || Y || C3 || C2, which is what encryption makes. */
export const sm2CiphertextToDer = (raw: Uint8Array): Buffer =>
  element(
    SEQUENCE,
    integer(raw.subarray(1, 1 + NUMBER_BYTES)),
    integer(raw.subarray(1 + NUMBER_BYTES, SM2_PUBLIC_KEY_BYTES)),
    element(OCTETS, raw.subarray(SM2_PUBLIC_KEY_BYTES, SM2_PUBLIC_KEY_BYTES + C3_BYTES)),
    element(OCTETS, raw.subarray(SM2_PUBLIC_KEY_BYTES + C3_BYTES)),
  );

/** 04 || X || Y || C3 || C2, or undefined for anything but the one DER form of a ciphertext. */
export function sm2CiphertextFromDer(der: Uint8Array): Buffer | undefined {
  const [x, y, c3, c2, ...others] = parts(der) ?? [];
  if (others.length > 0 || x?.tag !== INTEGER || y?.tag !== INTEGER || c3?.tag !== OCTETS || c2?.tag !== OCTETS) {
    return undefined;
  }
  const [left, right] = [numberOf(x.content), numberOf(y.content)];
  if (left === undefined || right === undefined || c3.content.length !== C3_BYTES) return undefined;
  return Buffer.concat([Uint8Array.of(UNCOMPRESSED), left, right, c3.content, c2.content]);
}

interface Part {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The elements of the one SEQUENCE that fills these bytes to the last; undefined where a length is not in its shortest form. */
function parts(der: Uint8Array): readonly Part[] | undefined {
  const outer = partAt(der, 0);
  if (outer?.part.tag !== SEQUENCE || outer.end !== der.length) return undefined;
  const found: Part[] = [];
  for (let at = 0; at < outer.part.content.length; ) {
    const inner = partAt(outer.part.content, at);
    if (inner === undefined) return undefined;
    found.push(inner.part);
    at = inner.end;
  }
  return found;
}

function partAt(bytes: Uint8Array, at: number): { readonly part: Part; readonly end: number } | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  let [start, length] = [at + 2, first];
  if (first >= LONG_FORM) {
    const lengthBytes = first - LONG_FORM;
    if (lengthBytes < 1 || lengthBytes > 2) return undefined;
    const digits = bytes.subarray(start, start + lengthBytes);
    length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
    start += lengthBytes;
    if (digits.length < lengthBytes || length < (lengthBytes === 1 ? LONG_FORM : 256)) return undefined;
  }
  const end = start + length;
  return end > bytes.length ? undefined : { part: { tag, content: bytes.subarray(start, end) }, end };
}

/** The 32 bytes of a whole number in its shortest form, not negative; undefined for any other. */
function numberOf(content: Uint8Array): Buffer | undefined {
  const [first = LONG_FORM, second = LONG_FORM] = content;
  if (first >= LONG_FORM || (first === 0 && content.length > 1 && second < LONG_FORM)) return undefined;
  const digits = first === 0 ? content.subarray(1) : content;
  if (digits.length > NUMBER_BYTES) return undefined;
  const number = Buffer.alloc(NUMBER_BYTES);
  number.set(digits, NUMBER_BYTES - digits.length);
  return number;
}

function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = bytes.subarray(first < 0 ? bytes.length - 1 : first);
  return element(INTEGER, digits[0]! < LONG_FORM ? digits : Buffer.concat([Uint8Array.of(0), digits]));
}

function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, { length: bytes }) => sum + bytes, 0);
  const head = length < LONG_FORM ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...head), ...contents]);
}
