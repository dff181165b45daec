/** How well we know who a person is (ial); not to be mixed with how a sign-in was done (aal). */
export type AssuranceLevel = 0 | 1 | 2 | 3 | 4;

/**
 * What can be proven about an identity, and the level each proof earns on its own:
 * 0 nothing; 1 the number is well formed; 2 name and number match in an authoritative register; 3 the living person was compared with
 * the register's picture, or the national network identity service vouched; 4 a certificate, or a member of staff at a counter.
 */
export const PROOFS = {
  nothing: 0,
  'well-formed': 1,
  'two-factor-match': 2,
  'live-person': 3,
  'network-credential': 3,
  certificate: 4,
  counter: 4,
} as const satisfies Readonly<Record<string, AssuranceLevel>>;

export type Proof = keyof typeof PROOFS;

/** Which proof each source gives; the names are those stored beside a document. What is not named here earns nothing. */
const PROOF_OF_SOURCE: Readonly<Record<string, Proof>> = {
  'population-register': 'two-factor-match',
  'sample-population-register': 'two-factor-match',
  'legal-person-register': 'two-factor-match',
  'sample-legal-person-register': 'two-factor-match',
  'face-comparison': 'live-person',
  'network-identity-service': 'network-credential',
  'sm2-certificate': 'certificate',
  counter: 'counter',
};

export const proofOfSource = (source: string): Proof =>
  Object.hasOwn(PROOF_OF_SOURCE, source) ? PROOF_OF_SOURCE[source]! : 'nothing';

/** The level of everything that holds now: the best proof decides, and two weak ones are no strong one. Pure. */
export function levelEarned(proofs: Iterable<Proof>): AssuranceLevel {
  let level: AssuranceLevel = 0;
  for (const proof of proofs) if (PROOFS[proof] > level) level = PROOFS[proof];
  return level;
}

/** What is left of a level when nothing vouches for the identity any more: the number is still well formed. */
export const UNVOUCHED_LEVEL: AssuranceLevel = PROOFS['well-formed'];

export const isAssuranceLevel = (value: number): value is AssuranceLevel =>
  Number.isInteger(value) && value >= 0 && value <= 4;
