import type { BeginOutcome, BoundFactor, Factor, FactorKind } from '../factors/factor.ts';
import type { FactorChoice } from './pages-ladder.ts';

/** Kinds for which asking means sending: never by a mere look at the page. */
const SENT: ReadonlySet<FactorKind> = new Set(['sms_code', 'email_code']);

/** A factor that somebody can be asked for, and what of theirs it is. */
export interface UsableFactor {
  readonly factor: Factor;
  readonly bound: readonly BoundFactor[];
}

/** What this person can be asked for, of the kinds that would do. */
export async function usableFactors(
  personId: string,
  factors: readonly Factor[],
  kinds: readonly FactorKind[],
): Promise<readonly UsableFactor[]> {
  const candidates = factors.filter(({ kind }) => kinds.includes(kind));
  const found = await Promise.all(
    candidates.map(async (factor) => ({ factor, bound: await factor.boundTo(personId) })),
  );
  return found.filter(({ bound }) => bound.length > 0);
}

/**
 * What a page needs to ask for one kind. A message is sent by its own button alone; `sent` says that one was. `begin` is that of the
 * factor, for the use the page is for.
 */
export async function factorChoice(
  { factor, bound }: UsableFactor,
  sent: { readonly voice: boolean } | undefined,
  begin: () => Promise<BeginOutcome>,
): Promise<FactorChoice> {
  const { kind, needsScript } = factor;
  const label = bound.length === 1 ? (bound[0]?.label ?? '') : '';
  if (SENT.has(kind)) {
    const state = sent === undefined ? 'unsent' : 'ready';
    return { kind, needsScript, label, state, voice: sent?.voice === true, shown: {} };
  }
  const begun = await begin();
  const isReady = begun.state === 'ready' || begun.state === 'sent_already';
  const state = isReady ? 'ready' : 'unavailable';
  return { kind, needsScript, label, state, voice: false, shown: isReady ? begun.shown : {} };
}
