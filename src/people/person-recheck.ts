import type { IdentitySource, IdentityVerdict } from '../proofing/identity-source.ts';
import { type AssuranceLevel, UNVOUCHED_LEVEL } from '../proofing/levels.ts';
import { nowSeconds } from '../shared/clock.ts';
import { unlessAltered } from '../shared/fault.ts';
import type { Connection, Database } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { NightlyJob, NightlyStep } from '../storage/nightly-job.ts';
import type { Persons } from './persons.ts';
import { createDoubt, type DoubtRules } from './recheck-doubt.ts';

export const PERSON_RECHECK = 'person-recheck';

export interface PersonRecheckSources {
  readonly database: Database;
  readonly persons: Pick<Persons, 'profile' | 'changeLevel'>;
  readonly register: IdentitySource;
  readonly perSecond: number;
  /** Whose last check is older than this is asked about. */
  readonly afterDays: number;
  readonly doubt: DoubtRules;
  /** `system` at night; absent when an operator has it done. */
  readonly actor?: 'system';
  /** Told when so many do not match that the register itself is doubted; their levels stay. */
  readonly onDoubt?: () => void;
}

interface Row {
  readonly id: string;
  readonly ial: number;
  readonly status: string;
  readonly checked_at: number | null;
  readonly verified_at: number | null;
}

type Found = IdentityVerdict | 'skipped';

const DAY_SECONDS = 86_400;
const PAGE_ROWS = 500;
/** Half of what a register is asked at once by default: people who register at night have places too. */
const AT_ONCE = 4;
const ORIGIN = 'recheck';
const CHECKED_STATUSES: ReadonlySet<string> = new Set(['active', 'disabled', 'frozen']);

const COUNT = 'SELECT count(*) AS people FROM persons';
const PAGE = `SELECT ${UNJUDGED} p.id, p.ial, p.status, c.checked_at, d.verified_at FROM persons p
  LEFT JOIN person_checks c ON c.person_id = p.id
  LEFT JOIN identity_documents d ON d.person_id = p.id AND d.is_primary = 1
  WHERE p.id > $1 ORDER BY p.id LIMIT $2`;
const NOTE = `INSERT INTO person_checks (person_id, checked_at, source, verdict) VALUES ($1, $2, $3, $4)
  ON CONFLICT (person_id) DO UPDATE SET checked_at = excluded.checked_at, source = excluded.source,
  verdict = excluded.verdict`;
const UNVOUCH = `UPDATE identity_documents SET verified_level = $1
  WHERE person_id = $2 AND is_primary = 1 AND verified_level > $1`;

/**
 * Asks the population register again about everybody at level 2 or above whose last check is old. Who does not match any more falls to
 * level 1, in one transaction with the ledger event and the notice; `unavailable` changes nothing. A register that all at once finds
 * hardly anybody is doubted, not believed. The cursor is the id of the last person.
 */
export function createPersonRecheck(sources: PersonRecheckSources): NightlyJob {
  const { database, persons, register, perSecond, afterDays } = sources;
  const doubt = createDoubt(sources.doubt);
  const by = sources.actor === undefined ? {} : { actor: sources.actor };

  const ask = async (personId: string): Promise<Found> => {
    const profile = await persons.profile(personId);
    const { idNumber, name, document } = profile ?? {};
    // Only numbers of residents are in this register; whoever gave no plaintext identity cannot be asked about at all.
    if (idNumber === undefined || name === undefined || document === undefined) return 'skipped';
    return register.check({ idNumber, name, documentType: document.type });
  };

  const note = (connection: Connection, personId: string, verdict: 'match' | 'mismatch'): Promise<number> =>
    connection.run(NOTE, [personId, nowSeconds(), register.name, verdict]);

  const lower = (personId: string) =>
    persons.changeLevel(personId, async (tx, before) => {
      await note(tx, personId, 'mismatch');
      await tx.run(UNVOUCH, [UNVOUCHED_LEVEL, personId]);
      const ial = Math.min(before, UNVOUCHED_LEVEL) as AssuranceLevel;
      return { ial, reason: 'register_mismatch', source: register.name, origin: ORIGIN, ...by };
    });

  return {
    name: PERSON_RECHECK,
    perSecond,
    count: async () => Number((await database.get<{ people: number }>(COUNT, []))?.people),

    async step(cursor, limit, signal): Promise<NightlyStep> {
      const rows = await database.all<Row>(PAGE, [cursor ?? '', PAGE_ROWS]);
      const { due, passed } = choose(rows, nowSeconds() - afterDays * DAY_SECONDS, limit);
      const found = await inParallel(due, AT_ONCE, async (id) => ({
        id,
        verdict: signal?.aborted === true ? 'unavailable' : ((await unlessAltered(() => ask(id))) ?? 'skipped'),
      }));
      const counts = countsOf(found.map(({ verdict }) => verdict));
      const next = passed === rows.length && rows.length < PAGE_ROWS ? undefined : rows[passed - 1]?.id;
      const step = { cursor: next, handled: passed, asked: due.length, counts };
      if (signal?.aborted === true) return { ...step, stalled: true };
      for (const { id, verdict } of found) if (verdict === 'match') await note(database, id, verdict);
      const mismatched = found.filter(({ verdict }) => verdict === 'mismatch');
      if (doubt.arises(counts.match ?? 0, mismatched.length)) {
        sources.onDoubt?.();
        return { ...step, counts: { ...counts, mismatch: 0, doubted: mismatched.length }, stalled: true };
      }
      for (const { id } of mismatched) await unlessAltered(() => lower(id));
      const unavailable = counts.unavailable ?? 0;
      return { ...step, stalled: unavailable > 0 && unavailable === due.length - (counts.skipped ?? 0) };
    },
  };
}

/** Of a page, those to be asked about, `limit` at most, and how many rows that goes past. Pure. */
function choose(
  rows: readonly Row[],
  dueBefore: number,
  limit: number,
): { readonly due: readonly string[]; readonly passed: number } {
  const due: string[] = [];
  for (const [at, row] of rows.entries()) {
    if (due.length === limit) return { due, passed: at };
    const last = Math.max(Number(row.checked_at ?? 0), Number(row.verified_at ?? 0));
    if (Number(row.ial) > UNVOUCHED_LEVEL && CHECKED_STATUSES.has(row.status) && last < dueBefore) due.push(row.id);
  }
  return { due, passed: rows.length };
}

const countsOf = (found: readonly Found[]): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(found, (verdict) => verdict)].map(([verdict, all]) => [verdict, all.length]));

async function inParallel<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = items.entries();
  const worker = async (): Promise<void> => {
    for (const [at, item] of waiting) results[at] = await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
