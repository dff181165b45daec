import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';

/**
 * `disabled`: switched off by an administrator. `frozen`: shut until the person has proven again who they are. `closing`: the person
 * asked to be forgotten and may still change their mind; `closed`: it was done; `merged`: went over into another account of the person.
 */
export type PersonStatus = 'active' | 'disabled' | 'frozen' | 'closing' | 'closed' | 'merged';

/** `unknown`: there is no such person; `unchanged`: the person was not in a state this change begins from. */
export type StatusOutcome = 'changed' | 'unchanged' | 'unknown';

export type FreezeCause = 'reported_by_person' | 'watch';

/** What belongs to a freeze: where it was asked for, if by somebody with a browser, and its incident. */
export interface FreezeDetails extends Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'> {
  /** The id of the incident, or what opens it in the same transaction and resolves with its id. */
  readonly incident?: string | ((tx: Transaction) => Promise<string>);
}

/** Whether a person may sign in, and every way this changes: each writes its ledger event in the same transaction. */
export interface PersonStatuses {
  /** A disabled person may not sign in. `reason` is for those who later ask why. */
  disable(id: string, origin: string, reason?: string): Promise<StatusOutcome>;
  /** Takes back `disable`, and nothing else: who was frozen before is frozen again. */
  enable(id: string, origin: string, reason?: string): Promise<StatusOutcome>;
  /** Shuts an active account. Of several calls at once one finds it active, and only that one has `incident` opened. */
  freeze(id: string, cause: FreezeCause, details?: FreezeDetails): Promise<StatusOutcome>;
  /** Opens a frozen account again. `reason` says how the person has proven who they are. */
  unfreeze(id: string, origin: string, reason: string): Promise<StatusOutcome>;
}

export interface PersonStatusSources {
  readonly database: Database;
  readonly ledger: Ledger;
  /** Called after the commit: what was kept of this person is out of date. */
  readonly forget: (id: string) => void;
}

const EXISTS = 'SELECT 1 AS one FROM persons WHERE id = $1';
const STATUS = 'SELECT status FROM persons WHERE id = $1';
/**
 * What an account was when it was switched off it becomes again: a frozen one must not come to life by being switched off and on, and one
 * that is being closed goes on to be.
 */
const DISABLE = `UPDATE persons SET status_before = status, status = 'disabled', updated_at = $1
  WHERE id = $2 AND status IN ('active', 'frozen', 'closing')`;
const ENABLE = `UPDATE persons SET status = COALESCE(status_before, 'active'), status_before = NULL, updated_at = $1
  WHERE id = $2 AND status = 'disabled'`;
const FREEZE = `UPDATE persons SET status = 'frozen', updated_at = $1 WHERE id = $2 AND status = 'active'`;
const UNFREEZE = `UPDATE persons SET status = 'active', updated_at = $1 WHERE id = $2 AND status = 'frozen'`;

export function createPersonStatuses({ database, ledger, forget }: PersonStatusSources): PersonStatuses {
  const change = async (
    id: string,
    update: string,
    tell: (tx: Transaction) => Promise<void>,
  ): Promise<StatusOutcome> => {
    try {
      return await database.write(async (tx) => {
        if ((await tx.run(update, [nowSeconds(), id])) === 0) {
          return (await tx.get(EXISTS, [id])) === undefined ? 'unknown' : 'unchanged';
        }
        await tell(tx);
        return 'changed';
      });
    } finally {
      forget(id);
    }
  };

  return {
    disable: (id, origin, reason) =>
      change(id, DISABLE, (tx) =>
        ledger.append(tx, { type: 'person.disabled', personId: id, details: { origin, ...(reason && { reason }) } }),
      ),
    enable: (id, origin, reason) =>
      change(id, ENABLE, async (tx) => {
        const status = (await tx.get<{ status: PersonStatus }>(STATUS, [id]))?.status;
        const details = { origin, ...(reason && { reason }), ...(status && status !== 'active' && { status }) };
        await ledger.append(tx, { type: 'person.enabled', personId: id, details });
      }),
    freeze: (id, cause, { incident, ...caller } = {}) =>
      change(id, FREEZE, async (tx) => {
        const named = typeof incident === 'function' ? await incident(tx) : incident;
        const actor = cause === 'watch' ? { actor: 'system' } : {};
        const details = { cause, ...(named === undefined ? {} : { incident: named }) };
        await ledger.append(tx, { type: 'person.frozen', ...actor, ...caller, personId: id, details });
      }),
    unfreeze: (id, origin, reason) =>
      change(id, UNFREEZE, (tx) =>
        ledger.append(tx, { type: 'person.enabled', personId: id, details: { origin, reason } }),
      ),
  };
}
