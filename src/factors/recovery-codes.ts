import type { KeyObject } from 'node:crypto';
import { framed, hmacSm3 } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import { randomSecret } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { holdPerson } from '../storage/row-locks.ts';

/** What a person can be told of their codes without seeing one. */
export interface RecoveryCodeStock {
  readonly left: number;
  readonly madeAt: number;
}

/**
 * Codes on paper for the day when nothing else works: sixteen characters of 5 bits each, 80 bits, so that they need no slow hash. The
 * store holds keyed digests; each works once (D12).
 */
export interface RecoveryCodes {
  /** Ten new ones in place of all before, written as `XXXX-XXXX-XXXX-XXXX`; nobody sees them again. */
  make(tx: Transaction, personId: string): Promise<readonly string[]>;
  stock(personId: string): Promise<RecoveryCodeStock | undefined>;
  /** Spends the code: true for one of several calls at once, and only where it is this person's. An unknown person costs the same. */
  redeem(tx: Transaction, personId: string | undefined, entered: string): Promise<boolean>;
  /** Whether this is one of the person's that is not spent yet; spends nothing. */
  holds(personId: string, entered: string): Promise<boolean>;
}

const CODES = 10;
const CHARACTERS = 16;
const GROUP = /.{4}(?=.)/g;
/** Crockford's: without I, L, O and U, which are misread or make words. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const ENTERED_CHARS_MAX = 64;
/** No person has this id. */
const NOBODY = '';

const DELETE = 'DELETE FROM recovery_codes WHERE person_id = $1';
const INSERT = 'INSERT INTO recovery_codes (person_id, digest, made_at, used_at) VALUES ($1, $2, $3, NULL)';
const STOCK = `SELECT count(*) AS made, sum(CASE WHEN used_at IS NULL THEN 1 ELSE 0 END) AS unused, max(made_at) AS made_at
  FROM recovery_codes WHERE person_id = $1`;
const HOLDS = 'SELECT 1 AS one FROM recovery_codes WHERE person_id = $1 AND digest = $2 AND used_at IS NULL';
const REDEEM = 'UPDATE recovery_codes SET used_at = $3 WHERE person_id = $1 AND digest = $2 AND used_at IS NULL';

export function createRecoveryCodes({
  database,
  key,
}: {
  readonly database: Database;
  /** Held apart from the database. */
  readonly key: KeyObject;
}): RecoveryCodes {
  const digestOf = (personId: string, code: string): string =>
    hmacSm3(key, framed('recovery-code', personId, code)).toString('base64url');
  return {
    async make(tx, personId) {
      const codes = Array.from({ length: CODES }, freshCode);
      await holdPerson(tx, database.engine, personId);
      await tx.run(DELETE, [personId]);
      for (const code of codes) await tx.run(INSERT, [personId, digestOf(personId, code), nowSeconds()]);
      return codes.map((code) => code.replace(GROUP, '$&-'));
    },
    async stock(personId) {
      const row = await database.get<{ made: number; unused: number; made_at: number }>(STOCK, [personId]);
      if (row === undefined || Number(row.made) === 0) return undefined;
      return { left: Number(row.unused), madeAt: Number(row.made_at) };
    },
    async holds(personId, entered) {
      return (await database.get(HOLDS, [personId, digestOf(personId, readCode(entered))])) !== undefined;
    },
    async redeem(tx, personId = NOBODY, entered) {
      return (await tx.run(REDEEM, [personId, digestOf(personId, readCode(entered)), nowSeconds()])) === 1;
    },
  };
}

const freshCode = (): string =>
  Array.from(randomSecret(CHARACTERS), (byte) => ALPHABET[byte % ALPHABET.length]).join('');

/** As typed from paper: any case and grouping, full-width letters, and the letters that look like digits. */
const readCode = (entered: string): string =>
  entered
    .slice(0, ENTERED_CHARS_MAX)
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
