import type { Counters } from '../storage/counters.ts';

/** A person, by id, or a network as the watch writes it. */
export type ChallengeTarget = { readonly personId: string } | { readonly network: string };

/**
 * Doors narrowed for a while by the watch: as long as a challenge stands, only a device the person has signed in with before gets
 * a verdict on a password. Whoever guesses from elsewhere is answered as for a wrong password, at the same price.
 */
export interface Challenges {
  raise(target: ChallengeTarget, seconds: number): Promise<void>;
  /** Whether an unknown device must be turned away. `personId` is undefined when nobody has the number that was typed. */
  stands(personId: string | undefined, address: string): Promise<boolean>;
}

/** No person has this id. */
const NOBODY = '';

const nameOf = (target: ChallengeTarget): string =>
  'personId' in target ? `challenge:person:${target.personId}` : `challenge:network:${target.network}`;

/** `networkOf` groups addresses as the watch does; undefined for what is no address. */
export function createChallenges(counters: Counters, networkOf: (address: string) => string | undefined): Challenges {
  return {
    async raise(target, seconds) {
      await counters.take(nameOf(target), seconds);
    },
    async stands(personId, address) {
      const network = networkOf(address);
      // Who is nobody costs the same look-up (D9).
      const targets = [{ personId: personId ?? NOBODY }, ...(network === undefined ? [] : [{ network }])];
      const counts = await counters.readAll(targets.map(nameOf));
      return counts.some((count) => count > 0);
    },
  };
}
