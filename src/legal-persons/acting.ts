import type { Transaction } from '../storage/database.ts';

/** In what capacity somebody acts for somebody else. The first three act for a legal person, the others for a natural one. */
export type ActingRole = 'legal_representative' | 'administrator' | 'agent' | 'guardian' | 'relative';

/** The mandate behind an agent, guardian or relative; representatives and administrators hold a post instead. */
export interface ActingMandate {
  readonly id: string;
  /** The matters (事项) it covers; never empty. */
  readonly matters: readonly string[];
  /** Epoch seconds. */
  readonly validUntil: number;
  /** The highest assurance level at which it may be used, where the grantor set one. */
  readonly acrMax?: string;
}

interface ActingSubjectBase {
  /** Names this subject in a form and in a grant: opaque, stable while the post or mandate lasts, without personal data. */
  readonly ref: string;
  readonly role: ActingRole;
  readonly mandate?: ActingMandate;
}

/** A legal person somebody may act for here and now. */
export interface LegalSubject extends ActingSubjectBase {
  readonly kind: 'legal';
  readonly legalPersonId: string;
  /** The Unified Social Credit Code (GB 32100-2015), 18 characters. */
  readonly uscc: string;
  readonly name: string;
  /** Registration department and category: the first two characters of the code. */
  readonly category: string;
}

/** A natural person somebody may act for: a child under guardianship, an elder who named a relative. */
export interface RepresentedSubject extends ActingSubjectBase {
  readonly kind: 'natural';
  readonly personId: string;
  readonly name: string;
}

export type ActingSubject = LegalSubject | RepresentedSubject;

/** What came to an end: one mandate, one person's post, or everything of a legal person. */
export interface EndedActing {
  readonly mandateId?: string;
  readonly legalPersonId?: string;
  /** With `legalPersonId`: only what this person did for it. */
  readonly personId?: string;
}

/**
 * Called after the commit that ended a mandate or a post: ends the grants that used it and has the portals told. May be called again
 * for the same end.
 */
export type ActingEnded = (ended: EndedActing, cause: string) => Promise<void>;

/** One time that somebody was let into a portal for somebody else; the company, or the represented person, can read it. */
export interface ActingUse {
  readonly personId: string;
  readonly clientId: string;
  readonly subject: ActingSubject;
}

/** For whom a person may act. What it says holds now: suspended, revoked, expired and not yet valid mandates are not there. */
export interface Acting {
  /** Everything this person may choose at this portal besides themselves, legal persons first, each in a fixed order. */
  subjectsOf(personId: string, clientId: string): Promise<readonly ActingSubject[]>;
  /** The subject as it stands now; undefined when it ended, or never was this person's at this portal. */
  find(personId: string, clientId: string, ref: string): Promise<ActingSubject | undefined>;
  /**
   * Remembers a use in the transaction that lets the person in. Throws `Fault('acting_ended')`, so that nothing of it is kept, when
   * the post or mandate has ended since it was found.
   */
  noteUse(tx: Transaction, use: ActingUse): Promise<void>;
}
