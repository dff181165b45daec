import { type OfficeSettings, officeOf } from './office.ts';

/** The settings of `staff`: administrators, and whoever works at a counter or decides on claims. */
export interface StaffSettings extends OfficeSettings {
  readonly idleSeconds: number;
  readonly absoluteSeconds: number;
}

export type StaffVerdict = 'allowed' | 'outside_network' | 'outside_hours' | 'no_cryptographic_factor';

/** RFC 8176 names of proofs by a key: somebody else's telephone, or a code that can be read out, is none (S1). */
const CRYPTOGRAPHIC: ReadonlySet<string> = new Set(['hwk', 'swk', 'sc', 'pop']);

/** What is asked of a member of staff at each sign-in, and at each step that needs one, built once out of the settings. */
export interface StaffRules {
  /** Pure: place and time first, for whoever comes from elsewhere is told nothing of factors. `amr` is what was really proven. */
  judge(visit: { readonly address: string; readonly atMs: number; readonly amr: readonly string[] }): StaffVerdict;
  /** How long a session of theirs lives from now: idle or absolute, whichever comes first; 0 when it is over. Epoch seconds. */
  secondsLeft(session: { readonly provenAt: number; readonly usedAt: number; readonly now: number }): number;
}

export function createStaffRules(settings: StaffSettings): StaffRules {
  const { isOfficeTime, isOfficeNetwork } = officeOf(settings);
  return {
    judge({ address, atMs, amr }) {
      if (!isOfficeNetwork(address)) return 'outside_network';
      if (!isOfficeTime(atMs)) return 'outside_hours';
      return amr.some((name) => CRYPTOGRAPHIC.has(name)) && amr.length > 1 ? 'allowed' : 'no_cryptographic_factor';
    },
    secondsLeft: ({ provenAt, usedAt, now }) =>
      Math.max(0, Math.min(usedAt + settings.idleSeconds, provenAt + settings.absoluteSeconds) - now),
  };
}
