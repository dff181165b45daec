import type { KeyObject } from 'node:crypto';
import { equalInConstantTime, framed, hmacSm3 } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import { randomSecret } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';

/** The settings of `codes`. */
export interface OneTimeCodeLimits {
  readonly lifetimeSeconds: number;
  readonly attemptsMax: number;
  readonly sendsMax: number;
  readonly resendSeconds: number;
}

export type CodePurpose = 'register' | 'recover' | 'bind' | 'counter' | 'second_factor';

/**
 * What a code is good for and nothing else (D11): one purpose, one draft, recovery or ceremony (`binding`), and the browser it was
 * asked for in. `browser` is empty where somebody else's browser may enter it, as at a counter.
 */
export interface CodeBinding {
  readonly purpose: CodePurpose;
  readonly binding: string;
  readonly browser: string;
}

export type IssueOutcome =
  | { readonly state: 'issued'; readonly code: string; readonly minutes: string }
  /** `tooSoon`: the last one is young; `exhausted`: no more for this binding. */
  | { readonly state: 'tooSoon' | 'exhausted' };

export type CheckOutcome =
  /** `consume` belongs into the transaction of what the code allows: false when somebody else spent it meanwhile. */
  | { readonly state: 'match'; readonly consume: (tx: Transaction) => Promise<boolean> }
  /** `expired`: there is none that still holds; `exhausted`: it was entered wrongly too often. */
  | { readonly state: 'mismatch' | 'expired' | 'exhausted' };

/**
 * Codes of six digits that are sent to a person. They prove that a number answers, and are never the only strong factor of a
 * sign-in. The store holds keyed digests; a code is valid for some minutes, once, and for few attempts, each counted before it
 * is compared.
 */
export interface OneTimeCodes {
  /** Makes a new code, in place of any before. The caller sends it in the same transaction. */
  issue(tx: Transaction, bound: CodeBinding): Promise<IssueOutcome>;
  check(bound: CodeBinding, entered: string): Promise<CheckOutcome>;
  /** Whether one was sent that can still be entered. */
  holds(bound: CodeBinding): Promise<boolean>;
  /** Deletes up to `limit` codes whose time is over; resolves with how many. */
  sweep(limit: number): Promise<number>;
}

interface Row {
  readonly digest: string;
  readonly attempts: number;
  readonly sends: number;
  readonly sent_at: number;
  readonly expires_at: number;
  readonly consumed_at: number | null;
}

const CODES = 1_000_000;
const DIGITS = 6;
/** The largest multiple of a million below 2^32: what lies above would make small codes likelier. */
const FAIR_MAX = 4_294_000_000;
const FORM = /^\d{6}$/;
/** Kept beyond its life, so that a late entry is told from a wrong one and sends stay counted. */
const KEPT_SECONDS = 3600;

const SELECT =
  'SELECT digest, attempts, sends, sent_at, expires_at, consumed_at FROM one_time_codes WHERE purpose = $1 AND binding = $2';
const INSERT = `INSERT INTO one_time_codes (purpose, binding, digest, attempts, sends, sent_at, expires_at, consumed_at)
  VALUES ($1, $2, $3, 0, 1, $4, $5, NULL) ON CONFLICT (purpose, binding) DO NOTHING`;
/** Only over the code that was seen: of two that ask at once one is sent. */
const REPLACE = `UPDATE one_time_codes SET digest = $3, attempts = 0, sends = sends + 1, sent_at = $4, expires_at = $5,
  consumed_at = NULL WHERE purpose = $1 AND binding = $2 AND digest = $6 AND sends = $7`;
const ATTEMPT = `UPDATE one_time_codes SET attempts = attempts + 1
  WHERE purpose = $1 AND binding = $2 AND consumed_at IS NULL AND expires_at > $3 AND attempts < $4`;
const CONSUME = `UPDATE one_time_codes SET consumed_at = $3
  WHERE purpose = $1 AND binding = $2 AND digest = $4 AND consumed_at IS NULL AND expires_at > $3`;
const SWEEP = `DELETE FROM one_time_codes WHERE (purpose, binding) IN
  (SELECT purpose, binding FROM one_time_codes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AND expires_at < $1`;

export function createOneTimeCodes({
  database,
  key,
  limits,
}: {
  readonly database: Database;
  /** Held apart from the database: there are only a million codes to try. */
  readonly key: KeyObject;
  readonly limits: OneTimeCodeLimits;
}): OneTimeCodes {
  const digestOf = ({ purpose, binding, browser }: CodeBinding, code: string): string =>
    hmacSm3(key, framed('one-time-code', purpose, binding, browser, code)).toString('base64url');

  return {
    async issue(tx, bound) {
      const { purpose, binding } = bound;
      const now = nowSeconds();
      const row = await tx.get<Row>(SELECT, [purpose, binding]);
      if (row !== undefined && row.sends >= limits.sendsMax) return { state: 'exhausted' };
      if (row !== undefined && row.sent_at + limits.resendSeconds > now) return { state: 'tooSoon' };
      const code = freshCode();
      const values = [purpose, binding, digestOf(bound, code), now, now + limits.lifetimeSeconds];
      const written =
        row === undefined ? await tx.run(INSERT, values) : await tx.run(REPLACE, [...values, row.digest, row.sends]);
      if (written === 0) return { state: 'tooSoon' };
      return { state: 'issued', code, minutes: String(Math.floor(limits.lifetimeSeconds / 60)) };
    },

    async check(bound, entered) {
      const { purpose, binding } = bound;
      const typed = entered.normalize('NFKC').replace(/\s/g, '');
      const counted = await database.run(ATTEMPT, [purpose, binding, nowSeconds(), limits.attemptsMax]);
      const row = await database.get<Row>(SELECT, [purpose, binding]);
      if (counted === 0 || row === undefined) return { state: whyNot(row, limits.attemptsMax) };
      const { digest } = row;
      const isMatch = equalInConstantTime(digest, digestOf(bound, FORM.test(typed) ? typed : ''));
      if (!isMatch) return { state: 'mismatch' };
      return {
        state: 'match',
        consume: async (tx) => (await tx.run(CONSUME, [purpose, binding, nowSeconds(), digest])) === 1,
      };
    },

    async holds({ purpose, binding }) {
      const row = await database.get<Row>(SELECT, [purpose, binding]);
      const isOpen = row !== undefined && row.consumed_at === null && row.attempts < limits.attemptsMax;
      return isOpen && row.expires_at > nowSeconds();
    },

    sweep: (limit) => database.run(SWEEP, [nowSeconds() - KEPT_SECONDS, limit]),
  };
}

const whyNot = (row: Row | undefined, attemptsMax: number): 'expired' | 'exhausted' =>
  row !== undefined && row.consumed_at === null && row.expires_at > nowSeconds() && row.attempts >= attemptsMax
    ? 'exhausted'
    : 'expired';

/** Every code equally likely: a draw in the last, incomplete million is drawn again. */
function freshCode(): string {
  for (;;) {
    const drawn = randomSecret(4).readUInt32BE();
    if (drawn < FAIR_MAX) return String(drawn % CODES).padStart(DIGITS, '0');
  }
}
