import { ACCESS, ACCESS_TAKEN, type EventKind, event, SESSION } from './event-kind.ts';

/** For whom people act at portals; part of the catalogue in events.ts. */
export const SUBJECT_EVENTS = {
  'subject.chosen': event(
    'info',
    ACCESS,
    SESSION,
    'For whom a person acts at a portal was settled: on the page, by the request, or because there was one answer; without an id, for themselves.',
    'origin legalPerson represented role mandate session',
  ),
  'subject.refused': event(
    'warning',
    ACCESS,
    SESSION,
    'Somebody tried to act for whom they may not act for, out of order, or from another browser.',
    'reason',
  ),
  'acting.ended': event(
    'notice',
    ACCESS,
    ACCESS_TAKEN,
    'What a portal was granted for somebody acted for ended with the mandate or post; the portal is told.',
    'cause legalPerson represented role mandate session',
  ),
} as const satisfies Record<string, EventKind>;
