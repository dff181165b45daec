import type { Ledger } from '../ledger/ledger.ts';
import type { ActingEnded } from '../legal-persons/acting.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { type GrantSubjectRow, grantsOpenedBy, removeGrantSubject } from './grant-subjects.ts';
import { enqueueLogout } from './logout-notices.ts';
import { endGrantChanges } from './session-ends.ts';
import { takePortalOut } from './session-rows.ts';

export interface SubjectEnds {
  /**
   * Ends what a mandate, a post or a company had opened: grants and tokens of every session, the portal's place in those sessions,
   * with a logout notice to exactly those portals and an event each. Idempotent: of several that end one grant, in whatever
   * process, one tells of it.
   */
  readonly ended: ActingEnded;
  /** The same for grants that were found otherwise. Resolves with how many this call has ended. */
  endGrants(rows: readonly GrantSubjectRow[], cause: string): Promise<number>;
  /** Those whose grants are still there. What ended by sign-out or withdrawn consent was told then; its rows are removed. */
  living(rows: readonly GrantSubjectRow[]): Promise<readonly GrantSubjectRow[]>;
  /** Called after each end that left notices in the outbox. */
  whenEnded(listener: () => void): void;
}

export interface SubjectEndSources {
  readonly database: Database;
  readonly store: ArtifactStore;
  readonly ledger: Ledger;
}

/** Grants ended in one transaction: all of an ordinary company's, and few enough that other writers do not wait long. */
const GRANTS_AT_ONCE = 200;

export function createSubjectEnds({ database, store, ledger }: SubjectEndSources): SubjectEnds {
  const listeners: (() => void)[] = [];

  const endOne = async (tx: Transaction, row: GrantSubjectRow, cause: string): Promise<boolean> => {
    if (!(await removeGrantSubject(tx, row.grant_id))) return false;
    const { person_id: personId, client_id: clientId, session_uid: sessionUid } = row;
    const sid = await takePortalOut(tx, { uid: sessionUid, clientId, grantId: row.grant_id });
    if (sid !== undefined) await enqueueLogout(tx, { clientId, accountId: personId, sid, sessionUid });
    const details = {
      cause,
      role: row.role,
      ...(row.legal_person_id === null ? {} : { legalPerson: row.legal_person_id }),
      ...(row.represented_id === null ? {} : { represented: row.represented_id }),
      ...(row.mandate_id === null ? {} : { mandate: row.mandate_id }),
    };
    await ledger.append(tx, { type: 'acting.ended', personId, clientId, sessionUid, details });
    return true;
  };

  const living: SubjectEnds['living'] = async (rows) => {
    const grants = await Promise.all(rows.map((row) => store.find('Grant', row.grant_id)));
    const dead = rows.filter((_row, at) => grants[at] === undefined);
    if (dead.length > 0) {
      await database.write(async (tx) => {
        for (const row of dead) await removeGrantSubject(tx, row.grant_id);
      });
    }
    return rows.filter((_row, at) => grants[at] !== undefined);
  };

  const endGrants: SubjectEnds['endGrants'] = async (found, cause) => {
    const rows = await living(found);
    let ended = 0;
    for (let from = 0; from < rows.length; from += GRANTS_AT_ONCE) {
      const part = rows.slice(from, from + GRANTS_AT_ONCE);
      let endedNow = 0;
      await store.apply(
        part.flatMap(({ grant_id: grantId }) => endGrantChanges(grantId)),
        async (tx) => {
          // PostgreSQL may undo the write for a race and run it again.
          endedNow = 0;
          for (const row of part) if (await endOne(tx, row, cause)) endedNow += 1;
        },
      );
      ended += endedNow;
    }
    if (ended > 0) for (const listener of listeners) listener();
    return ended;
  };

  return {
    endGrants,
    living,
    async ended(ended, cause) {
      await endGrants(await grantsOpenedBy(database, ended), cause);
    },
    whenEnded(listener) {
      listeners.push(listener);
    },
  };
}
