import type { KeyObject } from 'node:crypto';
import type { Transaction } from '../storage/database.ts';
import { carryIndex, type IndexFamily } from '../storage/index-columns.ts';
import { framed, hmacKey, hmacSm3 } from './digests.ts';
import { CONFIGURED, type RingKey, type RingState, type SecretRing } from './secret-ring.ts';

/** What identifies a document: its type, the country that issued it, and its number in normal form. */
export interface DocumentIdentity {
  readonly type: string;
  readonly issuer: string;
  readonly number: string;
}

/**
 * The column a person is found by without storing the number: the same document always gives the same characters under one key, which they
 * name. Keyed, because an unkeyed digest of an ID number is undone by trying all 10^10 of them.
 */
export interface BlindIndex {
  /** As it is written now. */
  of(document: DocumentIdentity): string;
  /** As it may stand in the store, under any key not yet retired: `of` first. One alone but for the time of a change. */
  candidates(document: DocumentIdentity): readonly string[];
  /**
   * A name for what is counted or kept for a while under a document, such as attempts: the same whatever key is in use, under the
   * configured one. Never for a column that people are found by.
   */
  name(document: DocumentIdentity): string;
  /** Under which key this digest of the document was made; undefined where it is none of this document. */
  stateOf(document: DocumentIdentity, digest: string): RingState | undefined;
  /**
   * To be awaited in a transaction before it writes `of` where a unique index judges: from here to its end nobody changes the key in use, and
   * `of` is written with that one, so that two nodes cannot write the same document under two keys.
   */
  hold(tx: Transaction): Promise<void>;
}

/** HMAC-SM3 over the framed type, issuer and number, base64url: 43 characters, under one key for good. The key is not the one that seals. */
export function createBlindIndex(key: Uint8Array): BlindIndex {
  const indexKey = hmacKey(key);
  const of = (document: DocumentIdentity): string => digestOf(indexKey, document);
  return {
    of,
    candidates: (document) => [of(document)],
    name: of,
    stateOf: (document, digest) => (of(document) === digest ? 'current' : undefined),
    hold: async () => undefined,
  };
}

const CURRENT = "SELECT kid FROM keys WHERE purpose = 'index' AND state = 'current'";

/**
 * The index under the keys of the ring. What a key of the ring has made begins with its id and a full stop; the configured one made, and
 * makes, the bare 43 characters.
 */
export function createRingIndex(ring: SecretRing, configured: Uint8Array, engine: 'sqlite' | 'postgres'): BlindIndex {
  const first = hmacKey(configured);
  const prepared = new WeakMap<RingKey, KeyObject>();
  const under = (key: RingKey, document: DocumentIdentity): string => {
    if (key.id === CONFIGURED) return digestOf(first, document);
    let secret = prepared.get(key);
    if (secret === undefined) {
      secret = hmacKey(key.material);
      prepared.set(key, secret);
    }
    return `${indexHeader(key.id)}${digestOf(secret, document)}`;
  };
  const lock = engine === 'postgres' ? `${CURRENT} FOR SHARE` : CURRENT;

  return {
    of: (document) => under(ring.writing('index'), document),
    candidates: (document) => ring.keys('index').map((key) => under(key, document)),
    name: (document) => digestOf(first, document),
    stateOf: (document, digest) => ring.keys('index').find((key) => under(key, document) === digest)?.state,
    async hold(tx) {
      const row = await tx.get<{ kid: string }>(lock, []);
      // PostgreSQL finds no row where the key was replaced while this waited for it.
      if (row === undefined) await tx.get(lock, []);
      await ring.refresh(tx);
    },
  };
}

/**
 * Makes the index of a document ready to be written in this transaction, and resolves with it: whatever stands under the digest of an older
 * key is carried over first, so that unique indexes judge and joins find as if there were one key.
 */
export async function settleIndex(
  tx: Transaction,
  index: BlindIndex,
  family: IndexFamily,
  document: DocumentIdentity,
): Promise<string> {
  await index.hold(tx);
  const own = index.of(document);
  for (const other of index.candidates(document)) if (other !== own) await carryIndex(tx, family, other, own);
  return own;
}

/** What every index value under a key of the ring begins with. */
export const indexHeader = (id: string): string => `${id}.`;

const digestOf = (key: KeyObject, { type, issuer, number }: DocumentIdentity): string =>
  hmacSm3(key, framed(type, issuer, number)).toString('base64url');
