import { extensionsOf, readable, type SignedPart, signedSequence, sm2Algorithm } from './certificate.ts';
import { elements, expect, positiveInteger, TAG, time } from './der.ts';

/** A list of certificates that are void, signed with SM2 (RFC 5280 5). Read, and nothing of it believed yet. */
export interface RevocationList {
  readonly issuer: Uint8Array;
  /** Epoch seconds. */
  readonly thisUpdate: number;
  /** After this moment the list says nothing. */
  readonly nextUpdate: number;
  readonly serials: ReadonlySet<string>;
  readonly signed: SignedPart;
}

const isTime = (tag: number | undefined): boolean => tag === TAG.utcTime || tag === TAG.generalizedTime;

/**
 * Undefined for anything but the DER form of a whole list with an end: a list of changes, or one for a part of the certificates, marks
 * itself by a critical extension that we do not know.
 */
export function readRevocationList(der: Uint8Array): RevocationList | undefined {
  return readable(() => {
    const { part, signed } = signedSequence(der);
    const [version, algorithm, issuer, thisUpdate, nextUpdate, ...rest] = elements(part.content);
    positiveInteger(version);
    sm2Algorithm(algorithm);
    const [entries] = rest.filter(({ tag }) => tag === TAG.sequence);
    extensionsOf(
      rest.filter(({ tag }) => tag !== TAG.sequence),
      0xa0,
      new Set(),
    );
    const serials = entries === undefined ? [] : elements(entries.content).map((entry) => serialOf(entry.content));
    return {
      issuer: expect(issuer, TAG.sequence).whole,
      thisUpdate: time(thisUpdate),
      nextUpdate: time(nextUpdate),
      serials: new Set(serials),
      signed,
    };
  });
}

function serialOf(entry: Uint8Array): string {
  const [serial, at] = elements(entry);
  expect(at, isTime(at?.tag) ? at!.tag : TAG.utcTime);
  return positiveInteger(serial);
}
