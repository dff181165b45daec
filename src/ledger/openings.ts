import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Sealer } from '../crypto/sealing.ts';
import { sm4Counter } from '../crypto/sm4.ts';
import { BoundedMap } from '../shared/bounded-map.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import { fillFromPool, randomSecret } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { createRowCache } from '../storage/row-cache.ts';
import { commitment, SALT_BYTES } from './entry.ts';
import { IV_BYTES, SubjectKey } from './subject-key.ts';

/** A personal value of an entry: the field it stands in (`ip`, `ua`, `data.<name>`) and what it says. */
export interface PersonalValue {
  readonly field: string;
  readonly value: string;
}

/** The commitments to put into the entry, by field, and what opens them, encrypted under the key of the subject. */
export interface Committed {
  readonly commitments: Readonly<Record<string, string>>;
  readonly keyId: string;
  readonly openings: Buffer;
}

/** One opening: the salt (base64) and the value whose commitment the entry holds. */
export interface Opening {
  readonly salt: string;
  readonly value: string;
}

/**
 * Personal values of the ledger. Each subject has a key of its own; when it is destroyed nobody can open what the ledger says
 * about that subject any more, and every proof stays valid (L2).
 */
export interface Openings {
  /**
   * Commits to `values` (at least one) for `subject`, whose key is made at the first call in the same transaction; at once where the key is at hand.
   * `evenly`: at the same price for every subject, kept in memory or not, because the time must not tell a stranger whom they have named (D9).
   */
  commit(
    tx: Transaction,
    subject: string,
    values: readonly PersonalValue[],
    how?: { readonly evenly: boolean },
  ): Committed | Promise<Committed>;
  /** Makes the key of a subject who has none, so that nothing a stranger does is the first that needs it. */
  prepare(tx: Transaction, subject: string): Promise<void>;
  /** Salts and values by field. Empty when the key is gone, and without those that do not match the commitment in `committed`. */
  open(
    keyId: string,
    openings: Uint8Array,
    committed: (field: string) => string | undefined,
  ): Promise<ReadonlyMap<string, Opening>>;
  /** Destroys the key of a subject. False when there is none. */
  erase(tx: Transaction, subject: string): Promise<boolean>;
  /** The key of a subject was found gone: the next `commit` looks again. */
  forget(subject: string): void;
}

const KEY_BYTES = 16;
const KEYS_KEPT_MAX = 20_000;
/**
 * Several nodes: nobody tells of a key that another one has destroyed, so whoever writes an entry asks in the same statement whether its key
 * stands (ledger.ts), and calls `forget` where it does not.
 */
const isAskedAtUse = (database: Database): boolean => database.engine === 'postgres';
/** Keys remembered as made here lately; beyond it they are read from the store again. */
const FRESH_MAX = 1_000;
const SEPARATOR = '\n';

const FIND = 'SELECT id, key_sealed FROM ledger_subject_keys WHERE subject = $1';
const FIND_BY_ID = 'SELECT subject, key_sealed FROM ledger_subject_keys WHERE id = $1';
const INSERT = `INSERT INTO ledger_subject_keys (id, subject, key_sealed, created_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (subject) DO NOTHING`;
const ERASE = 'DELETE FROM ledger_subject_keys WHERE subject = $1';

function committedUnder(key: SubjectKey, values: readonly PersonalValue[]): Committed {
  const commitments: Record<string, string> = {};
  const salts = randomSecret(SALT_BYTES * values.length);
  const lines = values.map(({ field, value }, index) => {
    const salt = salts.subarray(SALT_BYTES * index, SALT_BYTES * (index + 1));
    commitments[field] = commitment(field, salt, value);
    return `${field}${SEPARATOR}${salt.toString('base64')}${SEPARATOR}${JSON.stringify(value)}`;
  });
  const text = lines.join(SEPARATOR);
  const openings = Buffer.allocUnsafe(IV_BYTES + Buffer.byteLength(text));
  fillFromPool(openings, IV_BYTES);
  openings.write(text, IV_BYTES);
  // The commitments already authenticate salts and values, so the ciphertext needs no tag of its own.
  key.encrypt(openings);
  return { commitments, keyId: key.id, openings };
}

/** Openings on the relational store; `sealer` wraps the keys of the subjects. */
export function createOpenings(database: Database, sealer: Sealer): Openings {
  const cache = createRowCache<SubjectKey>(database, KEYS_KEPT_MAX);
  /** The same keys by their own id, for whoever reads many entries of the same people. */
  const byId = createRowCache<{ readonly key: KeyObject; readonly subject: string }>(database, KEYS_KEPT_MAX);
  const held = new BoundedMap<string, SubjectKey>(KEYS_KEPT_MAX);
  const contextOf = (id: string): string => `ledger_subject_keys:key_sealed:${id}`;
  const unwrap = (id: string, sealed: Uint8Array): KeyObject =>
    createSecretKey(Buffer.from(sealer.unseal(sealed, contextOf(id)), 'base64'));

  const stored = async (tx: Transaction, subject: string): Promise<SubjectKey | undefined> => {
    const row = await tx.get<{ id: string; key_sealed: Uint8Array }>(FIND, [subject]);
    return row && new SubjectKey(row.id, unwrap(row.id, row.key_sealed));
  };

  /** Whose keys were made here lately, perhaps in a write that is still under way. */
  const fresh = new Set<string>();
  let undoneSeen = database.undoneWrites();
  const forgetFresh = (): void => {
    for (const subject of fresh) cache.forget(subject);
    fresh.clear();
  };

  const made = async (tx: Transaction, subject: string): Promise<SubjectKey> => {
    const id = newId('lk');
    const key = randomSecret(KEY_BYTES);
    const sealed = sealer.seal(key.toString('base64'), contextOf(id));
    if ((await tx.run(INSERT, [id, subject, sealed, nowSeconds()])) === 1) {
      if (fresh.size >= FRESH_MAX) forgetFresh();
      fresh.add(subject);
      return new SubjectKey(id, createSecretKey(key));
    }
    const raced = await stored(tx, subject);
    if (raced === undefined) throw new Error('the key of a subject vanished while it was used');
    return raced;
  };

  const storedOrMade = async (tx: Transaction, subject: string): Promise<SubjectKey> =>
    (await stored(tx, subject)) ?? (await made(tx, subject));

  /**
   * A sign-in tells of its person several times within seconds, so a key is kept as soon as it is made, in the middle of its write.
   * When any write is undone, every key that it might have made is forgotten before the next can use it.
   */
  const keptKey = (subject: string): SubjectKey | undefined => {
    if (isAskedAtUse(database)) return held.get(subject);
    const undone = database.undoneWrites();
    if (undone !== undoneSeen) forgetFresh();
    undoneSeen = undone;
    return cache.kept(subject);
  };

  const newKey = async (tx: Transaction, subject: string): Promise<SubjectKey> => {
    if (!isAskedAtUse(database)) return cache.find(subject, () => storedOrMade(tx, subject));
    const key = await storedOrMade(tx, subject);
    held.set(subject, key);
    return key;
  };

  const forget = (subject: string): void => {
    held.delete(subject);
    cache.forget(subject);
  };

  return {
    forget,

    async prepare(tx, subject) {
      if (keptKey(subject) === undefined) await newKey(tx, subject);
    },

    commit(tx, subject, values, { evenly } = { evenly: false }) {
      const kept = evenly ? undefined : keptKey(subject);
      if (kept !== undefined) return committedUnder(kept, values);
      return (evenly ? storedOrMade : newKey)(tx, subject).then((key) => committedUnder(key, values));
    },

    async open(keyId, openings, committed) {
      const opened = new Map<string, Opening>();
      const known = await byId.find(keyId, async () => {
        const row = await database.get<{ subject: string; key_sealed: Uint8Array }>(FIND_BY_ID, [keyId]);
        return row && { subject: row.subject, key: unwrap(keyId, row.key_sealed) };
      });
      if (!known) return opened;
      const iv = openings.subarray(0, IV_BYTES);
      const text = sm4Counter(known.key, iv, openings.subarray(IV_BYTES)).toString('utf8');
      const lines = text.split(SEPARATOR);
      for (let at = 0; at + 2 < lines.length; at += 3) {
        const [field, salt, quoted] = lines.slice(at, at + 3) as [string, string, string];
        const value = unquote(quoted);
        if (value === undefined || commitment(field, Buffer.from(salt, 'base64'), value) !== committed(field)) continue;
        opened.set(field, { salt, value });
      }
      return opened;
    },

    async erase(tx, subject) {
      const erased = (await tx.run(ERASE, [subject])) > 0;
      forget(subject);
      byId.forgetWhere((key) => key.subject === subject);
      return erased;
    },
  };
}

/** Altered openings decrypt to anything: what is no JSON string is no opening. */
function unquote(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
