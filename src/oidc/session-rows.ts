import { nowSeconds } from '../shared/clock.ts';
import type { Database, SqlValue, Transaction } from '../storage/database.ts';
import { demandOnce } from '../storage/demand-once.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { updateLock } from '../storage/row-locks.ts';

/** The relying parties of a session, by client_id, as the protocol library keeps them. */
export type Authorizations = Record<string, { sid?: string; grantId?: string; persistsLogout?: boolean }>;

/** What a portal was given in a session. */
export interface GivenInSession {
  readonly sessionUid?: string | undefined;
  readonly accountId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly grantId?: string | undefined;
}

/** A session as stored: the library's payload, without its id, and the relying parties apart. */
export interface SessionRow {
  readonly uid: string;
  readonly idDigest: string;
  readonly accountId: string | null;
  readonly payload: Record<string, unknown>;
  readonly authorizations: Authorizations;
  readonly expiresAt: number;
}

/** A session as one request wants it written. `readAs` is what that request had read, if it read one. */
export interface SessionWrite {
  readonly uid: string;
  readonly idDigest: string;
  readonly accountId: string | null;
  readonly payload: Record<string, unknown>;
  readonly authorizations: Authorizations;
  readonly expiresAt: number;
  readonly readAs: SessionRow | undefined;
  /** Whether the request can be made once more from its start: nothing it does takes back what it was asked for. */
  readonly mayBeginAnew?: boolean;
  readonly address: string | null;
  readonly userAgent: string | null;
}

/**
 * Two tabs entered one portal in the same moment: each has a grant of its own for it, of which a session keeps one, and the code over the other would open
 * nothing. Nothing was written; made once more, the request finds the grant of the first.
 */
export class EnteredAtOnce extends Error {}

interface StoredSession {
  uid: string;
  id_digest: string;
  account_id: string | null;
  payload: string;
  authorizations: string;
  expires_at: number;
  ended_at: number | null;
}

/** With the seal: what a row is judged by is asked for once. */
const COLUMNS = 'uid, id_digest, account_id, payload, authorizations, expires_at, ended_at, row_seal';
const BY_ID = `SELECT ${COLUMNS} FROM sessions WHERE id_digest = $1 AND ended_at IS NULL AND expires_at > $2`;
const BY_UID = `SELECT ${COLUMNS} FROM sessions WHERE uid = $1`;
/** Asked for a token, which stands under a seal of its own and says whose it is. */
const HELD = `SELECT ${UNJUDGED} account_id, authorizations FROM sessions WHERE uid = $1 AND ended_at IS NULL AND expires_at > $2`;
/** For what ends: an altered session ends like any other. */
const OF_ANY = `SELECT ${UNJUDGED} authorizations, ended_at FROM sessions WHERE uid = $1`;
const INSERT = `INSERT INTO sessions
  (uid, id_digest, account_id, payload, authorizations, expires_at, started_at, seen_at, address, user_agent)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) ON CONFLICT (uid) DO NOTHING`;
const UPDATE = `UPDATE sessions SET id_digest = $2, account_id = $3, payload = $4, authorizations = $5, expires_at = $6, seen_at = $7
  WHERE uid = $1`;
/** The row is as the request had read it: nothing has to be merged, and one statement does. */
const UPDATE_AS_READ = `${UPDATE} AND id_digest = $8 AND authorizations = $9 AND ended_at IS NULL`;
const MERGE = 'UPDATE sessions SET authorizations = $2, seen_at = $3 WHERE uid = $1';

const toRow = (stored: StoredSession): SessionRow => ({
  uid: stored.uid,
  idDigest: stored.id_digest,
  accountId: stored.account_id,
  payload: JSON.parse(stored.payload) as Record<string, unknown>,
  authorizations: JSON.parse(stored.authorizations) as Authorizations,
  expiresAt: stored.expires_at,
});

export async function findSessionById(database: Database, idDigest: string): Promise<SessionRow | undefined> {
  const stored = await database.get<StoredSession>(BY_ID, [idDigest, nowSeconds()]);
  return stored && toRow(stored);
}

export async function findSessionByUid(database: Database, uid: string): Promise<SessionRow | undefined> {
  const stored = await database.get<StoredSession>(BY_UID, [uid]);
  return stored && stored.ended_at === null && stored.expires_at > nowSeconds() ? toRow(stored) : undefined;
}

/** Whether the session goes on, of the same person, and still holds the grant for the portal: without reading what else it keeps. */
export async function sessionHolds(database: Database, given: GivenInSession): Promise<boolean> {
  const { sessionUid = '', accountId, clientId = '', grantId } = given;
  const row = await database.get<Pick<StoredSession, 'account_id' | 'authorizations'>>(HELD, [
    sessionUid,
    nowSeconds(),
  ]);
  if (row === undefined || accountId === undefined || row.account_id !== accountId) return false;
  return grantId !== undefined && (JSON.parse(row.authorizations) as Authorizations)[clientId]?.grantId === grantId;
}

/**
 * Three-way merge of the relying parties of one session: what this request changed since it read them is applied to what
 * is stored now, so that three tabs at once lose nobody. Pure.
 */
export function mergeAuthorizations(
  read: Authorizations,
  written: Authorizations,
  stored: Authorizations,
): Authorizations {
  const merged: Authorizations = { ...stored };
  for (const [clientId, authorization] of Object.entries(written)) {
    if (JSON.stringify(read[clientId]) !== JSON.stringify(authorization)) merged[clientId] = authorization;
  }
  for (const clientId of Object.keys(read)) if (!(clientId in written)) delete merged[clientId];
  return merged;
}

/**
 * Writes a session under its uid: one row per uid, whatever its cookie is called by now.
 * - an ended uid keeps its mark and is never written again: a slow request cannot revive what was signed out;
 * - a request that still holds an id replaced in the meantime only merges its relying parties.
 */
export async function writeSession(tx: Transaction, engine: Database['engine'], write: SessionWrite): Promise<void> {
  const now = nowSeconds();
  // A request that has read none makes one: only what another has written under this uid meanwhile needs to be looked at.
  if (write.readAs ? updateAsRead(tx, write, write.readAs, now) : insertSession(tx, write, now)) return;
  // Held until the COMMIT: of two that merge at once each must find what the other has written.
  const stored = await tx.get<StoredSession>(BY_UID + updateLock(engine), [write.uid]);
  // Without a row it was swept or ended since this request read it.
  if (!stored || stored.ended_at !== null) return;
  const read = write.readAs?.authorizations ?? {};
  const held = JSON.parse(stored.authorizations) as Authorizations;
  const isTwice = Object.keys(held).some((clientId) => !(clientId in read) && clientId in write.authorizations);
  // Only who has read the session finds it otherwise the next time.
  if (isTwice && write.readAs && write.mayBeginAnew) throw new EnteredAtOnce('a portal was entered twice at once');
  const authorizations = JSON.stringify(mergeAuthorizations(read, write.authorizations, held));
  const rotates = write.idDigest !== write.readAs?.idDigest;
  if (!rotates && stored.id_digest !== write.idDigest) {
    await tx.run(MERGE, [write.uid, authorizations, now]);
    return;
  }
  await tx.run(UPDATE, updated(write, authorizations, now));
}

const updated = (write: SessionWrite, authorizations: string, now: number): SqlValue[] => [
  write.uid,
  write.idDigest,
  write.accountId,
  JSON.stringify(write.payload),
  authorizations,
  write.expiresAt,
  now,
];

/** False when somebody else has written or ended the session since it was read. */
function updateAsRead(tx: Transaction, write: SessionWrite, readAs: SessionRow, now: number): boolean {
  const row = updated(write, JSON.stringify(write.authorizations), now);
  return demandOnce(tx, write, UPDATE_AS_READ, [...row, readAs.idDigest, JSON.stringify(readAs.authorizations)]);
}

/** False when there is a row of this uid already. */
function insertSession(tx: Transaction, write: SessionWrite, now: number): boolean {
  return demandOnce(tx, write, INSERT, [
    write.uid,
    write.idDigest,
    write.accountId,
    JSON.stringify(write.payload),
    JSON.stringify(write.authorizations),
    write.expiresAt,
    now,
    write.address,
    write.userAgent,
  ]);
}

const END =
  'UPDATE sessions SET ended_at = $2 WHERE uid = $1 AND ended_at IS NULL AND expires_at <= $3 RETURNING authorizations';
const AT_ANY_TIME = Number.MAX_SAFE_INTEGER;

/**
 * Puts the mark of an ended session on its row, where it stays until the row would have expired. Resolves with the portals it held at this very moment;
 * undefined when it had ended before, or ends later than `expiredBy`.
 */
export async function endSessionRow(
  tx: Transaction,
  uid: string,
  { expiredBy = AT_ANY_TIME }: { readonly expiredBy?: number } = {},
): Promise<Authorizations | undefined> {
  const row = await tx.get<Pick<StoredSession, 'authorizations'>>(END, [uid, nowSeconds(), expiredBy]);
  return row && (JSON.parse(row.authorizations) as Authorizations);
}

const TAKE_OUT = 'UPDATE sessions SET authorizations = $2 WHERE uid = $1 AND authorizations = $3';
const TAKE_OUT_ATTEMPTS = 3;

/**
 * Takes a portal out of a session that goes on, where it still holds this grant there, or any where none is named. Returns the portal's own name of the
 * session, by which it is told; undefined where there is nobody to tell.
 */
export async function takePortalOut(
  tx: Transaction,
  { uid, clientId, grantId }: { readonly uid: string; readonly clientId: string; readonly grantId?: string },
): Promise<string | undefined> {
  for (let attempt = 1; attempt <= TAKE_OUT_ATTEMPTS; attempt += 1) {
    const stored = await tx.get<Pick<StoredSession, 'authorizations' | 'ended_at'>>(OF_ANY, [uid]);
    if (!stored || stored.ended_at !== null) return undefined;
    const { [clientId]: held, ...others } = JSON.parse(stored.authorizations) as Authorizations;
    if (held === undefined || (grantId !== undefined && held.grantId !== grantId)) return undefined;
    // On PostgreSQL somebody else may write this row between the two statements.
    if ((await tx.run(TAKE_OUT, [uid, JSON.stringify(others), stored.authorizations])) === 1) return held.sid;
    if (attempt === TAKE_OUT_ATTEMPTS) return held.sid;
  }
  return undefined;
}

/**
 * Whether a write can be left out: nothing but the sliding expiry moved, and that by less than a twentieth of what is left.
 * A session used every second would otherwise be written every second.
 */
export function onlySlides(write: SessionWrite): boolean {
  const { readAs } = write;
  if (!readAs || readAs.idDigest !== write.idDigest || readAs.accountId !== write.accountId) return false;
  const lifetime = write.expiresAt - nowSeconds();
  if (write.expiresAt - readAs.expiresAt > lifetime / 20 || write.expiresAt < readAs.expiresAt) return false;
  return isSame(readAs.authorizations, write.authorizations) && isSameButForTime(readAs.payload, write.payload);
}

const isSame = (one: unknown, other: unknown): boolean =>
  one === other || (typeof one === 'object' && JSON.stringify(one) === JSON.stringify(other));

function isSameButForTime(before: Record<string, unknown>, after: Record<string, unknown>): boolean {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  names.delete('iat');
  names.delete('exp');
  for (const name of names) if (!isSame(before[name], after[name])) return false;
  return true;
}
