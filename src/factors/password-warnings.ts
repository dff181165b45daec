import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { NightlyJob, NightlyStep } from '../storage/nightly-job.ts';

const DAY_SECONDS = 86_400;
/** Each is a message over every channel of a person. */
const PER_SECOND = 20;

const MEMBERS = "JOIN staff s ON s.person_id = w.person_id AND s.status = 'active'";
/** Whoever was told of this very password is not told again. */
const aging = (
  whose: 'everybody' | 'staff',
): string => `FROM passwords w JOIN persons p ON p.id = w.person_id AND p.status = 'active'
  ${whose === 'staff' ? MEMBERS : ''} WHERE w.changed_at <= $1 AND (w.warned_at IS NULL OR w.warned_at < w.changed_at)`;
const counted = (from: string): string => `SELECT count(*) AS total ${from}`;
const paged = (from: string): string =>
  `SELECT ${UNJUDGED} w.person_id, w.changed_at ${from} AND w.person_id > $2 ORDER BY w.person_id LIMIT $3`;
const MARK = 'UPDATE passwords SET warned_at = $1 WHERE person_id = $2 AND changed_at = $3';

export interface PasswordWarningSources {
  readonly database: Database;
  readonly whose: 'everybody' | 'staff';
  /** The settings `password.ageDays` and `password.noticeDays`, or those of `staff`; neither of them 0. */
  readonly ageDays: number;
  readonly noticeDays: number;
  /** `dueAt`: since when (epoch seconds) a new password is asked for. */
  readonly tell: (tx: Transaction, personId: string, dueAt: number) => Promise<void>;
}

/** Tells people once, at night, that their password is about to be too old, or has become so. */
export function createPasswordWarnings(sources: PasswordWarningSources): NightlyJob {
  const { database, whose, ageDays, noticeDays, tell } = sources;
  const [count, page] = [counted(aging(whose)), paged(aging(whose))];
  const ageSeconds = ageDays * DAY_SECONDS;
  const before = (): number => nowSeconds() - ageSeconds + noticeDays * DAY_SECONDS;
  return {
    name: whose === 'staff' ? 'staff-password-warnings' : 'password-warnings',
    perSecond: PER_SECOND,
    count: async () => Number((await database.get<{ total: number }>(count, [before()]))?.total),
    async step(cursor = '', limit): Promise<NightlyStep> {
      const rows = await database.all<{ person_id: string; changed_at: number }>(page, [before(), cursor, limit]);
      let told = 0;
      for (const { person_id: personId, changed_at: changedAt } of rows) {
        told += await database.write(async (tx) => {
          const marked = await tx.run(MARK, [nowSeconds(), personId, changedAt]);
          if (marked === 1) await tell(tx, personId, Number(changedAt) + ageSeconds);
          return marked;
        });
      }
      const last = rows.length < limit ? undefined : rows.at(-1)?.person_id;
      return { cursor: last, handled: rows.length, asked: rows.length, counts: { told } };
    },
  };
}
