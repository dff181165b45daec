import {
  ACCOUNT,
  ADMINISTRATION,
  AUTHENTICATION,
  AUTHENTICATION_OTHER,
  type EventKind,
  event,
  FINDING,
} from './event-kind.ts';

/** What the house does when it is tried from all sides; part of the catalogue in events.ts. */
export const DEFENCE_EVENTS = {
  'sign-in.assessed': event(
    'notice',
    AUTHENTICATION,
    AUTHENTICATION_OTHER,
    'Something about a right proof was unusual; the verdict says whether it was let through, had to prove more, or was refused, and the reasons why.',
    'verdict reasons',
  ),
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
  'staff.added': event(
    'warning',
    ADMINISTRATION,
    ACCOUNT.other,
    'A person became a member of staff, in this role.',
    'origin role',
  ),
  'staff.role-changed': event(
    'warning',
    ADMINISTRATION,
    ACCOUNT.other,
    'A member of staff got another role in place of the one they held.',
    'origin role formerly',
  ),
  'staff.account-changed': event(
    'notice',
    ADMINISTRATION,
    ACCOUNT.other,
    'A member of staff gives commands under another account of the machine from now on; empty for none in particular.',
    'origin account',
  ),
  'staff.refused': event(
    'warning',
    ADMINISTRATION,
    ACCOUNT.other,
    'A command was refused: nobody was named who may give it.',
    'action reason role',
  ),
  'staff.disabled': event(
    'warning',
    ADMINISTRATION,
    ACCOUNT.other,
    'A member of staff was shut out of everything for staff.',
    'origin role',
  ),
  'staff.enabled': event(
    'warning',
    ADMINISTRATION,
    ACCOUNT.other,
    'A member of staff who had been shut out may work again.',
    'origin role',
  ),
} as const satisfies Record<string, EventKind>;
