import type { Ledger } from '../ledger/ledger.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { Asked } from './held-documents.ts';

/** Why a level changed: a closed list, which the ledger and the person are told. */
export type LevelReason =
  | 'proven'
  | 'register_mismatch'
  | 'document_expired'
  | 'document_removed'
  | 'credential_withdrawn'
  | 'corrected'
  | 'merged';

/** A change that is asked for. `source` is who vouched, or does not any more. */
export interface LevelChange extends Asked {
  readonly ial: AssuranceLevel;
  readonly reason: LevelReason;
  readonly source?: string;
  /** Who did it where that is neither the person nor the operator of a command. */
  readonly actor?: 'system';
}

export type LevelOutcome =
  | { readonly outcome: 'changed'; readonly before: AssuranceLevel; readonly after: AssuranceLevel }
  | { readonly outcome: 'unchanged' | 'unknown' };

/** A level that fell. */
export interface LevelFall {
  readonly before: AssuranceLevel;
  readonly after: AssuranceLevel;
  readonly reason: LevelReason;
}

/** What follows from a fall. */
export interface LevelFallHooks {
  /** Tells the person; called in the transaction of the fall. */
  readonly tell?: (tx: Transaction, personId: string, fall: LevelFall) => Promise<void>;
  /**
   * Called after the commit: ends what portals hold that demand more than `ial`. May be called again for the same fall. Until it
   * has run, the protocol itself looks at the level of the person wherever it decides.
   */
  readonly levelFell?: (personId: string, ial: AssuranceLevel) => Promise<void>;
}

/** The one way the level of a person changes. Every change writes `identity.level-changed` in its transaction. */
export interface PersonLevels {
  /** `alongside` writes what belongs to the change, in the same transaction; it runs also when the level stays as it is. */
  setLevel(
    personId: string,
    change: LevelChange,
    alongside?: (tx: Transaction) => Promise<void>,
  ): Promise<LevelOutcome>;
  /** Lets `decide` read and write in the transaction, the person's row locked, before it says what is to change; undefined is nothing. */
  changeLevel(
    personId: string,
    decide: (tx: Transaction, before: AssuranceLevel) => Promise<LevelChange | undefined>,
  ): Promise<LevelOutcome>;
}

export interface PersonLevelSources extends LevelFallHooks {
  readonly database: Database;
  readonly ledger: Ledger;
  /** Called after the commit: what was kept of this person is out of date. */
  readonly forget: (personId: string) => void;
}

/** Changes of one person's level stand in line here: two at once must not both start from the same one. */
const LOCK = 'UPDATE persons SET ial = ial WHERE id = $1';
const SELECT = 'SELECT ial FROM persons WHERE id = $1';
const UPDATE = 'UPDATE persons SET ial = $1, updated_at = $2 WHERE id = $3';

export function createPersonLevels(sources: PersonLevelSources): PersonLevels {
  const { database, ledger, forget, tell, levelFell } = sources;

  const write = async (tx: Transaction, personId: string, before: AssuranceLevel, change: LevelChange) => {
    const { ial: after, reason, origin, source, ...from } = change;
    await tx.run(UPDATE, [after, nowSeconds(), personId]);
    const details = { origin, before, after, reason, ...(source === undefined ? {} : { source }) };
    await ledger.append(tx, { ...from, type: 'identity.level-changed', personId, details });
    if (after < before) await tell?.(tx, personId, { before, after, reason });
  };

  const changeLevel: PersonLevels['changeLevel'] = async (personId, decide) => {
    let outcome: LevelOutcome;
    try {
      outcome = await database.write(async (tx): Promise<LevelOutcome> => {
        if ((await tx.run(LOCK, [personId])) === 0) return { outcome: 'unknown' };
        const row = await tx.get<{ ial: number }>(SELECT, [personId]);
        const before = Number(row?.ial) as AssuranceLevel;
        const change = await decide(tx, before);
        if (change === undefined || change.ial === before) return { outcome: 'unchanged' };
        await write(tx, personId, before, change);
        return { outcome: 'changed', before, after: change.ial };
      });
    } finally {
      forget(personId);
    }
    if (outcome.outcome === 'changed' && outcome.after < outcome.before) await levelFell?.(personId, outcome.after);
    return outcome;
  };

  return {
    changeLevel,
    setLevel: (personId, change, alongside) =>
      changeLevel(personId, async (tx) => {
        await alongside?.(tx);
        return change;
      }),
  };
}
