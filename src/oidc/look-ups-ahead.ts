import type { AdapterPayload } from 'oidc-provider';
import type { Persons } from '../people/persons.ts';
import type { Recoveries } from '../people/recoveries.ts';
import type { Ladder } from '../sign-in/ladder.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import type { Database } from '../storage/database.ts';
import { askAhead, forgetAhead } from '../storage/read-ahead.ts';
import { findConsent } from './grants.ts';
import { findSessionByUid } from './session-rows.ts';
import { currentUnit } from './unit-of-work.ts';

type Looks = readonly (() => Promise<unknown>)[];

/**
 * What a request is going to ask of the store, begun as soon as it is known whose it is (read-ahead.ts). Each list names a look-up as often as the way
 * that follows makes it, and nothing here is needed: who finds nothing asked for asks.
 */
export interface LookUpsAhead {
  /** For a token of a person. */
  ofPerson(personId: string, grantId: string | undefined): Looks;
  /** Somebody who is signed in opens a portal. */
  opened(personId: string, clientId: string, grantId: string | undefined): void;
  /** A page of a sign-in was asked for, or a form of one came. */
  taken(interaction: AdapterPayload): void;
  /** Somebody has proven who they are. What was looked up before counts no more: a hash may have taken a second, and a register longer. */
  proven(personId: string, clientId: string): void;
  /** Somebody consents, and a code follows. */
  consented(personId: string, clientId: string): void;
}

export interface LookUpSources {
  readonly database: Database;
  readonly store: Pick<ArtifactStore, 'find'>;
  readonly persons: Pick<Persons, 'find' | 'profile'>;
  readonly ladder: Pick<Ladder, 'lookAhead'>;
  readonly recoveries: Pick<Recoveries, 'waits'>;
}

export function createLookUpsAhead({ database, store, persons, ladder, recoveries }: LookUpSources): LookUpsAhead {
  const person = (personId: string) => () => persons.find(personId);
  const profile = (personId: string) => () => persons.profile(personId);
  const demand = (personId: string) => () => ladder.lookAhead(personId);
  const consent = (personId: string, clientId: string) => () => findConsent(database, personId, clientId);
  const ofPerson: LookUpsAhead['ofPerson'] = (personId, grantId) => [
    profile(personId),
    ...(grantId === undefined ? [] : [() => store.find('Grant', grantId)]),
  ];

  return {
    ofPerson,
    opened(personId, clientId, grantId) {
      askAhead([...ofPerson(personId, grantId), consent(personId, clientId), demand(personId)]);
    },
    taken({ session }) {
      const { uid, accountId } = session ?? {};
      if (uid === undefined || accountId === undefined) return;
      // The demand for the page, and for the request once more when it goes on.
      const ofThem = [person(accountId), profile(accountId), demand(accountId), demand(accountId)];
      askAhead([() => findSessionByUid(database, uid), ...ofThem]);
    },
    proven(personId, clientId) {
      const unit = currentUnit();
      if (unit !== undefined) unit.readsAnew = true;
      forgetAhead();
      // For the circumstances and for the step that follows, for the request as it goes on, and for the page of its next question.
      const each = [profile(personId), demand(personId)];
      const page = [person(personId), ...each];
      const waits = () => recoveries.waits(personId);
      askAhead([...each, ...each, waits, person(personId), consent(personId, clientId), ...page]);
    },
    consented(personId, clientId) {
      // For what is remembered in its place, and for the request as it goes on.
      askAhead([consent(personId, clientId), consent(personId, clientId)]);
    },
  };
}
