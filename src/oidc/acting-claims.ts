import type { ActingMandate, ActingSubject } from '../legal-persons/acting.ts';
import { maskName } from '../people/masking.ts';

/** Claims that tell for whom a person acts. They belong to `openid`: to choose is to let the portal know. */
export const ACTING_CLAIMS = ['act', 'legal_person', 'represented_person'] as const;

export interface ActingClaimsInput {
  readonly subject: ActingSubject;
  /** Who signed in. */
  readonly personId: string;
  /** An id as this portal's sector knows it: nobody joins what two portals hold (OpenID Connect Core 8.1). */
  readonly idFor: (id: string) => string;
  /** Whether the portal may know names: then a represented person's is given whole. */
  readonly withName: boolean;
}

/**
 * What a token says about whom its person acts for. `act` names who signed in (RFC 8693 4.1), so that no portal mistakes an agent for
 * whom they stand for. Pure.
 */
export function actingClaims({ subject, personId, idFor, withName }: ActingClaimsInput): Record<string, unknown> {
  const act = { sub: idFor(personId) };
  const mandate = subject.mandate === undefined ? {} : { mandate: mandateClaim(subject.mandate, idFor) };
  if (subject.kind === 'legal') {
    const { uscc, name, category, role } = subject;
    return { legal_person: { id: idFor(subject.legalPersonId), uscc, name, category, role, ...mandate }, act };
  }
  const named = withName ? { name: subject.name } : { name_masked: maskName(subject.name) };
  return {
    represented_person: { sub: idFor(subject.personId), ...named, relation: subject.role, ...mandate },
    act,
  };
}

const mandateClaim = ({ id, matters, validUntil }: ActingMandate, idFor: (id: string) => string) => ({
  id: idFor(id),
  matters: [...matters],
  valid_until: validUntil,
});
