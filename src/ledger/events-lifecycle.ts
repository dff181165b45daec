import { ACCOUNT, AUTHENTICATION, ENTITY, type EventKind, event, LOGON, PRIVACY } from './event-kind.ts';

/** How accounts of natural persons are merged, closed, exported and corrected; part of the catalogue in events.ts. */
export const LIFECYCLE_EVENTS = {
  'person.closing': event(
    'warning',
    PRIVACY,
    ACCOUNT.disabled,
    'A person asked to have their account closed; it is shut, and may be kept until it is due.',
    'origin due',
  ),
  'person.kept': event(
    'notice',
    PRIVACY,
    ACCOUNT.enabled,
    'A person kept the account they had wanted closed.',
    'origin',
  ),
  'person.closed': event(
    'warning',
    PRIVACY,
    ENTITY.removed,
    'An account was closed: everything personal was removed, and its documents may found a new one.',
  ),
  'account-merge.proven': event(
    'notice',
    AUTHENTICATION,
    LOGON,
    'A person proved that a second account is theirs as well, to have the two merged.',
    'amr with',
  ),
  'person.merged': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'Of two accounts of one person, both proven, one went over into the other; told of each of the two.',
    'origin merge kept merged levelBefore levelAfter documents identifiers consents posts mandates',
  ),
  'person.merge-undone': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'The merging of two accounts was undone; told of each of the two.',
    'origin merge kept merged levelBefore levelAfter',
  ),
  'person.merge-final': event(
    'notice',
    PRIVACY,
    ENTITY.removed,
    'A merge can be undone no more; what was left of the merged account was removed.',
    'merge kept',
  ),
  'person.merge-refused': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'Two accounts were not merged, or a merge was not undone.',
    'reason with',
  ),
  'person.corrected': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'The name of a person was corrected after the register had vouched for it.',
    'origin !before !after level source',
  ),
  'person.correction-refused': event(
    'warning',
    AUTHENTICATION,
    ACCOUNT.other,
    'The register did not vouch for the name a person wanted to be corrected.',
    'reason',
  ),
  'personal-data.exported': event(
    'notice',
    PRIVACY,
    ENTITY.read,
    'A person fetched everything that is kept about them.',
    'form',
  ),
  'person.birthday': event(
    'notice',
    PRIVACY,
    ACCOUNT.other,
    'A young person reached an age at which the law sees them anew.',
    'age',
  ),
} as const satisfies Record<string, EventKind>;
