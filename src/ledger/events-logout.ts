import { ADMINISTRATION, AUTHENTICATION, ENTITY, type EventKind, event, LOGOFF } from './event-kind.ts';

/** What portals are told of the end of a session; part of the catalogue in events.ts. */
export const LOGOUT_EVENTS = {
  'logout.delivered': event(
    'info',
    AUTHENTICATION,
    LOGOFF,
    'A portal confirmed that it ended its session.',
    'attempts',
  ),
  'logout.undelivered': event(
    'warning',
    AUTHENTICATION,
    LOGOFF,
    'A portal could not be told to end its session.',
    'attempts error',
  ),

  'logout.retried': event(
    'notice',
    ADMINISTRATION,
    ENTITY.updated,
    'An operator had a notice that was given up sent to its portal again.',
    'delivery',
  ),
} as const satisfies Record<string, EventKind>;
