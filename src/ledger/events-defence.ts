import { AUTHENTICATION, type EventKind, event, FINDING } from './event-kind.ts';

/** What the house does when it is tried from all sides; part of the catalogue in events.ts. */
export const DEFENCE_EVENTS = {
  'defence.raised': event(
    'warning',
    AUTHENTICATION,
    FINDING,
    'The whole house came under suspicion: browsers of strangers have to work, or people to read a picture, before a password is looked at.',
    'reasons',
  ),
  'defence.lowered': event(
    'notice',
    AUTHENTICATION,
    FINDING,
    'The house is calm again; so many attempts had failed, or come without that work, since it was raised.',
    'reasons failures',
  ),
} as const satisfies Record<string, EventKind>;
