import { ACCOUNT, ADMINISTRATION, AUTHENTICATION, ENTITY, type EventKind, event } from './event-kind.ts';

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
} as const satisfies Record<string, EventKind>;
