import { newId } from '../shared/ids.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { By } from './by.ts';
import type { GrantOutcome, MandateGrants } from './mandate-grants.ts';
import { type MandateWish, type RowFault, readMandateFile } from './mandate-rows.ts';

/**
 * What became, or would become, of a file. Without faults and without `dryRun` everything in it is granted; otherwise nothing is.
 * `unchanged` lines stand already: a file can be imported again after an answer that was lost.
 */
export interface ImportReport {
  readonly ok: boolean;
  readonly dryRun: boolean;
  /** Names these grants in the ledger. */
  readonly importId: string | undefined;
  readonly lines: number;
  readonly granted: number;
  readonly unchanged: number;
  /** At most 200; `faultCount` says how many there are. */
  readonly faults: readonly RowFault[];
  readonly faultCount: number;
}

export interface MandateImport {
  readonly legalPersonId: string;
  readonly content: Uint8Array;
  readonly dryRun: boolean;
}

export type ImportMandates = (wanted: MandateImport, by: By) => Promise<ImportReport>;

const FAULTS_MAX = 200;

/** Undoes a dry run, and a file with faults: the judges of a line are the same as those of a single grant, down to the index. */
class Undone extends Error {}

interface Tally {
  granted: number;
  unchanged: number;
  readonly faults: RowFault[];
}

export function createMandateImport(database: Database, grants: Pick<MandateGrants, 'grantAgent'>): ImportMandates {
  const grantAll = async (
    tx: Transaction,
    { legalPersonId }: MandateImport,
    wishes: readonly MandateWish[],
    by: By,
    importId: string,
    tally: Tally,
  ): Promise<void> => {
    for (const { line, document, name, ...terms } of wishes) {
      const grant = { kind: 'agent', legalPersonId, agent: { document, name }, ...terms } as const;
      const outcome = await grants.grantAgent(tx, grant, by, importId);
      if (outcome.ok) tally.granted += 1;
      else if (standsAlready(outcome, terms.validUntil)) tally.unchanged += 1;
      else
        tally.faults.push({ line, column: '', reason: outcome.reason === 'exists' ? 'other_dates' : outcome.reason });
      // Who may not grant at all is told once.
      if (!outcome.ok && outcome.reason === 'not_entitled') return;
    }
  };

  return async (wanted, by) => {
    const { wishes, faults } = readMandateFile(wanted.content);
    const importId = newId('imp');
    let tally: Tally = { granted: 0, unchanged: 0, faults: [...faults] };
    if (faults.length === 0) {
      try {
        await database.write(async (tx) => {
          // PostgreSQL may run this again after a race: the count begins anew with it.
          tally = { granted: 0, unchanged: 0, faults: [] };
          await grantAll(tx, wanted, wishes, by, importId, tally);
          if (wanted.dryRun || tally.faults.length > 0) throw new Undone();
        });
      } catch (error) {
        if (!(error instanceof Undone)) throw error;
      }
    }
    const ok = tally.faults.length === 0;
    return {
      ok,
      dryRun: wanted.dryRun,
      importId: ok && !wanted.dryRun && tally.granted > 0 ? importId : undefined,
      lines: wishes.length,
      granted: ok ? tally.granted : 0,
      unchanged: tally.unchanged,
      faults: tally.faults.slice(0, FAULTS_MAX),
      faultCount: tally.faults.length,
    };
  };
}

/** The same mandate with the same end, or with any end where the line does not say. */
function standsAlready(outcome: Extract<GrantOutcome, { ok: false }>, validUntil: number | undefined): boolean {
  if (outcome.reason !== 'exists' || outcome.existing === undefined) return false;
  return validUntil === undefined || outcome.existing.validUntil === validUntil;
}
