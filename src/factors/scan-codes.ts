import type { KeyObject } from 'node:crypto';
import { framed, hmacSm3, tokenDigest } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import { randomSecret } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';

/** Where a sign-in waits for a phone. */
export interface ScanPlace {
  /** The waiting sign-in. */
  readonly ceremony: string;
  readonly browser: string;
  readonly clientId: string;
  readonly address: string;
  readonly userAgent: string;
}

/** A code on a screen. `code` is what the phone reads, `matchNumber` what the person compares: two digits. */
export interface Scan extends ScanPlace {
  readonly id: string;
  readonly code: string;
  readonly matchNumber: string;
  readonly state: 'waiting' | 'approved' | 'refused' | 'used' | 'expired';
  /** Who approved it. */
  readonly personId: string | undefined;
  readonly expiresAt: number;
}

/** `mismatch`: the number was wrong, and the code is worth nothing any more; `over`: it was no longer waiting. */
export type ScanAnswer = 'approved' | 'mismatch' | 'over';

/**
 * Sign-ins by scanning: a screen shows a code, a phone on which somebody is signed in approves it, and the screen goes on as that person.
 * A code belongs to one waiting sign-in in one browser, lives a minute and a half, takes one answer and opens one session. Against somebody
 * who relays a code to another screen the phone shows where it is from and asks for the number that stands beside it, once.
 */
export interface ScanCodes {
  /** A new code, in place of any before it. */
  begin(place: ScanPlace): Promise<void>;
  /** What this browser shows for this sign-in. */
  shown(ceremony: string, browser: string): Promise<Scan | undefined>;
  /** What a phone has read, whatever became of it; undefined for what is no code of ours, or none any more. */
  read(code: string): Promise<Scan | undefined>;
  answer(
    tx: Transaction,
    code: string,
    personId: string,
    answer: 'refuse' | { readonly number: string },
  ): Promise<ScanAnswer>;
  /** Spends an approval, in the transaction of the sign-in it opens. False when it was spent, or is over. */
  spend(tx: Transaction, id: string): Promise<boolean>;
  sweep(limit: number): Promise<number>;
}

export const SCAN_SECONDS = 90;
/** Kept beyond its life, so that a late phone is told what has happened. */
const KEPT_SECONDS = 600;
const CODE_CHARS = 32;
const CODE = new RegExp(`^[\\w-]{${CODE_CHARS}}$`);
const NUMBERS = 90;
const LEAST_NUMBER = 10;
/** The largest multiple of 90 below 2^16: what lies above would make small numbers likelier. */
const FAIR_MAX = 65_520;

interface Row {
  readonly id: string;
  readonly ceremony: string;
  readonly browser: string;
  readonly client_id: string;
  readonly address: string;
  readonly user_agent: string;
  readonly match_number: number;
  readonly state: 'waiting' | 'approved' | 'refused' | 'used';
  readonly person_id: string | null;
  readonly expires_at: number;
}

const COLUMNS = 'id, ceremony, browser, client_id, address, user_agent, match_number, state, person_id, expires_at';
const BEGIN = `INSERT INTO scans (id, code_digest, ceremony, browser, client_id, address, user_agent, match_number, state, person_id,
  created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', NULL, $9, $10)
  ON CONFLICT (ceremony) DO UPDATE SET id = excluded.id, code_digest = excluded.code_digest, browser = excluded.browser,
  client_id = excluded.client_id, address = excluded.address, user_agent = excluded.user_agent,
  match_number = excluded.match_number, state = excluded.state, person_id = excluded.person_id, created_at = excluded.created_at,
  expires_at = excluded.expires_at`;
const SHOWN = `SELECT ${COLUMNS} FROM scans WHERE ceremony = $1 AND browser = $2`;
const READ = `SELECT ${COLUMNS} FROM scans WHERE code_digest = $1`;
const ANSWER = `UPDATE scans SET state = $3, person_id = $2
  WHERE code_digest = $1 AND state = 'waiting' AND expires_at > $4`;
const SPEND = "UPDATE scans SET state = 'used' WHERE id = $1 AND state = 'approved' AND expires_at > $2";
const SWEEP = `DELETE FROM scans WHERE id IN
  (SELECT id FROM scans WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AND expires_at < $1`;

export function createScanCodes({
  database,
  key,
}: {
  readonly database: Database;
  readonly key: KeyObject;
}): ScanCodes {
  /** Never stored: the screen draws it anew whenever it is shown. */
  const codeOf = (id: string): string =>
    hmacSm3(key, framed('scan-code', id)).toString('base64url').slice(0, CODE_CHARS);
  const scanOf = (row: Row | undefined): Scan | undefined =>
    row && {
      id: row.id,
      code: codeOf(row.id),
      ceremony: row.ceremony,
      browser: row.browser,
      clientId: row.client_id,
      address: row.address,
      userAgent: row.user_agent,
      matchNumber: String(row.match_number),
      state: row.state !== 'used' && Number(row.expires_at) <= nowSeconds() ? 'expired' : row.state,
      personId: row.person_id ?? undefined,
      expiresAt: Number(row.expires_at),
    };

  return {
    async begin({ ceremony, browser, clientId, address, userAgent }) {
      const id = newId('scn');
      const now = nowSeconds();
      const values = [id, tokenDigest(codeOf(id)), ceremony, browser, clientId, address, userAgent.slice(0, 255)];
      await database.run(BEGIN, [...values, freshNumber(), now, now + SCAN_SECONDS]);
    },
    async shown(ceremony, browser) {
      return scanOf(await database.get<Row>(SHOWN, [ceremony, browser]));
    },
    async read(code) {
      return CODE.test(code) ? scanOf(await database.get<Row>(READ, [tokenDigest(code)])) : undefined;
    },
    async answer(tx, code, personId, answer) {
      const digest = tokenDigest(code);
      const row = await tx.get<Row>(READ, [digest]);
      const isRight = answer !== 'refuse' && String(row?.match_number) === answer.number;
      const changed = await tx.run(ANSWER, [digest, personId, isRight ? 'approved' : 'refused', nowSeconds()]);
      if (changed === 0) return 'over';
      return isRight ? 'approved' : 'mismatch';
    },
    spend: async (tx, id) => (await tx.run(SPEND, [id, nowSeconds()])) === 1,
    sweep: (limit) => database.run(SWEEP, [nowSeconds() - KEPT_SECONDS, limit]),
  };
}

/** From 10 to 99, each equally likely. */
function freshNumber(): number {
  for (;;) {
    const drawn = randomSecret(2).readUInt16BE();
    if (drawn < FAIR_MAX) return LEAST_NUMBER + (drawn % NUMBERS);
  }
}
