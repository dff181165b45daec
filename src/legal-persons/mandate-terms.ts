import { birthdaySeconds } from '../people/birthdays.ts';
import type { MandateKind, MandateRow } from './mandate-record.ts';
import { listOf } from './mandate-record.ts';
import { isWithin, type Matters, type Scope, type ScopeRefusal, scopeOf } from './matters.ts';

/** What somebody wants to grant. Times are epoch seconds; without portals, those of the matters; without dates, from now for the usual time. */
export interface WantedTerms {
  readonly matters: readonly string[];
  readonly portals?: readonly string[] | undefined;
  readonly validFrom?: number | undefined;
  readonly validUntil?: number | undefined;
  /** The highest assurance level at which it may be used, a URN. */
  readonly acrMax?: string | undefined;
  readonly mayDelegate?: boolean | undefined;
}

/** `dates`: the end is not after the beginning, or past; `too_long`: beyond what is allowed; `delegation`: beyond the parent. */
export type TermsRefusal = ScopeRefusal | 'dates' | 'too_long' | 'acr' | 'delegation';

export interface Terms {
  readonly scope: Scope;
  readonly validFrom: number;
  readonly validUntil: number;
  readonly acrMax: string | undefined;
  readonly mayDelegate: boolean;
}

export interface TermLimits {
  readonly mandateDefaultDays: number;
  readonly mandateLongestDays: number;
  readonly relativeDefaultDays: number;
  readonly relativeLongestDays: number;
}

const DAY_SECONDS = 86_400;
/** Somebody who writes `today` means a moment that has just passed. */
const BEGUN_SECONDS_MAX = DAY_SECONDS;
const ACR = /^urn:[a-z0-9][a-z0-9:._-]{1,120}$/i;

/** The terms as they will stand, judged against the limits and, for a sub-delegation, the mandate it stands on. Pure. */
export function termsOf(
  matters: Matters,
  limits: TermLimits,
  kind: MandateKind,
  wanted: WantedTerms,
  { now, parent, birthDate }: { readonly now: number; readonly parent?: MandateRow; readonly birthDate?: string },
): { readonly ok: true; readonly terms: Terms } | { readonly ok: false; readonly reason: TermsRefusal } {
  const refuse = (reason: TermsRefusal) => ({ ok: false, reason }) as const;
  const read = scopeOf(matters, wanted);
  if (!read.ok) return read;
  const validFrom = Math.max(wanted.validFrom ?? now, now - BEGUN_SECONDS_MAX);
  const { standard, latest } = datesOf(limits, kind, validFrom, birthDate);
  const validUntil = wanted.validUntil ?? Math.min(standard, parent?.valid_until ?? standard);
  if (validUntil <= validFrom || validUntil <= now) return refuse('dates');
  if (validUntil > latest || validFrom > now + limits.mandateLongestDays * DAY_SECONDS) return refuse('too_long');
  if (wanted.acrMax !== undefined && !ACR.test(wanted.acrMax)) return refuse('acr');
  const acrMax = wanted.acrMax ?? parent?.acr_max ?? undefined;
  const mayDelegate = wanted.mayDelegate === true;
  const terms = { scope: read.scope, validFrom, validUntil, acrMax, mayDelegate };
  return parent === undefined || isWithinParent(terms, parent) ? { ok: true, terms } : refuse('delegation');
}

function datesOf(limits: TermLimits, kind: MandateKind, validFrom: number, birthDate: string | undefined) {
  if (kind === 'guardian') {
    const majority = birthDate === undefined ? validFrom : birthdaySeconds(birthDate, 18);
    return { standard: majority, latest: majority };
  }
  const [usual, longest] =
    kind === 'agent'
      ? [limits.mandateDefaultDays, limits.mandateLongestDays]
      : [limits.relativeDefaultDays, limits.relativeLongestDays];
  return { standard: validFrom + usual * DAY_SECONDS, latest: validFrom + longest * DAY_SECONDS };
}

/** One step only, no more matters, portals or time than the parent has, and its ceiling. */
function isWithinParent({ scope, validFrom, validUntil, acrMax, mayDelegate }: Terms, parent: MandateRow): boolean {
  if (parent.may_delegate !== 1 || parent.parent_id !== null || mayDelegate) return false;
  if (validFrom < parent.valid_from || validUntil > parent.valid_until) return false;
  if (parent.acr_max !== null && acrMax !== parent.acr_max) return false;
  return isWithin(scope, { matters: listOf(parent.matters), portals: listOf(parent.portals) });
}
