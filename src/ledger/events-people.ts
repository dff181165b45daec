import { ENTITY, type EventKind, event, MONITORING } from './event-kind.ts';

/** What happens to natural persons beyond signing in; part of the catalogue in events.ts. */
export const PEOPLE_EVENTS = {
  'message.delivered': event(
    'info',
    MONITORING,
    ENTITY.other,
    'A message to a person was taken by the gateway.',
    'channel template attempts',
  ),
  'message.undelivered': event(
    'warning',
    MONITORING,
    ENTITY.other,
    'A message to a person could not be delivered.',
    'channel template attempts error',
  ),
} as const satisfies Record<string, EventKind>;
