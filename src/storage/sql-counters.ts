import { nowSeconds } from '../shared/clock.ts';
import { settleChain, takeChain } from './counter-chains.ts';
import { type Allowance, type Counters, type Settled, takeInTurn } from './counters.ts';
import type { Database, Transaction } from './database.ts';

/** A window that is over starts again in the same statement that would have counted in it. */
const TAKE = `INSERT INTO counters (name, value, expires_at) VALUES ($1, 1, $2)
  ON CONFLICT (name) DO UPDATE SET
    value = CASE WHEN counters.expires_at <= $3 THEN 1 ELSE counters.value + 1 END,
    expires_at = CASE WHEN counters.expires_at <= $3 THEN excluded.expires_at ELSE counters.expires_at END
  RETURNING value`;
const READ = 'SELECT value FROM counters WHERE name = $1 AND expires_at > $2';
const RETURN = 'UPDATE counters SET value = value - 1 WHERE value > 0 AND expires_at > $1 AND name IN';

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
  /** One statement, so one COMMIT: each would be a message of its own otherwise, and a flush to disk. */
  const takeChained = async (allowances: readonly Allowance[]): Promise<number> => {
    if (allowances.length === 0) return -1;
    const now = nowSeconds();
    const params = allowances.flatMap(({ name, max, windowSeconds }) => [name, now + windowSeconds + 1, max]);
    // The most of the last is nobody's condition.
    const row = await database.get<Record<string, number | null>>(takeChain(allowances.length), [
      now,
      ...params.slice(0, -1),
    ]);
    return allowances.findIndex(({ max }, step) => (row![`v${step}`] ?? 0) > max);
  };
  const settleChained = async ({ cleared, returned }: Settled): Promise<void> => {
    if (cleared.length + returned.length === 0) return;
    const now = returned.length > 0 ? [nowSeconds()] : [];
    await database.get(settleChain(returned.length, cleared.length), [...returned, ...cleared, ...now]);
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
      database.engine === 'postgres'
        ? takeChained(allowances)
        : database.write((tx) => takeInTurn((name, windowSeconds) => takeIn(tx, name, windowSeconds), allowances)),
    read: async (name) => (await database.get<{ value: number }>(READ, [name, nowSeconds()]))?.value ?? 0,
    oneWriter,
    settle(settled, tx) {
      if (!oneWriter) return settleChained(settled);
      return tx === undefined ? database.write((own) => settleIn(own, settled)) : settleIn(tx, settled);
    },
  };
}
