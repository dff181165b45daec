import type { Grant } from 'oidc-provider';
import type { ChoiceOrigin } from '../legal-persons/choice.ts';

/**
 * For whom a grant was made, written into the grant itself: every use of a token reads its grant anyway, so a token of a person who
 * acts for themselves costs no look-up more. The form is that of RFC 9396 2, authorization details, under a type of our own.
 */
export interface GrantMark {
  /** `self`, or the reference of a subject (legal-persons/acting.ts). */
  readonly actingAs: string;
  readonly origin: ChoiceOrigin;
}

const TYPE = 'urn:tongban:acting-as';

/** Undefined for a grant of a portal that accepts people on their own behalf alone. */
export function markOf({ rar }: Pick<Grant, 'rar'>): GrantMark | undefined {
  const detail = rar?.find(({ type }) => type === TYPE);
  return detail && { actingAs: String(detail.acting_as), origin: detail.origin as ChoiceOrigin };
}

/** Marks a grant that is about to be saved. Whom it is for never changes; how that came about may. */
export function markGrant(grant: Grant, mark: GrantMark): void {
  const before = markOf(grant);
  if (before !== undefined && before.actingAs !== mark.actingAs) throw new Error('a grant has one subject');
  const others = (grant.rar ?? []).filter(({ type }) => type !== TYPE);
  grant.rar = [...others, { type: TYPE, acting_as: mark.actingAs, origin: mark.origin }];
}
