import { nowSeconds } from '../shared/clock.ts';
import { type Counters, type Settled, settleSingly, takeInTurn } from './counters.ts';
import type { Database, Transaction } from './database.ts';

/** A window that is over starts again in the same statement that would have counted in it. */
const TAKE = `INSERT INTO counters (name, value, expires_at) VALUES ($1, 1, $2)
  ON CONFLICT (name) DO UPDATE SET
    value = CASE WHEN counters.expires_at <= $3 THEN 1 ELSE counters.value + 1 END,
    expires_at = CASE WHEN counters.expires_at <= $3 THEN excluded.expires_at ELSE counters.expires_at END
  RETURNING value`;
const READ = 'SELECT value FROM counters WHERE name = $1 AND expires_at > $2';
const GIVE_BACK = 'UPDATE counters SET value = value - 1 WHERE name = $1 AND value > 0 AND expires_at > $2';
const RETURN = 'UPDATE counters SET value = value - 1 WHERE value > 0 AND expires_at > $1 AND name IN';
const CLEAR = 'DELETE FROM counters WHERE name = $1';

const places = (names: readonly string[], first: number): string => names.map((_, at) => `$${first + at}`).join(', ');

/** Counters that outlive a restart and are shared by all nodes: for limits that guard an account (S5). */
export function createSqlCounters(database: Database): Counters {
  const takeIn = async (on: Pick<Transaction, 'get'>, name: string, windowSeconds: number): Promise<number> => {
    const now = nowSeconds();
    // The present second has begun already: without one more the window would end up to a second early.
    return (await on.get<{ value: number }>(TAKE, [name, now + windowSeconds + 1, now]))!.value;
  };
  // One statement is a transaction of its own on PostgreSQL: no BEGIN and COMMIT to wait for.
  const take: Counters['take'] = (name, windowSeconds) =>
    database.engine === 'postgres'
      ? takeIn(database, name, windowSeconds)
      : database.write((tx) => takeIn(tx, name, windowSeconds));
  const clear = async (name: string): Promise<void> => {
    await database.run(CLEAR, [name]);
  };
  const giveBack = async (name: string): Promise<void> => {
    await database.run(GIVE_BACK, [name, nowSeconds()]);
  };
  const settleIn = async (tx: Transaction, { cleared, returned }: Settled): Promise<void> => {
    if (cleared.length > 0) await tx.run(`DELETE FROM counters WHERE name IN (${places(cleared, 1)})`, cleared);
    if (returned.length === 0) return;
    const names = places(returned, 2);
    await tx.run(`${RETURN} (${names})`, [nowSeconds(), ...returned]);
  };
  const oneWriter = database.engine === 'sqlite';
  return {
    take,
    takeWithin: (allowances) =>
      // Several rows in one transaction of PostgreSQL would be locks held in an order of the caller's, for all who share a network.
      database.engine === 'postgres'
        ? takeInTurn(take, allowances)
        : database.write((tx) => takeInTurn((name, windowSeconds) => takeIn(tx, name, windowSeconds), allowances)),
    read: async (name) => (await database.get<{ value: number }>(READ, [name, nowSeconds()]))?.value ?? 0,
    oneWriter,
    settle(settled, tx) {
      if (!oneWriter) return settleSingly(settled, clear, giveBack);
      return tx === undefined ? database.write((own) => settleIn(own, settled)) : settleIn(tx, settled);
    },
  };
}
