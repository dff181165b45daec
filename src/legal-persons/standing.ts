import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LegalPersonRegister, LegalPersonStanding } from '../proofing/legal-person-register.ts';
import { spellingOf } from '../proofing/spelling.ts';
import { nowSeconds } from '../shared/clock.ts';
import { unlessAltered } from '../shared/fault.ts';
import type { Database } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { NightlyJob } from '../storage/nightly-job.ts';
import type { ActingEnds } from './acting-ends.ts';
import type { Companies, CompanyRow } from './companies.ts';
import { type SuspensionCause, suspendCompany } from './suspension.ts';
import { representativeKeyOf } from './takeover.ts';

/** What a look into the register did to a legal person. */
export type StandingOutcome = 'unchanged' | 'renamed' | 'suspended' | 'deregistered' | 'unknown' | 'unavailable';

export interface StandingParts {
  readonly database: Database;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  readonly companies: Companies;
  readonly register: LegalPersonRegister;
  readonly ends: ActingEnds;
  readonly perSecond: number;
}

export interface Standing {
  /**
   * Asks the register about one legal person now. Another representative, or none at all, stops it: all posts and mandates are
   * suspended, what they opened ends, everyone concerned is told. What the register cannot say changes nothing.
   */
  recheck(legalPersonId: string): Promise<StandingOutcome>;
  /** The nightly walk over all of them. */
  readonly job: NightlyJob;
}

const NEXT = `SELECT ${UNJUDGED} id FROM legal_persons WHERE id > $1 AND status <> 'deregistered' ORDER BY id LIMIT $2`;
const COUNT = `SELECT count(*) AS total FROM legal_persons WHERE status <> 'deregistered'`;
const CHECKED = 'UPDATE legal_persons SET checked_at = $2, representative_key = $3 WHERE id = $1';

export function createStanding(parts: StandingParts): Standing {
  const { database, index, ledger, companies, register, ends, perSecond } = parts;

  const apply = (id: string, standing: Exclude<LegalPersonStanding, { state: 'unavailable' | 'unknown' }>) =>
    database.write(async (tx): Promise<StandingOutcome> => {
      const row = await companies.lock(tx, id);
      if (row === undefined) return 'unknown';
      const { uscc, name } = companies.profileOf(row);
      const cause = causeOf(row, standing, index, uscc);
      const key =
        standing.state === 'active'
          ? representativeKeyOf(index, uscc, standing.representativeDigest)
          : row.representative_key;
      await tx.run(CHECKED, [id, nowSeconds(), key]);
      const renamed = standing.state === 'active' && spellingOf(standing.name) !== spellingOf(name);
      if (renamed) await companies.rename(tx, row, standing.name);
      if (cause !== undefined && (await suspendCompany(tx, ledger, row, { cause, by: 'house' }))) {
        return cause === 'deregistered' ? 'deregistered' : 'suspended';
      }
      return renamed ? 'renamed' : 'unchanged';
    });

  const recheck = async (id: string): Promise<StandingOutcome> => {
    const row = await companies.find(database, id);
    if (row === undefined) return 'unknown';
    const standing = await register.statusOf(companies.profileOf(row).uscc);
    if (standing.state === 'unavailable' || standing.state === 'unknown') return standing.state;
    const outcome = await apply(id, standing);
    if (outcome === 'suspended') await ends.company(id, 'representative_changed');
    if (outcome === 'deregistered') await ends.company(id, 'deregistered');
    return outcome;
  };

  return {
    recheck,
    job: {
      name: 'legal-persons',
      perSecond,
      async count() {
        return Number((await database.get<{ total: number }>(COUNT, []))?.total ?? 0);
      },
      async step(cursor, limit) {
        const rows = await database.all<{ id: string }>(NEXT, [cursor ?? '', limit]);
        const counts: Record<string, number> = {};
        for (const { id } of rows) {
          const outcome = (await unlessAltered(() => recheck(id))) ?? 'altered';
          counts[outcome] = (counts[outcome] ?? 0) + 1;
        }
        const stalled = rows.length > 0 && counts.unavailable === rows.length;
        return {
          cursor: rows.length < limit ? undefined : rows.at(-1)!.id,
          handled: rows.length,
          asked: rows.length,
          counts,
          ...(stalled ? { stalled } : {}),
        };
      },
    },
  };
}

/** Whether what the register says now stops a legal person. The first answer about one is only remembered. Pure. */
function causeOf(
  row: CompanyRow,
  standing: Exclude<LegalPersonStanding, { state: 'unavailable' | 'unknown' }>,
  index: BlindIndex,
  uscc: string,
): SuspensionCause | undefined {
  if (standing.state === 'deregistered') return 'deregistered';
  const known = row.representative_key;
  if (known === null || known === representativeKeyOf(index, uscc, standing.representativeDigest)) return undefined;
  return 'representative_changed';
}
