import type { EventKind } from './event-kind.ts';

/** What happens to legal persons and mandates; part of the catalogue in events.ts. */
export const LEGAL_PERSON_EVENTS = {} as const satisfies Record<string, EventKind>;
