import type { LedgerEntry } from '../ledger/entry.ts';
import type { EventType } from '../ledger/events.ts';
import type { TrailKind } from '../web/pages.ts';

type Kinds = Partial<Record<EventType, TrailKind | ((entry: LedgerEntry) => TrailKind)>>;

const ENDINGS: Readonly<Record<string, TrailKind>> = {
  signed_out: 'signed-out',
  ended_by_person: 'session-ended',
  person_frozen: 'ended-by-freeze',
  person_disabled: 'ended-by-disabling',
};
/** How a password got there with the account itself, which is no change of one. */
const FIRST_PASSWORD_ORIGINS: readonly unknown[] = ['registration', 'demo'];

const isActedFor = ({ data }: LedgerEntry): boolean => data.legalPerson !== undefined || data.represented !== undefined;

/** A mandate is told to whoever is acted for, or to whoever acts, each in their own words. */
const sideOf = ({ data, subject }: LedgerEntry, given: TrailKind, held: TrailKind): TrailKind =>
  data.represented !== undefined && data.represented === subject ? given : held;

/** What of the ledger a person reads. Everything else is between machines, or told by one of these. */
export const KINDS: Kinds = {
  'sign-in.succeeded': ({ data }) => (data.device === 'new' ? 'signed-in-new-device' : 'signed-in'),
  'sign-in.refused': ({ data }) =>
    data.step === 'second' ? 'second-refused' : data.session === undefined ? 'refused' : 'proof-refused',
  'sign-in.renewed': 'proven-again',
  'personal-data.shown': 'data-shown',
  'portal.entered': (entry) => (isActedFor(entry) ? 'entered-for' : 'entered'),
  'portal.closed': 'portal-closed',
  'acting.ended': 'acting-ended',
  'subject.refused': 'acting-refused',
  'personal-data.released': 'released',
  'consent.given': 'consent-given',
  'consent.denied': 'consent-denied',
  'consent.withdrawn': 'consent-withdrawn',
  'password.changed': ({ data }) =>
    FIRST_PASSWORD_ORIGINS.includes(data.origin) ? 'password-set' : 'password-changed',
  'session.ended': ({ data }) => {
    const cause = String(data.cause);
    return Object.hasOwn(ENDINGS, cause) ? ENDINGS[cause]! : 'ended-otherwise';
  },
  'person.added': 'account-opened',
  'person.disabled': 'account-disabled',
  'person.enabled': 'account-enabled',
  'document.added': 'document-added',
  'document.removed': 'document-removed',
  'document.verified': 'document-proven',
  'identifier.bound': 'identifier-bound',
  'identifier.released': ({ data }) => (data.cause === 'taken_over' ? 'identifier-taken' : 'identifier-released'),
  'factor.bound': 'factor-bound',
  'factor.renamed': 'factor-renamed',
  'factor.removed': 'factor-removed',
  'factor.policy-changed': ({ data }) => (data.alwaysAsk === 'yes' ? 'factor-always' : 'factor-sometimes'),
  'factor.cloned': 'factor-cloned',
  'scan.approved': 'scan-approved',
  'scan.refused': 'scan-refused',
  'device.trusted': 'device-trusted',
  'device.distrusted': 'device-distrusted',
  'identity.level-changed': ({ data }) => (Number(data.after) < Number(data.before) ? 'level-fell' : 'level-rose'),
  'person.closing': 'account-closing',
  'person.kept': 'account-kept',
  'person.merged': 'account-merged',
  'person.merge-undone': 'merge-undone',
  'person.notified': ({ data }) => (data.notice === undefined ? 'noticed' : 'told'),
  'document.refused': 'document-refused',
  'document.expired': 'document-expired',
  'legal-person.claimed': 'company-claimed',
  'legal-person.claim-refused': 'company-claim-refused',
  'legal-person.claim-submitted': 'company-claim-submitted',
  'legal-person.claim-withdrawn': 'company-claim-withdrawn',
  'post.appointed': ({ data }) => (data.role === 'administrator' ? 'post-appointed' : 'post-representative'),
  'post.resumed': 'post-resumed',
  'post.ended': 'post-ended',
  'mandate.granted': (entry) => sideOf(entry, 'mandate-given', 'mandate-invited'),
  'mandate.accepted': (entry) => sideOf(entry, 'given-accepted', 'mandate-accepted'),
  'mandate.declined': (entry) => sideOf(entry, 'given-declined', 'mandate-declined'),
  'mandate.suspended': (entry) => sideOf(entry, 'given-suspended', 'mandate-suspended'),
  'mandate.resumed': (entry) => sideOf(entry, 'given-resumed', 'mandate-resumed'),
  'mandate.revoked': (entry) => sideOf(entry, 'given-revoked', 'mandate-revoked'),
  'mandate.expired': (entry) => sideOf(entry, 'given-expired', 'mandate-expired'),
  'mandate.renewed': (entry) => sideOf(entry, 'given-renewed', 'mandate-renewed'),
  'person.frozen': ({ data }) => (data.cause === 'reported_by_person' ? 'frozen-by-person' : 'frozen-by-watch'),
};

export const REPORTABLE: ReadonlySet<TrailKind> = new Set([
  'account-closing',
  'account-kept',
  'account-merged',
  'merge-undone',
  'signed-in',
  'signed-in-new-device',
  'refused',
  'second-refused',
  'proof-refused',
  'proven-again',
  'data-shown',
  'entered',
  'entered-for',
  'acting-refused',
  'company-claimed',
  'mandate-given',
  'mandate-accepted',
  'given-revoked',
  'released',
  'consent-given',
  'password-changed',
  'document-added',
  'document-removed',
  'identifier-bound',
  'identifier-released',
  'identifier-taken',
  'factor-bound',
  'factor-renamed',
  'factor-removed',
  'factor-always',
  'factor-sometimes',
  'factor-cloned',
  'scan-approved',
  'scan-refused',
  'device-trusted',
  'device-distrusted',
  'noticed',
  'told',
]);
/** Kinds that say which data they are about. */
export const WITH_ITEMS: ReadonlySet<TrailKind> = new Set([
  'released',
  'consent-given',
  'consent-denied',
  'document-added',
  'document-removed',
  'identifier-bound',
  'identifier-released',
  'identifier-taken',
  'factor-bound',
  'factor-renamed',
  'factor-removed',
  'told',
]);
/** The details such a kind is told by. */
export const ITEM_DETAILS = ['scopes', 'claims', 'notice', 'type', 'identifier', 'kind'] as const;
/** Kinds of which several in a row are one line. */
export const GROUPED: ReadonlySet<TrailKind> = new Set([
  'refused',
  'second-refused',
  'proof-refused',
  'ended-by-freeze',
  'ended-by-disabling',
  'ended-otherwise',
]);
