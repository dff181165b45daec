import {
  ACCESS,
  ACCESS_GIVEN,
  ACCESS_TAKEN,
  ACCOUNT,
  ADMINISTRATION,
  API,
  AUDIT,
  AUTHENTICATION,
  AUTHENTICATION_OTHER,
  ENTITY,
  type EventKind,
  event,
  FINDING,
  LOGOFF,
  LOGON,
  MONITORING,
  PRIVACY,
  SESSION,
  TICKET,
} from './event-kind.ts';
import { DEFENCE_EVENTS } from './events-defence.ts';
import { FACTOR_EVENTS } from './events-factors.ts';
import { KEY_EVENTS } from './events-keys.ts';
import { LEGAL_PERSON_EVENTS } from './events-legal-persons.ts';
import { LIFECYCLE_EVENTS } from './events-lifecycle.ts';
import { LOGOUT_EVENTS } from './events-logout.ts';
import { PEOPLE_EVENTS } from './events-people.ts';
import { SUBJECT_EVENTS } from './events-subjects.ts';

/**
 * The closed catalogue of ledger events: `subject.what-happened`. Nothing else can be written. Details stand in one text; `!`
 * marks a personal one. No password, code, token or identity number is ever among them (H5). Rendered into docs/events.md.
 */
export const EVENTS = {
  'server.started': event('notice', AUDIT, ENTITY.other, 'The server began to serve.', 'version profile rows passing'),
  'server.stopped': event('notice', AUDIT, ENTITY.other, 'The server stopped in order.', 'signal'),
  'server.backed-up': event('notice', AUDIT, ENTITY.read, 'An operator made a sealed copy of the store.', 'bytes size'),
  'server.restored': event(
    'alert',
    AUDIT,
    ENTITY.other,
    'The store was brought back from a copy; every session and token of before has ended.',
    'backupAt size missing sessions',
  ),
  'server.moved': event(
    'alert',
    AUDIT,
    ENTITY.other,
    'The store was carried from a SQLite file into PostgreSQL and compared with it, row by row.',
    'tables rows size',
  ),
  'configuration.changed': event(
    'warning',
    ADMINISTRATION,
    ENTITY.updated,
    'The server was started with other settings than before; they are told by name, never by value.',
    'changed digest',
  ),
  'clock.step': event(
    'warning',
    AUDIT,
    ENTITY.other,
    'The clock of the machine jumped against the monotonic clock.',
    'stepMs',
  ),

  'person.added': event(
    'info',
    AUTHENTICATION,
    ACCOUNT.created,
    'An account of a natural person was created.',
    'origin ial',
  ),
  'person.disabled': event('warning', ACCESS, ACCOUNT.disabled, 'A person may no longer sign in.', 'origin !reason'),
  'person.enabled': event(
    'notice',
    ACCESS,
    ACCOUNT.enabled,
    'A disabled or frozen account was opened again; where it is still shut, status says how.',
    'origin !reason status',
  ),
  'person.frozen': event(
    'alert',
    ACCESS,
    ACCOUNT.locked,
    'Sign-in was frozen: by the person, who did not recognise an activity, or by the watch.',
    'cause incident',
  ),
  'person.erased': event(
    'warning',
    PRIVACY,
    ACCOUNT.other,
    'The key of what the ledger says about a person was destroyed.',
    'origin reason',
  ),
  'person.notified': event(
    'notice',
    MONITORING,
    ACCOUNT.other,
    'A person was told on their account page, and where they can be reached, that something happened or was noticed.',
    'incident notice',
  ),
  'password.changed': event('notice', AUTHENTICATION, ACCOUNT.password, 'A password was set.', 'origin'),

  'sign-in.succeeded': event('info', AUTHENTICATION, LOGON, 'A person proved who they are.', 'amr acr device session'),
  'sign-in.continued': event(
    'info',
    AUTHENTICATION,
    AUTHENTICATION_OTHER,
    'A person proved something, and more is asked before a session begins.',
    'factor amr',
  ),
  'sign-in.refused': event('warning', AUTHENTICATION, LOGON, 'A sign-in attempt failed.', 'reason factor step'),
  'sign-in.misplaced': event(
    'notice',
    AUTHENTICATION,
    AUTHENTICATION_OTHER,
    'A step of a sign-in was taken that nobody had asked for: early, late, twice, or in another browser.',
    'step reason session',
  ),
  'sign-in.cancelled': event(
    'info',
    AUTHENTICATION,
    AUTHENTICATION_OTHER,
    'A person turned back before the sign-in was complete.',
  ),
  'registration.refused': event('warning', AUTHENTICATION, ACCOUNT.other, 'An account was not created.', 'reason'),
  'portal.entered': event(
    'info',
    ACCESS,
    SESSION,
    'A person went on to a portal with a session; the portal was given an authorization code.',
    'acr scopes session legalPerson represented role mandate',
  ),
  'portal.closed': event(
    'notice',
    ACCESS,
    SESSION,
    'A portal wants an identity proven better than it is now: what it was granted ended.',
    'cause minimum ial',
  ),
  'portal.refused': event('notice', ACCESS, SESSION, 'A portal was sent an error instead of a code.', 'error'),
  'session.ended': event('info', AUTHENTICATION, LOGOFF, 'A session ended.', 'cause session portals'),

  'consent.given': event(
    'info',
    PRIVACY,
    ACCESS_GIVEN,
    'A person let a portal see personal data; noticeHash is the SM3 of what they were shown.',
    'scopes claims noticeHash',
  ),
  'consent.denied': event('notice', PRIVACY, ACCESS_GIVEN, 'A person refused a portal.', 'scopes'),
  'consent.withdrawn': event('notice', PRIVACY, ACCESS_TAKEN, 'A person withdrew their consent for a portal.'),
  'personal-data.released': event(
    'info',
    PRIVACY,
    ENTITY.read,
    'Identity number, phone, address or e-mail went out to a portal.',
    'claims',
  ),
  'personal-data.revealed': event(
    'warning',
    PRIVACY,
    ENTITY.read,
    'An operator saw personal data in the clear.',
    'fields !reason',
  ),

  'token.issued': event('info', ACCESS, TICKET, 'Tokens were issued.', 'grantType scopes session'),
  'token.refused': event('notice', ACCESS, TICKET, 'A token request failed.', 'error grantType'),
  'token.revoked': event('info', ACCESS, TICKET, 'A token was revoked.'),
  'introspection.refused': event(
    'notice',
    ACCESS,
    API,
    'A portal may not ask about tokens, or did not prove who it is.',
    'error',
  ),
  'code.replayed': event(
    'alert',
    ACCESS,
    TICKET,
    'An authorization code was presented twice; its tokens were revoked.',
  ),
  'refresh.reused': event(
    'alert',
    ACCESS,
    TICKET,
    'A spent refresh token was presented again; its family was revoked.',
  ),
  ...LOGOUT_EVENTS,

  'relying-party.added': event('notice', ADMINISTRATION, ENTITY.created, 'A relying party was registered.', 'origin'),
  'relying-party.changed': event(
    'notice',
    ADMINISTRATION,
    ENTITY.updated,
    'The record of a relying party was changed.',
    'origin fields before after',
  ),
  'relying-party.disabled': event(
    'warning',
    ADMINISTRATION,
    ENTITY.updated,
    'A relying party was switched off.',
    'origin',
  ),
  'relying-party.enabled': event(
    'notice',
    ADMINISTRATION,
    ENTITY.updated,
    'A relying party was switched on.',
    'origin',
  ),
  ...KEY_EVENTS,

  'audit.opened': event('notice', AUDIT, ENTITY.created, 'The ledger began.', 'origin key'),
  'audit.search': event('warning', AUDIT, ENTITY.read, 'Somebody searched the ledger.', 'filters matches !reason'),
  'audit.export': event(
    'warning',
    AUDIT,
    ENTITY.read,
    'Somebody exported a part of the ledger.',
    'from to count format opened !reason',
  ),
  'audit.verified': event(
    'info',
    AUDIT,
    ENTITY.other,
    'The ledger was verified against its checkpoints.',
    'verdict size reason',
  ),
  'audit.gap': event('alert', AUDIT, FINDING, 'Entries are missing or do not match.', 'seq reason'),
  'audit.prune-proposed': event(
    'warning',
    AUDIT,
    ENTITY.other,
    'Somebody proposed to remove entries older than the retention.',
    'proposal from to !reason',
  ),
  'audit.prune': event(
    'alert',
    AUDIT,
    ENTITY.removed,
    'Entries past their retention were removed; their hashes stay.',
    'from to root approvers',
  ),

  'watch.alerted': event(
    'alert',
    MONITORING,
    FINDING,
    'A detection of the watch fired.',
    'rule severity evidence count incident response',
  ),
  'incident.changed': event(
    'notice',
    MONITORING,
    FINDING,
    'An incident was graded, assigned, handled or closed.',
    'incident change before !note',
  ),
  'feed.failed': event('warning', MONITORING, ENTITY.other, 'A feed cannot deliver; its events wait.', 'feed error'),
  'feed.recovered': event('notice', MONITORING, ENTITY.other, 'A feed delivers again.', 'feed waitedSeconds events'),
  'feed.replayed': event(
    'warning',
    ADMINISTRATION,
    ENTITY.other,
    'An operator had a feed send events again.',
    'feed from',
  ),
  'feed.dead-letter': event(
    'alert',
    MONITORING,
    ENTITY.other,
    'A feed gave up on events; they can be replayed.',
    'feed from to reason',
  ),
  ...DEFENCE_EVENTS,
  ...PEOPLE_EVENTS,
  ...LIFECYCLE_EVENTS,
  ...LEGAL_PERSON_EVENTS,
  ...SUBJECT_EVENTS,
  ...FACTOR_EVENTS,
} as const satisfies Record<string, EventKind>;

export type EventType = keyof typeof EVENTS;

/** The kind behind a type; undefined for a type this version does not know, such as one of a newer version. */
export const eventKind = (type: string): EventKind | undefined =>
  Object.hasOwn(EVENTS, type) ? EVENTS[type as EventType] : undefined;
