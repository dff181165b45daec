import { sm3 } from '../digests.ts';
import { SM2_PUBLIC_KEY_BYTES } from '../signer.ts';
import { sm2SignatureFromDer } from '../sm2/der.ts';
import { readSm2PublicKey, type Sm2PublicKey, verifySm2 } from '../sm2/sm2.ts';
import {
  type DerElement,
  elements,
  expect,
  fail,
  NotDer,
  namedBits,
  objectId,
  only,
  positiveInteger,
  TAG,
  time,
  truth,
  wholeBits,
} from './der.ts';

/** SM2 signature with SM3, the curve, and the public key of an elliptic curve (GM/T 0006). */
const SM2_WITH_SM3 = '1.2.156.10197.1.501';
const SM2_CURVE = '1.2.156.10197.1.301';
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';

const EXTENSION = { keyUsage: '2.5.29.15', basicConstraints: '2.5.29.19', purposes: '2.5.29.37' } as const;
/** Extensions that may be critical beside those we judge: they narrow nothing that matters here, or are checked by the authority. */
const HARMLESS_CRITICAL: ReadonlySet<string> = new Set(['2.5.29.32', '2.5.29.17']);

/** Bits of the extension key usage (RFC 5280 4.2.1.3). */
export const KEY_USAGE = {
  digitalSignature: 0,
  keyEncipherment: 2,
  dataEncipherment: 3,
  keyAgreement: 4,
  keyCertSign: 5,
  crlSign: 6,
} as const;

/** Of the extended key usage: proving oneself to a server, and everything (RFC 5280 4.2.1.12). */
export const PURPOSE = { clientAuthentication: '1.3.6.1.5.5.7.3.2', any: '2.5.29.37.0' } as const;

/** A certificate with an SM2 key, signed with SM2 (GB/T 20518). Read, and nothing of it believed yet. */
export interface Sm2Certificate {
  readonly serial: string;
  /** Names as they are encoded: compared byte by byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Epoch seconds. */
  readonly validFrom: number;
  readonly validTo: number;
  readonly key: Sm2PublicKey;
  /** Undefined where it says nothing of the use of its key. */
  readonly keyUsage: ReadonlySet<number> | undefined;
  /** Extended key usage; undefined where it names none. */
  readonly purposes: ReadonlySet<string> | undefined;
  readonly isAuthority: boolean;
  /** How many authorities may stand below it; undefined for any number. */
  readonly pathLength: number | undefined;
  /** SM3 of what the authority has signed: the outer form can not be varied to make two of one. */
  readonly fingerprint: string;
  readonly signed: SignedPart;
}

export interface SignedPart {
  readonly bytes: Uint8Array;
  /** 64 bytes, r || s. */
  readonly signature: Uint8Array;
}

/** Undefined for anything but the DER form of such a certificate; one with a critical extension we do not know is none. */
export function readSm2Certificate(der: Uint8Array): Sm2Certificate | undefined {
  return readable(() => {
    const { part, signed } = signedSequence(der);
    const [version, ...fields] = elements(part.content);
    if (version?.tag !== 0xa0 || positiveInteger(only(version.content, TAG.integer)) !== '2') return fail();
    const [serial, algorithm, issuer, validity, subject, keyInfo, ...more] = fields;
    sm2Algorithm(algorithm);
    const [from, to, ...others] = elements(expect(validity, TAG.sequence).content);
    if (others.length > 0) return fail();
    const extensions = extensionsOf(more.filter(({ tag }) => tag !== 0x81 && tag !== 0x82));
    const usage = extensions.get(EXTENSION.keyUsage);
    const constraints = extensions.get(EXTENSION.basicConstraints);
    const purposes = extensions.get(EXTENSION.purposes);
    return {
      serial: positiveInteger(serial),
      issuer: expect(issuer, TAG.sequence).whole,
      subject: expect(subject, TAG.sequence).whole,
      validFrom: time(from),
      validTo: time(to),
      key: keyOf(keyInfo),
      keyUsage: usage && namedBits(only(usage, TAG.bits)),
      purposes: purposes && new Set(elements(only(purposes, TAG.sequence).content).map(objectId)),
      ...constraintsOf(constraints),
      fingerprint: sm3(part.whole).toString('hex'),
      signed,
    };
  });
}

/** Runs a reader; what is not DER, or no point of the curve, is nothing. */
export function readable<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof NotDer) return undefined;
    throw error;
  }
}

/** SEQUENCE { part, algorithm, signature }, the form of certificates and of revocation lists. */
export function signedSequence(der: Uint8Array): { readonly part: DerElement; readonly signed: SignedPart } {
  const [part, algorithm, signature, ...others] = elements(only(der, TAG.sequence).content);
  if (others.length > 0) return fail();
  sm2Algorithm(algorithm);
  const raw = sm2SignatureFromDer(wholeBits(signature)) ?? fail();
  const signedPart = expect(part, TAG.sequence);
  return { part: signedPart, signed: { bytes: signedPart.whole, signature: raw } };
}

export function sm2Algorithm(element: DerElement | undefined): void {
  const [name, ...parameters] = elements(expect(element, TAG.sequence).content);
  // Some authorities write NULL, most nothing.
  const isPlain = parameters.length === 0 || (parameters.length === 1 && parameters[0]?.tag === 0x05);
  if (objectId(name) !== SM2_WITH_SM3 || !isPlain) fail();
}

/** Whether this key has signed it, with the user id of the standard. */
export const isSignedBy = ({ bytes, signature }: SignedPart, key: Sm2PublicKey): boolean =>
  verifySm2(bytes, signature, key);

function keyOf(element: DerElement | undefined): Sm2PublicKey {
  const [algorithm, key, ...others] = elements(expect(element, TAG.sequence).content);
  const [type, curve, ...more] = elements(expect(algorithm, TAG.sequence).content);
  if (others.length > 0 || more.length > 0) return fail();
  if (objectId(type) !== EC_PUBLIC_KEY || objectId(curve) !== SM2_CURVE) return fail();
  const bytes = wholeBits(key);
  if (bytes.length !== SM2_PUBLIC_KEY_BYTES) return fail();
  try {
    return readSm2PublicKey(bytes);
  } catch {
    return fail();
  }
}

function constraintsOf(extension: Uint8Array | undefined): Pick<Sm2Certificate, 'isAuthority' | 'pathLength'> {
  if (extension === undefined) return { isAuthority: false, pathLength: undefined };
  const [first, second, ...others] = elements(only(extension, TAG.sequence).content);
  if (others.length > 0) return fail();
  if (first === undefined) return { isAuthority: false, pathLength: undefined };
  truth(first);
  return { isAuthority: true, pathLength: second && Number.parseInt(positiveInteger(second), 16) };
}

/** The values by their identifiers. Throws `NotDer` for a critical one that is not known, and for one that stands twice. */
export function extensionsOf(
  tagged: readonly DerElement[],
  tag = 0xa3,
  known: ReadonlySet<string> = new Set(Object.values(EXTENSION)),
): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const [wrapper, ...others] = tagged;
  if (wrapper === undefined) return found;
  if (others.length > 0) return fail();
  for (const extension of elements(only(expect(wrapper, tag).content, TAG.sequence).content)) {
    const [name, ...rest] = elements(expect(extension, TAG.sequence).content);
    const id = objectId(name);
    const isCritical = rest.length === 2 && truth(rest[0]);
    if (rest.length > 2 || found.has(id)) return fail();
    if (isCritical && !known.has(id) && !HARMLESS_CRITICAL.has(id)) return fail();
    found.set(id, expect(rest.at(-1), TAG.octets).content);
  }
  return found;
}
