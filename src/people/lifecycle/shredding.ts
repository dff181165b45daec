import type { Ledger } from '../../ledger/ledger.ts';
import { nowSeconds } from '../../shared/clock.ts';
import type { Database, Transaction } from '../../storage/database.ts';
import type { NightlyJob } from '../../storage/nightly-job.ts';
import type { TellClosure } from './closures.ts';
import type { Holdings, Leaving } from './holdings.ts';

/** `held`: the person has come to represent a company; the account stays shut and is looked at again. `kept`: not due any more. */
export type ShredOutcome = 'shredded' | 'held' | 'kept';

export interface ShreddingSources {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly leaving: Leaving;
  readonly tell: TellClosure;
  readonly holdings: readonly Holdings[];
  /** How long the key of the ledger and the consent records outlive an account. */
  readonly keepSeconds: number;
  readonly forget: (personId: string) => void;
  readonly endAll: (personId: string, cause: string) => Promise<unknown>;
}

const DUE = `SELECT c.person_id, c.due_at FROM person_closures c JOIN persons p ON p.id = c.person_id
  WHERE c.due_at <= $1 AND c.person_id > $2 AND p.status = 'closing' ORDER BY c.person_id LIMIT $3`;
const COUNT = 'SELECT count(*) AS total FROM person_closures WHERE due_at <= $1';
const CLOSE = `UPDATE persons SET status = 'closed', updated_at = $1 WHERE id = $2 AND status = 'closing'
  AND EXISTS (SELECT 1 FROM person_closures c WHERE c.person_id = $2 AND c.due_at <= $1)`;
const BEGIN = 'UPDATE person_closures SET held_at = NULL WHERE person_id = $1 AND due_at <= $2';
const HOLD = 'UPDATE person_closures SET held_at = $1 WHERE person_id = $2 AND held_at IS NULL';
const REMAINS = `INSERT INTO person_remains (person_id, kind, ended_at, keep_until) VALUES ($1, $2, $3, $4)
  ON CONFLICT (person_id) DO NOTHING`;
const BLANK = `UPDATE persons SET ial = 0, name_sealed = NULL, phone_sealed = NULL, email_sealed = NULL, address_sealed = NULL,
  user_name_sealed = NULL, phone_verified_at = NULL, email_verified_at = NULL, status_before = NULL, fourteen_at = NULL,
  milestone_at = NULL WHERE id = $1`;
/** Messages that wait are found by the outbox, which knows for whom they are. */
const WAITING = `SELECT id, payload FROM outbox WHERE state = 'waiting' AND topic = 'message' AND payload LIKE $1`;
/** Rows that belong to the account and to nobody else. */
const ROWS = [
  'DELETE FROM passwords WHERE person_id = $1',
  'DELETE FROM staff WHERE person_id = $1',
  'DELETE FROM known_devices WHERE person_id = $1',
  'DELETE FROM trusted_devices WHERE person_id = $1',
  'DELETE FROM scans WHERE person_id = $1',
  'DELETE FROM recovery_codes WHERE person_id = $1',
  'DELETE FROM recoveries WHERE person_id = $1',
  'DELETE FROM person_checks WHERE person_id = $1',
  'DELETE FROM sessions WHERE account_id = $1',
  'DELETE FROM grant_subjects WHERE person_id = $1',
] as const;

/**
 * Removes everything personal of one account, in the transaction it is given; the row with its id stays, so that nobody else can ever be
 * given its subject identifiers. What the ledger says opens for as long as the law wants it to (remains.ts).
 */
export async function shredIn(
  tx: Transaction,
  personId: string,
  kind: 'closed' | 'merged',
  { holdings, keepSeconds }: Pick<ShreddingSources, 'holdings' | 'keepSeconds'>,
): Promise<void> {
  const now = nowSeconds();
  for (const statement of ROWS) await tx.run(statement, [personId]);
  await tx.run('DELETE FROM one_time_codes WHERE binding LIKE $1', [`${personId}%`]);
  for (const holding of holdings) await holding.shred(tx, personId);
  await tx.run(BLANK, [personId]);
  await tx.run(REMAINS, [personId, kind, now, now + keepSeconds]);
}

async function dropMessages(tx: Transaction, personId: string): Promise<void> {
  for (const { payload } of await tx.all<{ payload: string }>(WAITING, [`%"personId":"${personId}"%`])) {
    const { message } = JSON.parse(payload) as { message?: unknown };
    if (typeof message === 'string') await tx.run('DELETE FROM messages WHERE id = $1', [message]);
  }
}

export interface Shredding {
  /** One account whose time is over. Each is one transaction: killed at any line, it is whole or gone, and is found again. */
  shred(personId: string): Promise<ShredOutcome>;
  /** The walk over all of them. */
  readonly job: NightlyJob;
}

export function createShredding(sources: ShreddingSources): Shredding {
  const { database, ledger, leaving, tell, forget, endAll } = sources;

  const hold = (personId: string, dueAt: number): Promise<void> =>
    database.write(async (tx) => {
      if ((await tx.run(HOLD, [nowSeconds(), personId])) === 1) await tell(tx, personId, 'closure-held', dueAt);
    });

  const shredOne = async (personId: string, dueAt: number): Promise<ShredOutcome> => {
    if ((await leaving.hindrances(database, personId)).length > 0) {
      await hold(personId, dueAt);
      return 'held';
    }
    // From here on it is too late to keep the account, held or not: what follows ends posts and mandates, and is no single transaction.
    if ((await database.run(BEGIN, [personId, nowSeconds()])) === 0) return 'kept';
    // Left over by a crash after the account was shut, or begun in that very moment.
    await endAll(personId, 'account_closing');
    await leaving.leave(personId);
    try {
      return await database.write(async (tx): Promise<ShredOutcome> => {
        // The person may keep it until the last moment: whoever changes the row first has decided.
        if ((await tx.run(CLOSE, [nowSeconds(), personId])) === 0) return 'kept';
        await dropMessages(tx, personId);
        await tell(tx, personId, 'closure-done', dueAt);
        await shredIn(tx, personId, 'closed', sources);
        await tx.run('DELETE FROM person_closures WHERE person_id = $1', [personId]);
        await ledger.append(tx, { type: 'person.closed', actor: 'system', personId, details: {} });
        return 'shredded';
      });
    } finally {
      forget(personId);
    }
  };

  return {
    async shred(personId) {
      const row = await database.get<{ due_at: number }>('SELECT due_at FROM person_closures WHERE person_id = $1', [
        personId,
      ]);
      return row === undefined || Number(row.due_at) > nowSeconds() ? 'kept' : shredOne(personId, Number(row.due_at));
    },
    job: {
      name: 'closures',
      perSecond: 20,
      async count() {
        return Number((await database.get<{ total: number }>(COUNT, [nowSeconds()]))?.total ?? 0);
      },
      async step(cursor, limit) {
        const rows = await database.all<{ person_id: string; due_at: number }>(DUE, [
          nowSeconds(),
          cursor ?? '',
          limit,
        ]);
        const counts: Record<string, number> = {};
        for (const { person_id: personId, due_at: dueAt } of rows) {
          const outcome = await shredOne(personId, Number(dueAt));
          counts[outcome] = (counts[outcome] ?? 0) + 1;
        }
        const last = rows.length < limit ? undefined : rows.at(-1)?.person_id;
        return { cursor: last, handled: rows.length, asked: rows.length, counts };
      },
    },
  };
}
