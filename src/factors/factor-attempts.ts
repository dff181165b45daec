import type { AttemptKind, Attempts } from './attempts.ts';
import type { FactorUse } from './factor.ts';

/**
 * Counts every try at a code of a person, of whatever kind and in whatever session, before it is judged (D7, D10). No caller can
 * forget it: the factors themselves ask.
 */
export async function guarded<Verdict extends { readonly state: string }>(
  attempts: Attempts,
  kind: Exclude<AttemptKind, 'secret'>,
  { personId, address, device }: Pick<FactorUse, 'personId' | 'address' | 'device'>,
  judge: () => Promise<Verdict>,
): Promise<Verdict | { readonly state: 'exhausted' }> {
  const attempt = { kind, account: personId, address, knownDeviceDigest: device };
  if ((await attempts.take(attempt)) !== 'allowed') return { state: 'exhausted' };
  const verdict = await judge();
  if (verdict.state === 'proven') await attempts.succeeded(attempt);
  return verdict;
}

/** A code as people type it: full-width digits, blanks and hyphens between groups. */
export const typedCode = (entered: string | undefined): string =>
  (entered ?? '').slice(0, 64).normalize('NFKC').replace(/[\s-]/g, '');
