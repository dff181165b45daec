import { sm3 } from '../crypto/digests.ts';
import type { ConsentRecord } from '../relying-parties/consent-record.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Transaction } from '../storage/database.ts';

/** What the portal says of itself: for what it wants the data, and on which basis of the law. */
export interface ConsentTerms {
  readonly purpose?: string | undefined;
  readonly 'purpose#en'?: string | undefined;
  readonly legal_basis?: string | undefined;
  readonly notice_version?: string | undefined;
}

/** What a person was shown when they consented, as they were shown it. */
export interface ShownNotice {
  readonly text: string;
  readonly language: string;
  readonly channel: 'web';
  readonly terms: ConsentTerms;
}

/** Where a portal says nothing else, it acts on consent (PIPL 13). */
export const DEFAULT_BASIS = 'consent';

const INSERT = `INSERT INTO consent_records (id, person_id, client_id, act, scopes, claims, purpose, legal_basis,
  notice_version, notice_hash, language, channel, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`;
const KEEP_NOTICE = `INSERT INTO consent_notices (hash, language, text, first_shown_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (hash) DO NOTHING`;
const LIST = `SELECT id, client_id, act, scopes, claims, purpose, legal_basis, notice_version, notice_hash, language, channel, at
  FROM consent_records WHERE person_id = $1 ORDER BY id DESC LIMIT $2`;
const NOTICE = 'SELECT text FROM consent_notices WHERE hash = $1';

/**
 * What must be the same for a consent to go on: another purpose, another basis or another version of the notice asks the person again.
 * Null for a portal that says nothing of itself. Pure.
 */
export function termsKey(terms: ConsentTerms): string | null {
  const { purpose, 'purpose#en': english, legal_basis: basis, notice_version: version } = terms;
  const parts = [purpose ?? '', english ?? '', basis ?? DEFAULT_BASIS, version ?? ''];
  if (purpose === undefined && english === undefined && version === undefined && parts[2] === DEFAULT_BASIS)
    return null;
  return sm3(JSON.stringify(parts)).toString('hex');
}

/** The SM3 of a notice, hex. */
export const noticeHash = (text: string): string => sm3(text).toString('hex');

interface What {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
}

/** Writes down a consent, and once for each wording the text that was shown. Resolves with its hash. */
export async function recordGiven(tx: Transaction, personId: string, what: What, notice: ShownNotice): Promise<string> {
  const hash = noticeHash(notice.text);
  tx.post(KEEP_NOTICE, [hash, notice.language, notice.text, nowSeconds()]);
  const { purpose, legal_basis: basis = DEFAULT_BASIS, notice_version: version } = notice.terms;
  tx.post(INSERT, [
    newId('cns'),
    personId,
    what.clientId,
    'given',
    JSON.stringify(what.scopes),
    JSON.stringify(what.claims),
    purpose ?? null,
    basis,
    version ?? null,
    hash,
    notice.language,
    notice.channel,
    nowSeconds(),
  ]);
  return hash;
}

const recordBare = (
  tx: Transaction,
  personId: string,
  act: 'withdrawn' | 'moved',
  row: { readonly client_id: string; readonly scopes: string; readonly claims: string },
  channel: string,
): Promise<number> =>
  tx.run(INSERT, [
    newId('cns'),
    personId,
    row.client_id,
    act,
    row.scopes,
    row.claims,
    null,
    DEFAULT_BASIS,
    null,
    null,
    null,
    channel,
    nowSeconds(),
  ]);

export const recordWithdrawal = async (
  tx: Transaction,
  personId: string,
  row: { readonly client_id: string; readonly scopes: string; readonly claims: string },
  channel: string,
): Promise<void> => void (await recordBare(tx, personId, 'withdrawn', row, channel));

/** A consent that went over with the account it was given in. */
export const recordMove = async (
  tx: Transaction,
  personId: string,
  row: { readonly client_id: string; readonly scopes: string; readonly claims: string },
): Promise<void> => void (await recordBare(tx, personId, 'moved', row, 'merge'));

interface RecordRow {
  readonly id: string;
  readonly client_id: string;
  readonly act: ConsentRecord['act'];
  readonly scopes: string;
  readonly claims: string;
  readonly purpose: string | null;
  readonly legal_basis: string;
  readonly notice_version: string | null;
  readonly notice_hash: string | null;
  readonly language: string | null;
  readonly channel: string;
  readonly at: number;
}

/** The newest first. */
export async function consentHistory(
  connection: Connection,
  personId: string,
  limit: number,
): Promise<readonly ConsentRecord[]> {
  const rows = await connection.all<RecordRow>(LIST, [personId, limit]);
  return rows.map((row) => ({
    id: row.id,
    clientId: row.client_id,
    act: row.act,
    scopes: JSON.parse(row.scopes) as string[],
    claims: JSON.parse(row.claims) as string[],
    purpose: row.purpose ?? undefined,
    legalBasis: row.legal_basis,
    noticeVersion: row.notice_version ?? undefined,
    noticeHash: row.notice_hash ?? undefined,
    language: row.language ?? undefined,
    channel: row.channel,
    at: Number(row.at),
  }));
}

/** The text behind a hash, to be compared with it by whoever doubts it. */
export const noticeText = async (connection: Connection, hash: string): Promise<string | undefined> =>
  (await connection.get<{ text: string }>(NOTICE, [hash]))?.text;
