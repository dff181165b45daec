import type { Acting } from '../legal-persons/acting.ts';
import { isAccepted } from '../legal-persons/choice.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import type { Database } from '../storage/database.ts';
import { type GrantSubjectRow, grantsAfter, overdueGrants, prolongGrant } from './grant-subjects.ts';
import type { SubjectEnds } from './subject-ends.ts';

export interface SubjectWatchOptions {
  readonly database: Database;
  readonly acting: Acting;
  readonly ends: SubjectEnds;
  readonly relyingParties: Pick<RelyingParties, 'find'>;
  readonly intervalMs?: number;
  /** Looked at before each round: one process of all walks. */
  readonly isOurs?: () => boolean;
  readonly onError: (error: unknown) => void;
}

export interface SubjectWatch {
  /** One round now; resolves with how many grants it has ended. */
  round(): Promise<number>;
  stop(): Promise<void>;
}

const INTERVAL_MS = 1000;
/** Grants looked at again in one round: some milliseconds of work a second, however many there are. */
const LOOKED_AT_MAX = 100;

/**
 * Each second: ends grants whose mandate has run out, and walks on over the others to end those whose subject no longer stands. Whoever
 * ends a mandate has its grants ended at once, and every use of a token asks anew; this is for the clock, for a process that died
 * between the two, and for portals that accept other subjects than before. Two at once do no harm.
 */
export function startSubjectWatch(options: SubjectWatchOptions): SubjectWatch {
  const { database, acting, ends, relyingParties, intervalMs = INTERVAL_MS, isOurs = () => true, onError } = options;
  let place = '';
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();

  /** Why a grant has to end; undefined where it stands. A portal that is switched off answers nobody and keeps what it has. */
  const verdictOn = async (row: GrantSubjectRow): Promise<string | undefined> => {
    const subject = await acting.find(row.person_id, row.client_id, row.ref);
    if (subject === undefined) return 'no_longer_stands';
    const until = subject.mandate?.validUntil ?? null;
    if (until !== row.stands_until) await prolongGrant(database, row.grant_id, until);
    const party = await relyingParties.find(row.client_id);
    return party === undefined || isAccepted(party.record.accepts_subjects, subject) ? undefined : 'not_accepted';
  };

  const endFallen = async (rows: readonly GrantSubjectRow[], causeOf: (verdict: string) => string): Promise<number> => {
    let ended = 0;
    for (const row of await ends.living(rows)) {
      const verdict = await verdictOn(row);
      if (verdict !== undefined) ended += await ends.endGrants([row], causeOf(verdict));
    }
    return ended;
  };

  const round = async (): Promise<number> => {
    const overdue = await endFallen(await overdueGrants(database, LOOKED_AT_MAX), (verdict) =>
      verdict === 'no_longer_stands' ? 'expired' : verdict,
    );
    const next = await grantsAfter(database, place, LOOKED_AT_MAX);
    place = next.length < LOOKED_AT_MAX ? '' : (next.at(-1)?.grant_id ?? '');
    return overdue + (await endFallen(next, (verdict) => verdict));
  };

  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      running = (isOurs() ? round() : Promise.resolve()).catch(onError).finally(schedule);
    }, intervalMs);
    timer.unref();
  };
  schedule();

  return {
    round,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
