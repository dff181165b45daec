import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { unlessAltered } from '../shared/fault.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { NightlyJob } from '../storage/nightly-job.ts';
import { AGE_OF_MAJORITY, AGES, birthdaySeconds } from './birthdays.ts';
import { ageAt, todayInChina } from './documents/birth-date.ts';

/** From this age on a young person consents for themselves (Personal Information Protection Law, article 31). */
export const CONSENT_AGE = 14;

/** The birthdays of a young person that are still to come; undefined for everybody else. Pure but for the clock. */
export function birthdaysOf(
  birthDate: string | undefined,
): { readonly fourteenAt?: number; readonly nextAt: number } | undefined {
  if (birthDate === undefined) return undefined;
  const now = nowSeconds();
  const next = AGES.map((age) => birthdaySeconds(birthDate, age)).find((at) => at > now);
  if (next === undefined) return undefined;
  const fourteenAt = birthdaySeconds(birthDate, CONSENT_AGE);
  return { nextAt: next, ...(fourteenAt > now ? { fourteenAt } : {}) };
}

/** Whether somebody born on this day may not yet open an account on their own. */
export const isChild = (birthDate: string | undefined): boolean =>
  birthDate !== undefined && ageAt(birthDate, todayInChina()) < CONSENT_AGE;

const SET = 'UPDATE persons SET fourteen_at = $1, milestone_at = $2 WHERE id = $3';

/** Remembers the birthdays of whoever is young, as a document says them. Adults cost nothing. */
export async function rememberBirthdays(
  tx: Transaction,
  personId: string,
  birthDate: string | undefined,
): Promise<void> {
  const birthdays = birthdaysOf(birthDate);
  if (birthdays !== undefined) await tx.run(SET, [birthdays.fourteenAt ?? null, birthdays.nextAt, personId]);
}

const DUE = `SELECT ${UNJUDGED} id, milestone_at FROM persons WHERE milestone_at IS NOT NULL AND milestone_at <= $1
  ORDER BY milestone_at LIMIT $2`;
const COUNT = 'SELECT count(*) AS total FROM persons WHERE milestone_at IS NOT NULL AND milestone_at <= $1';
const NEXT = `UPDATE persons SET milestone_at = $1, fourteen_at = CASE WHEN fourteen_at <= $2 THEN NULL ELSE fourteen_at END
  WHERE id = $3 AND milestone_at = $4`;

export interface BirthdaySources {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly birthDateOf: (personId: string) => Promise<string | undefined>;
  /** Tells the young person, and their guardians, in the transaction of the birthday. */
  readonly tell: (tx: Transaction, personId: string, age: number) => Promise<void>;
  readonly forget: (personId: string) => void;
}

/** What birthdays change: whoever turned 14 may act alone, and everybody concerned is told. Guardianship ends at 18 by its own date. */
export function createBirthdayJob({ database, ledger, birthDateOf, tell, forget }: BirthdaySources): NightlyJob {
  const turn = async (personId: string, at: number): Promise<void> => {
    const birthDate = await birthDateOf(personId);
    const next = birthdaysOf(birthDate)?.nextAt ?? null;
    await database.write(async (tx) => {
      // Another node was faster.
      if ((await tx.run(NEXT, [next, nowSeconds(), personId, at])) === 0 || birthDate === undefined) return;
      const age = AGES.findLast((one) => birthdaySeconds(birthDate, one) <= nowSeconds()) ?? AGE_OF_MAJORITY;
      await ledger.append(tx, { type: 'person.birthday', actor: 'system', personId, details: { age } });
      await tell(tx, personId, age);
    });
    forget(personId);
  };
  return {
    name: 'birthdays',
    perSecond: 50,
    async count() {
      return Number((await database.get<{ total: number }>(COUNT, [nowSeconds()]))?.total ?? 0);
    },
    async step(_cursor, limit) {
      // What was worked on is not due any more, so each step begins at the beginning.
      const rows = await database.all<{ id: string; milestone_at: number }>(DUE, [nowSeconds(), limit]);
      for (const { id, milestone_at: at } of rows) await unlessAltered(() => turn(id, Number(at)));
      const cursor = rows.length < limit ? undefined : rows.at(-1)?.id;
      return { cursor, handled: rows.length, asked: rows.length, counts: { told: rows.length } };
    },
  };
}
