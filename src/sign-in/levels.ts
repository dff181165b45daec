import type { FactorKind, FactorStrength } from '../factors/factor.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';

/** What a portal can ask for and is told (`acr`): how well the identity is proven and how the sign-in was done, together. */
export const LEVELS = [1, 2, 3, 4] as const;
export type Level = (typeof LEVELS)[number];
/** Never reused: whoever is to have it proves themselves anew for the very request. */
export const TOP_LEVEL = 4;

/** How a sign-in was done: 1 one factor, 2 two factors, 3 two factors of which one is cryptographic; 0 nothing that counts. */
export type AuthenticationLevel = 0 | 1 | 2 | 3;

/** What each level asks for; neither falls from one level to the next. */
export type LevelTable = Readonly<
  Record<Level, { readonly ial: AssuranceLevel; readonly aal: Exclude<AuthenticationLevel, 0> }>
>;

/** How the house reads its levels. */
export interface LevelRules {
  readonly table: LevelTable;
  /** Whether a code sent by message makes a second factor where a level asks for two. */
  readonly weakCounts: boolean;
}

/** What was proven by whom stands elsewhere; this is by what, and when (epoch seconds). `spared`: no proof, but a device trusted by the person. */
export interface Proof {
  readonly factor: 'password' | 'scan' | FactorKind | 'trusted_device';
  readonly strength: 'knowledge' | FactorStrength | 'spared';
  /** Names of RFC 8176. `mfa` where one factor alone stands for two: a key that asked for a PIN or a finger. */
  readonly amr: readonly string[];
  readonly at: number;
  /** Of a password: since when it had been the person's as it was proven, in epoch seconds. */
  readonly secretSince?: number;
}

const ACR = /^urn:tongban:acr:([1-4])$/;

export const acrOfLevel = (level: Level): string => `urn:tongban:acr:${level}`;

/** Undefined for what names no level of ours. */
export const levelOfAcr = (acr: unknown): Level | undefined => {
  const digit = typeof acr === 'string' ? ACR.exec(acr)?.[1] : undefined;
  return digit === undefined ? undefined : (Number(digit) as Level);
};

/** A factor that by itself says who somebody is, so that others can stand beside it. */
export const identifies = ({ factor, strength }: Proof): boolean =>
  strength === 'knowledge' || strength === 'cryptographic' || factor === 'scan';

const standsForTwo = ({ strength, amr }: Proof): boolean => strength === 'cryptographic' && amr.includes('mfa');

/** Whether there is more than one factor among the proofs, whatever the second is worth. Pure. */
export function hasSecondFactor(proofs: readonly Proof[]): boolean {
  const kinds = new Set(proofs.filter(({ strength }) => strength !== 'spared').map(({ factor }) => factor));
  return kinds.size > 1 || proofs.some(standsForTwo);
}

/** Pure. */
export function authenticationLevel(proofs: readonly Proof[], weakCounts: boolean): AuthenticationLevel {
  if (!proofs.some(identifies)) return 0;
  const counted = proofs.filter(({ strength }) => strength !== 'spared' && (strength !== 'weak' || weakCounts));
  if (!hasSecondFactor(counted)) return 1;
  return counted.some(({ strength }) => strength === 'cryptographic') ? 3 : 2;
}

/** The highest level for which both are enough; undefined where not even the lowest is. Pure. */
export const levelReached = (table: LevelTable, ial: AssuranceLevel, aal: AuthenticationLevel): Level | undefined =>
  LEVELS.findLast((level) => ial >= table[level].ial && aal >= table[level].aal);

/** What is left of a level that was told once when the identity is proven only so well by now. Pure. */
export const levelLeft = (table: LevelTable, told: Level, ial: AssuranceLevel): Level | undefined =>
  LEVELS.findLast((level) => level <= told && ial >= table[level].ial);

/** The kinds of which one more beside these proofs makes them worth so much; undefined where they are. Pure. */
export function kindsReaching(
  {
    offered,
    rules,
    now,
  }: {
    readonly offered: readonly { readonly kind: FactorKind; readonly strength: FactorStrength }[];
    readonly rules: LevelRules;
    readonly now: number;
  },
  proofs: readonly Proof[],
  aal: AuthenticationLevel,
): readonly FactorKind[] | undefined {
  const reaches = (all: readonly Proof[]): boolean => authenticationLevel(all, rules.weakCounts) >= aal;
  if (reaches(proofs)) return undefined;
  return offered.flatMap(({ kind, strength }) =>
    reaches([...proofs, { factor: kind, strength, amr: [], at: now }]) ? [kind] : [],
  );
}
