import { ACCOUNT, AUTHENTICATION, ENTITY, type EventKind, event, LOGON, MONITORING, PRIVACY } from './event-kind.ts';

/** What happens to natural persons beyond signing in; part of the catalogue in events.ts. */
export const PEOPLE_EVENTS = {
  'enrolment.advanced': event(
    'info',
    AUTHENTICATION,
    ACCOUNT.other,
    'A registration went on to the step it names; `act` is the member of staff who began it at a counter.',
    'draft step act',
  ),
  'person.assisted': event(
    'notice',
    AUTHENTICATION,
    ACCOUNT.other,
    'An account was opened with the help of a member of staff, whom `act` names; the person has confirmed it.',
    'act',
  ),
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
  'document.added': event(
    'notice',
    AUTHENTICATION,
    ACCOUNT.other,
    'A person got a further identity document; its number is not told.',
    'origin document type issuer level',
  ),
  'document.removed': event(
    'notice',
    AUTHENTICATION,
    ACCOUNT.other,
    'An identity document was taken from a person, who keeps another.',
    'origin document type',
  ),
  'document.verified': event(
    'info',
    AUTHENTICATION,
    ACCOUNT.other,
    'An identity document was proven to a level.',
    'origin document level source',
  ),
  'document.refused': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'A document that somebody named was not added or proven: no authority vouched for it, or somebody holds it.',
    'reason',
  ),
  'sign-in.renewed': event(
    'info',
    AUTHENTICATION,
    LOGON,
    'A person who is signed in proved again who they are, before something sensitive.',
    'amr acr device session',
  ),
  'personal-data.shown': event(
    'notice',
    PRIVACY,
    ENTITY.read,
    'A person looked at their own data with less of it hidden.',
    'fields',
  ),
  'identifier.bound': event(
    'notice',
    AUTHENTICATION,
    ACCOUNT.other,
    'A person got a phone, mailbox or user name to sign in by; which one is not told.',
    'origin identifier verifiedBy',
  ),
  'identifier.released': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'A phone, mailbox or user name signs a person in no more: given up, or verified by somebody else.',
    'origin identifier cause',
  ),
} as const satisfies Record<string, EventKind>;
