import {
  ACCOUNT,
  ADMINISTRATION,
  AUTHENTICATION,
  ENTITY,
  type EventKind,
  event,
  FINDING,
  LOGON,
} from './event-kind.ts';

/** What happens to the factors of people; part of the catalogue in events.ts. */
export const FACTOR_EVENTS = {
  'factor.bound': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'A person got something more to prove themselves with.',
    'origin kind factor',
  ),
  'factor.renamed': event(
    'info',
    AUTHENTICATION,
    ACCOUNT.other,
    'A person gave one of their factors another name.',
    'origin kind factor',
  ),
  'factor.removed': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'Something a person proved themselves with was taken from their account.',
    'origin kind factor cause',
  ),
  'factor.tokens-imported': event(
    'warning',
    ADMINISTRATION,
    ENTITY.created,
    'Seeds of hardware tokens were taken into stock, to be bound by the people who get the tokens.',
    'origin count',
  ),
  'factor.policy-changed': event(
    'notice',
    AUTHENTICATION,
    ACCOUNT.other,
    'A person switched on or off that a second factor is always asked for.',
    'origin alwaysAsk',
  ),
  'factor.cloned': event(
    'alert',
    AUTHENTICATION,
    FINDING,
    'A key signed with a counter that has been higher: somebody holds a copy of it. The proof was refused.',
    'kind factor',
  ),
  'scan.approved': event(
    'notice',
    AUTHENTICATION,
    LOGON,
    'A person let another screen sign in as them, by a code they had scanned with their phone.',
    'scan session',
  ),
  'scan.refused': event(
    'warning',
    AUTHENTICATION,
    LOGON,
    'A sign-in by a scanned code was refused.',
    'reason scan session',
  ),
  'device.trusted': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'A person asked not to be asked for a second factor again in a browser.',
    'trusted',
  ),
  'device.distrusted': event(
    'notice',
    AUTHENTICATION,
    ACCOUNT.other,
    'A browser that was trusted is trusted no more.',
    'trusted cause count',
  ),
} as const satisfies Record<string, EventKind>;
