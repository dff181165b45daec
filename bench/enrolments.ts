import { setTimeout as pause } from 'node:timers/promises';
import type { House } from '../src/app.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { syntheticPerson } from '../src/people/seeding/synthetic-people.ts';
import type { DrillReport } from './drill-report.ts';

type Enrolled = 'added' | 'exists' | 'failed';

/** Accounts that are opened one after the other, each by two houses at once. */
export interface Enrolments {
  /** Numbers for which somebody was told that an account is there. */
  readonly acknowledged: ReadonlySet<number>;
  /** Begins no more, and waits for those under way. */
  readonly end: () => Promise<void>;
  /** Asks one of the houses after every account that was acknowledged, and counts people and documents. */
  readonly report: (report: DrillReport, house: House) => Promise<void>;
}

/** Opens an account every so many milliseconds, the synthetic people from a place on in turn. */
export function startEnrolments(houses: readonly [House, House], everyMs: number, from = 0): Enrolments {
  const acknowledged = new Set<number>();
  const underWay: Promise<void>[] = [];
  let bothAdded = 0;
  let failed = 0;
  let isOver = false;

  const enrolTwice = async (n: number): Promise<void> => {
    const { idNumber, name } = syntheticPerson(n);
    const answers = await Promise.all(
      houses.map(async ({ persons }): Promise<Enrolled> => {
        try {
          const added = await persons.add({ idNumber, name, ial: 2, origin: 'drill' });
          return added.ok ? 'added' : added.reason;
        } catch {
          return 'failed';
        }
      }),
    );
    if (answers.includes('added') || answers.includes('exists')) acknowledged.add(n);
    if (answers.every((answer) => answer === 'added')) bothAdded += 1;
    failed += answers.filter((answer) => answer === 'failed').length;
  };

  const running = (async () => {
    for (let n = from; !isOver; n += 1) {
      underWay.push(enrolTwice(n));
      await pause(everyMs);
    }
  })();

  return {
    acknowledged,
    async end() {
      isOver = true;
      await running;
      await Promise.all(underWay);
    },
    async report(report, { persons, database }) {
      let missing = 0;
      for (const n of acknowledged) {
        const parsed = parseIdNumber(syntheticPerson(n).idNumber);
        if (!parsed.ok || (await persons.findByIdNumber(parsed.number)) === undefined) missing += 1;
      }
      const count = async (statement: string): Promise<number> =>
        Number((await database.get<{ count: number }>(statement, []))?.count);
      const people = await count('SELECT COUNT(*) AS count FROM persons');
      const documents = await count('SELECT COUNT(DISTINCT person_id) AS count FROM identity_documents');
      report.expect(missing === 0, `${missing} of ${acknowledged.size} accounts that were told of are missing`);
      report.expect(bothAdded === 0, `${bothAdded} accounts were opened twice; ${failed} attempts failed`);
      report.expect(people === documents, `${people} people, ${documents} of them with a document`);
    },
  };
}
