import { ADMINISTRATION, AUDIT, ENTITY, type EventKind, event, FINDING } from './event-kind.ts';

/** Keys, and what stands under them; part of the catalogue in events.ts. */
export const KEY_EVENTS = {
  'key.created': event('notice', ADMINISTRATION, ENTITY.created, 'A key was created.', 'kid alg purpose state'),
  'key.rotated': event('notice', ADMINISTRATION, ENTITY.updated, 'The key in use was replaced.', 'kid alg purpose'),
  'key.removed': event('notice', ADMINISTRATION, ENTITY.removed, 'A retired key was removed.', 'kid alg purpose'),
  'key.resealed': event(
    'notice',
    ADMINISTRATION,
    ENTITY.updated,
    'Everything under older keys was gone through and written anew under the keys in use; unreadable rows stay as they are.',
    'resealed reindexed unreadable',
  ),
  'sealed-data.altered': event(
    'alert',
    AUDIT,
    FINDING,
    'A sealed value did not open: it was altered, moved to another row or column, or its key is gone.',
    'table column row repeated since',
  ),
  'row.altered': event(
    'alert',
    AUDIT,
    FINDING,
    'A row that decides who may do what was not as this house wrote it: it was altered, moved, put there, or its key is gone.',
    'table row repeated since',
  ),
  'row.sealed': event(
    'warning',
    AUDIT,
    ENTITY.updated,
    'Rows that decide who may do what were sealed as they stood: the first time a store was opened by a version that seals them, or because an operator had looked at them.',
    'origin table row rows !reason',
  ),
  'row.checked': event(
    'notice',
    AUDIT,
    ENTITY.read,
    'Every row that decides who may do what was held against its seal; how many of each table there are shows what has gone since the last time.',
    'checked altered tables',
  ),
} as const satisfies Record<string, EventKind>;
