import type { EventKind } from './event-kind.ts';

/** What happens to natural persons beyond signing in; part of the catalogue in events.ts. */
export const PEOPLE_EVENTS = {} as const satisfies Record<string, EventKind>;
