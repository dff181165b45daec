import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { ArtifactChange, ArtifactStore } from '../storage/artifact-store.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { enqueueLogout } from './logout-notices.ts';
import { endSession, type SessionEnder } from './session-ending.ts';
import { type Authorizations, takePortalOut } from './session-rows.ts';

/** A session of a person as their account page shows it. */
export interface SessionSummary {
  readonly uid: string;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly clientIds: readonly string[];
}

export interface SessionEnds {
  list(personId: string): Promise<readonly SessionSummary[]>;
  /** Ends one session of this person: cookie, grants and tokens at once, portals by notice. False when it is not theirs or over. */
  end(personId: string, uid: string, cause: string, by?: SessionEnder): Promise<boolean>;
  /** Ends every session of this person but one. Resolves with how many there were. */
  endOthers(personId: string, keptUid: string, cause: string, by?: SessionEnder): Promise<number>;
  /** Ends every session but one, and what portals were granted beyond that one. */
  endAllBut(personId: string, keptUid: string, cause: string, by?: SessionEnder): Promise<void>;
  /** Ends all sessions of a person, and what portals were granted beyond them. Resolves with how many sessions there were. */
  endAll(personId: string, cause: string, by?: SessionEnder): Promise<number>;
  /** Ends what one portal was granted, in every session of the person, and tells the portal. */
  endPortal(personId: string, clientId: string, alongside: (tx: Transaction) => Promise<void>): Promise<void>;
}

interface Row {
  uid: string;
  authorizations: string;
  started_at: number;
  seen_at: number;
  address: string | null;
  user_agent: string | null;
}

/** Whoever ends what is theirs ends what was put there in their name, too. */
const LIVE = `SELECT ${UNJUDGED} uid, authorizations, started_at, seen_at, address, user_agent FROM sessions
  WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY seen_at DESC`;

export interface SessionEndSources {
  readonly database: Database;
  readonly store: ArtifactStore;
  readonly ledger: Ledger;
}

/** Ends sessions from outside the sign-out page: by the person, an administrator, or a disabled account (C11, F2). */
export function createSessionEnds({ database, store, ledger }: SessionEndSources): SessionEnds {
  const live = (personId: string): Promise<Row[]> => database.all<Row>(LIVE, [personId, nowSeconds()]);

  const endRows = async (personId: string, rows: readonly Row[], cause: string, by: SessionEnder): Promise<void> => {
    if (rows.length === 0) return;
    const changes = rows.flatMap(({ authorizations }) =>
      Object.values(JSON.parse(authorizations) as Authorizations).flatMap(({ grantId }) => endGrantChanges(grantId)),
    );
    await store.apply(changes, async (tx) => {
      for (const { uid } of rows) await endSession(tx, ledger, { uid, personId }, cause, by);
    });
  };

  const endAllOf = async (
    personId: string,
    keptUid: string | undefined,
    cause: string,
    by: SessionEnder,
  ): Promise<number> => {
    const rows = await live(personId);
    const ended = rows.filter(({ uid }) => uid !== keptUid);
    await endRows(personId, ended, cause, by);
    const kept = rows
      .filter(({ uid }) => uid === keptUid)
      .map((row) => JSON.parse(row.authorizations) as Authorizations);
    const keptGrants = new Set(kept.flatMap((portals) => Object.values(portals).map(({ grantId }) => grantId)));
    // Grants that outlived their session: offline access.
    const held = (await store.findByAccount('Grant', personId)).filter(({ id }) => !keptGrants.has(id));
    if (held.length === 0) return ended.length;
    const changes = held.flatMap(({ id }) => endGrantChanges(id));
    await store.apply(changes, async (tx) => {
      for (const clientId of new Set(held.map(({ payload }) => String(payload.clientId)))) {
        await ledger.append(tx, { ...by, type: 'token.revoked', personId, clientId });
      }
    });
    return ended.length;
  };

  return {
    async list(personId) {
      return (await live(personId)).map((row) => ({
        uid: row.uid,
        startedAt: row.started_at,
        seenAt: row.seen_at,
        address: row.address,
        userAgent: row.user_agent,
        clientIds: Object.keys(JSON.parse(row.authorizations) as Authorizations),
      }));
    },
    async end(personId, uid, cause, by = {}) {
      const row = (await live(personId)).find((candidate) => candidate.uid === uid);
      if (!row) return false;
      await endRows(personId, [row], cause, by);
      return true;
    },
    async endOthers(personId, keptUid, cause, by = {}) {
      const rows = (await live(personId)).filter(({ uid }) => uid !== keptUid);
      await endRows(personId, rows, cause, by);
      return rows.length;
    },
    async endAllBut(personId, keptUid, cause, by = {}) {
      await endAllOf(personId, keptUid, cause, by);
    },
    endAll: (personId, cause, by = {}) => endAllOf(personId, undefined, cause, by),
    async endPortal(personId, clientId, alongside) {
      const held = await store.findByAccount('Grant', personId);
      const grantIds = held.filter(({ payload }) => payload.clientId === clientId).map(({ id }) => id);
      const rows = await live(personId);
      let isEntered = grantIds.length > 0;
      await store.apply(grantIds.flatMap(endGrantChanges), async (tx) => {
        for (const row of rows) {
          if (clientId in (JSON.parse(row.authorizations) as Authorizations)) isEntered = true;
          // As it is by now: others may have entered the session since.
          const sid = await takePortalOut(tx, { uid: row.uid, clientId });
          if (sid) await enqueueLogout(tx, { clientId, accountId: personId, sid, sessionUid: row.uid });
        }
        await alongside(tx);
        if (isEntered) await ledger.append(tx, { type: 'token.revoked', personId, clientId });
      });
    },
  };
}

/** What ends a grant with everything that hangs on it. */
export function endGrantChanges(grantId: string | undefined): ArtifactChange[] {
  if (!grantId) return [];
  return [
    { kind: 'revokeGrant', grantId },
    { kind: 'destroy', model: 'Grant', id: grantId },
  ];
}
