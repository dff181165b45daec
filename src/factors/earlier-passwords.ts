import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { updateLock } from '../storage/row-locks.ts';

const PRESENT = 'SELECT hash FROM passwords WHERE person_id = $1';
const KEEP = 'INSERT INTO earlier_passwords (id, person_id, hash, ended_at) VALUES ($1, $2, $3, $4)';
const LATEST = 'SELECT hash FROM earlier_passwords WHERE person_id = $1 ORDER BY ended_at DESC, id DESC LIMIT $2';
const DROP = `DELETE FROM earlier_passwords WHERE person_id = $1 AND id NOT IN
  (SELECT id FROM earlier_passwords WHERE person_id = $1 ORDER BY ended_at DESC, id DESC LIMIT $2)`;
const MOVE = 'UPDATE earlier_passwords SET person_id = $1 WHERE id = $2 AND person_id = $3';
const IDS = 'SELECT id FROM earlier_passwords WHERE person_id = $1';
const FORGET = 'DELETE FROM earlier_passwords WHERE id = $1';
const SHRED = 'DELETE FROM earlier_passwords WHERE person_id = $1';

/** Keeps the password a person is about to lose as an earlier one, and of those the latest `count`. */
export async function keepEarlier(
  tx: Transaction,
  engine: Database['engine'],
  personId: string,
  count: number,
): Promise<void> {
  // Held until it is replaced: of two changes at once the second keeps what the first has set.
  const present = await tx.get<{ hash: string }>(PRESENT + updateLock(engine), [personId]);
  if (count > 0 && present !== undefined) await tx.run(KEEP, [newId('epw'), personId, present.hash, nowSeconds()]);
  await tx.run(DROP, [personId, count]);
}

/** The hashes a new password is compared with: the present one and the latest `count` before it. */
export async function hashesOf(connection: Connection, personId: string, count: number): Promise<readonly string[]> {
  const present = await connection.get<{ hash: string }>(PRESENT, [personId]);
  const earlier = await connection.all<{ hash: string }>(LATEST, [personId, count]);
  return [...(present ? [present.hash] : []), ...earlier.map(({ hash }) => hash)];
}

/** What went over when two accounts were merged, as it must come back. */
export interface MovedPasswords {
  readonly earlier: readonly string[];
  /** The id under which the present password of the merged account counts as an earlier one of the kept. */
  readonly present?: string;
}

/** It is one person who has had all of these passwords; the one that opened the merged account is an earlier one now. */
export async function moveEarlier(tx: Transaction, keptId: string, mergedId: string): Promise<MovedPasswords> {
  const earlier = (await tx.all<{ id: string }>(IDS, [mergedId])).map(({ id }) => id);
  for (const id of earlier) await tx.run(MOVE, [keptId, id, mergedId]);
  const row = await tx.get<{ hash: string }>(PRESENT, [mergedId]);
  if (row === undefined) return { earlier };
  const present = newId('epw');
  await tx.run(KEEP, [present, keptId, row.hash, nowSeconds()]);
  return { earlier, present };
}

/** What the kept account has let go of meanwhile does not come back. */
export async function moveEarlierBack(
  tx: Transaction,
  keptId: string,
  mergedId: string,
  { earlier, present }: MovedPasswords,
): Promise<void> {
  for (const id of earlier) await tx.run(MOVE, [mergedId, id, keptId]);
  if (present !== undefined) await tx.run(FORGET, [present]);
}

export async function shredEarlier(tx: Transaction, personId: string): Promise<void> {
  await tx.run(SHRED, [personId]);
}
