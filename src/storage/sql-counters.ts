import { nowSeconds } from '../shared/clock.ts';
import { settleChain, takeChain } from './counter-chains.ts';
import type { Allowance, Counters, Settled } from './counters.ts';
import type { Database, SqlValue, Transaction } from './database.ts';

/** A window that is over starts again in the same statement that would have counted in it. The present time is `$1`. */
const COUNT = `ON CONFLICT (name) DO UPDATE SET
    value = CASE WHEN counters.expires_at <= $1 THEN 1 ELSE counters.value + 1 END,
    expires_at = CASE WHEN counters.expires_at <= $1 THEN excluded.expires_at ELSE counters.expires_at END`;
const TAKE = `INSERT INTO counters (name, value, expires_at) VALUES ($2, 1, $3) ${COUNT} RETURNING value`;
const TAKE_ALL = 'INSERT INTO counters (name, value, expires_at) VALUES';
const READ = 'SELECT value FROM counters WHERE name = $1 AND expires_at > $2';
const READ_ALL = 'SELECT name, value FROM counters WHERE expires_at > $1 AND name IN';
const RETURN = 'UPDATE counters SET value = value - 1 WHERE value > 0 AND expires_at > $1 AND name IN';
const RETURN_ONE = 'UPDATE counters SET value = value - 1 WHERE name = $1 AND value > 0 AND expires_at > $2';
const CLEAR_ONE = 'DELETE FROM counters WHERE name = $1';

interface Held {
  readonly name: string;
  readonly value: number;
}

const places = (names: readonly string[], first: number): string => names.map((_, at) => `$${first + at}`).join(', ');

/** Counters that outlive a restart and are shared by all nodes: for limits that guard an account (S5). */
export function createSqlCounters(database: Database): Counters {
  const isPostgres = database.engine === 'postgres';
  const takeIn = async (on: Pick<Transaction, 'get'>, name: string, windowSeconds: number): Promise<number> => {
    const now = nowSeconds();
    // The present second has begun already: without one more the window would end up to a second early.
    return (await on.get<{ value: number }>(TAKE, [now, name, now + windowSeconds + 1]))!.value;
  };
  // One statement is a transaction of its own on PostgreSQL: no BEGIN and COMMIT to wait for.
  const take: Counters['take'] = (name, windowSeconds) =>
    isPostgres ? takeIn(database, name, windowSeconds) : database.write((tx) => takeIn(tx, name, windowSeconds));
  const readIn = async (
    on: Pick<Transaction, 'all'>,
    names: readonly string[],
    now: number,
  ): Promise<readonly number[]> => {
    if (names.length === 0) return [];
    const rows = await on.all<Held>(`${READ_ALL} (${places(names, 2)})`, [now, ...names]);
    return names.map((name) => rows.find((row) => row.name === name)?.value ?? 0);
  };
  /** In two statements, whatever their number: under the one writer's lock nobody counts between them. */
  const takeTogether = async (tx: Transaction, allowances: readonly Allowance[]): Promise<number> => {
    const now = nowSeconds();
    const names = allowances.map(({ name }) => name);
    const held = await readIn(tx, names, now);
    const full = allowances.findIndex(({ max }, place) => held[place]! >= max);
    const taken = full < 0 ? allowances : allowances.slice(0, full + 1);
    if (taken.length === 0) return full;
    const rows = taken.map((_, place) => `($${2 + 2 * place}, 1, $${3 + 2 * place})`).join(', ');
    const values = taken.flatMap(({ name, windowSeconds }) => [name, now + windowSeconds + 1]);
    await tx.run(`${TAKE_ALL} ${rows} ${COUNT}`, [now, ...values]);
    return full;
  };
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
  const chainOf = ({ cleared, returned }: Settled): readonly [string, SqlValue[]] => {
    const now = returned.length > 0 ? [nowSeconds()] : [];
    return [settleChain(returned.length, cleared.length), [...returned, ...cleared, ...now]];
  };
  const settleIn = (tx: Transaction, settled: Settled): void => {
    const { cleared, returned } = settled;
    if (cleared.length + returned.length === 0) return;
    if (isPostgres) {
      // One by one, for neighbours share the transaction: all of them lock as `takeChain` does, its first places first.
      const now = nowSeconds();
      for (const [step, name] of returned.entries()) tx.postLast(RETURN_ONE, [name, now], `1:${step}:${name}`);
      for (const [step, name] of cleared.entries()) tx.postLast(CLEAR_ONE, [name], `2:${step}:${name}`);
      return;
    }
    if (cleared.length > 0) tx.post(`DELETE FROM counters WHERE name IN (${places(cleared, 1)})`, cleared);
    if (returned.length > 0) tx.post(`${RETURN} (${places(returned, 2)})`, [nowSeconds(), ...returned]);
  };
  return {
    take,
    takeWithin: (allowances) =>
      isPostgres
        ? takeChained(allowances)
        : // A refusal for a wrong secret is told to the ledger first (ledger/flood.ts), and what makes that durable makes this so. Of all else a power
          // cut may take the last counts, a crash of the process none.
          database.write((tx) => takeTogether(tx, allowances), { durable: false }),
    read: async (name) => (await database.get<{ value: number }>(READ, [name, nowSeconds()]))?.value ?? 0,
    readAll: (names) => readIn(database, names, nowSeconds()),
    settlesInside: true,
    async settle(settled, tx) {
      if (tx !== undefined) settleIn(tx, settled);
      // Alone, and not in a group: two nodes could lock the places of several people in different orders.
      else if (isPostgres && settled.cleared.length + settled.returned.length > 0) {
        await database.get(...chainOf(settled));
      } else if (!isPostgres) await database.write(async (own) => settleIn(own, settled));
    },
  };
}
