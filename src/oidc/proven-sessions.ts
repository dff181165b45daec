import type { Session } from 'oidc-provider';
import { nowSeconds } from '../shared/clock.ts';
import type { Proof } from '../sign-in/levels.ts';

/** What a session keeps of the proofs it rests on, and whose they are. */
export interface ProvenSession {
  readonly of: string;
  readonly proofs: readonly Proof[];
  /** It has opened a portal for members of staff. */
  readonly staff?: true;
}

type Holder = Pick<Session, 'accountId' | 'amr' | 'loginTs' | 'proven'>;

/**
 * The proofs of whoever the session belongs to now. One that began before proofs were kept says by its methods that a password was
 * given. Pure.
 */
export function proofsIn({ accountId, amr, loginTs, proven }: Holder): readonly Proof[] {
  if (accountId === undefined) return [];
  if (proven?.of === accountId) return proven.proofs;
  if (proven !== undefined || !amr?.includes('pwd')) return [];
  return [{ factor: 'password', strength: 'knowledge', amr: ['pwd'], at: loginTs ?? nowSeconds() }];
}

/** The latest proof of each factor. Pure. */
export function merged(before: readonly Proof[], here: readonly Proof[]): readonly Proof[] {
  const latest = new Map<string, Proof>();
  for (const proof of [...before, ...here]) {
    const held = latest.get(proof.factor);
    if (held === undefined || held.at <= proof.at) latest.set(proof.factor, proof);
  }
  return [...latest.values()];
}

/** Their names of RFC 8176, each once. Pure. */
export const methodsOf = (proofs: readonly Proof[]): string[] => [...new Set(proofs.flatMap(({ amr }) => amr))];
