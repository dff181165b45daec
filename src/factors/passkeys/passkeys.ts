import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { framed, hmacSm3, tokenDigest } from '../../crypto/digests.ts';
import type { Transaction } from '../../storage/database.ts';
import type { BoundFactors, FactorRecord, NewFactor } from '../bound-factors.ts';
import type { ChallengeBinding, SignedChallenges } from '../signed-challenges.ts';
import { type AttestationPolicy, attested } from './attestation.ts';
import { passkeyLibrary } from './library.ts';
import { type Assertion, type Attestation, challengeAnswered } from './passkey-form.ts';

/** For whom a passkey is made, as the device will show it to them alone. */
export interface PasskeyOwner {
  /** The account, or the enrolment that is about to open it. */
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
}

/**
 * `cloned`: everything is right but the counter of signatures, which has been higher: two devices hold one key, and nobody can tell which
 * is the person's. `reason` is for the ledger.
 */
export type PasskeyVerdict =
  | {
      readonly state: 'proven';
      readonly record: FactorRecord;
      readonly userVerified: boolean;
      /** RFC 8176: where the key is kept, that somebody was there, and `mfa` where the device has asked who. */
      readonly amr: readonly string[];
      /** False when the same answer, or a later one, was accepted meanwhile. */
      readonly write: (tx: Transaction) => Promise<boolean>;
    }
  | { readonly state: 'cloned'; readonly record: FactorRecord }
  | { readonly state: 'mismatch' | 'expired'; readonly reason: string; readonly record?: FactorRecord };

export type PasskeyOffer =
  | {
      readonly state: 'good';
      /** Everything of the factor to be bound but its owner and its name. */
      readonly factor: Pick<NewFactor, 'kind' | 'secret' | 'state' | 'externalKey'>;
      /** Spends the challenge; false when it was spent before. */
      readonly write: (tx: Transaction) => Promise<boolean>;
    }
  | { readonly state: 'refused' | 'expired'; readonly reason: string };

/**
 * Passkeys (WebAuthn Level 3). Origin, relying party, challenge, presence, verification and counter are checked here, on the server
 * (D14, V14). Options are JSON for the script of the page.
 */
export interface Passkeys {
  /** For a page on which nobody is known yet: it names no credential, so it is the same for everybody (D9). */
  signInOptions(bound: ChallengeBinding): string;
  /** For somebody whose passkeys may be named. */
  proofOptions(bound: ChallengeBinding, records: readonly FactorRecord[]): string;
  creationOptions(bound: ChallengeBinding, owner: PasskeyOwner, records: readonly FactorRecord[]): string;
  /** `personId` where it is known who must answer. `verified`: the device must have asked who is there. */
  prove(
    bound: ChallengeBinding,
    assertion: Assertion,
    wanted: { readonly personId?: string; readonly verified: boolean },
  ): Promise<PasskeyVerdict>;
  /** Judges a new passkey; nothing is bound yet. `owner` and `records` are those its options were made of. */
  accept(
    bound: ChallengeBinding,
    attestation: Attestation,
    owner: Pick<PasskeyOwner, 'id'>,
    records: readonly FactorRecord[],
  ): Promise<PasskeyOffer>;
}

export interface PasskeySources {
  readonly boundFactors: BoundFactors;
  readonly challenges: SignedChallenges;
  /** Makes the handles of owners. */
  readonly key: KeyObject;
  /** Our only origin, as in the issuer. */
  readonly origin: string;
  readonly serviceName: string;
  readonly policy: AttestationPolicy;
}

const KEPT = z.object({
  credential: z.string(),
  publicKey: z.string(),
  handle: z.string(),
  transports: z.array(z.string()),
  synced: z.boolean(),
  aaguid: z.string(),
});
type Kept = z.infer<typeof KEPT>;

/** EdDSA, ES256, RS256: what authenticators of today have. */
const ALGORITHMS = [-8, -7, -257];
const TIMEOUT_MS = 300_000;
const HANDLE_BYTES = 32;

const keptOf = ({ secret }: FactorRecord): Kept => KEPT.parse(JSON.parse(secret));

export function createPasskeys(sources: PasskeySources): Passkeys {
  const { boundFactors, challenges, key, origin, policy } = sources;
  const rpId = new URL(origin).hostname;

  /** One handle a person, so that a device replaces rather than collects; it says nothing of who they are. */
  const handleOf = (owner: Pick<PasskeyOwner, 'id'>, records: readonly FactorRecord[]): string => {
    const [first] = records;
    if (first !== undefined) return keptOf(first).handle;
    return hmacSm3(key, framed('passkey-owner', owner.id)).subarray(0, HANDLE_BYTES).toString('base64url');
  };
  const named = (records: readonly FactorRecord[]) =>
    records.map(keptOf).map(({ credential, transports }) => ({ id: credential, type: 'public-key', transports }));
  const request = (bound: ChallengeBinding, userVerification: 'required' | 'preferred', allowCredentials: unknown[]) =>
    JSON.stringify({
      challenge: challenges.issue(bound),
      rpId,
      timeout: TIMEOUT_MS,
      userVerification,
      allowCredentials,
    });

  const verified = async (
    assertion: Assertion,
    challenge: string,
    { credential, publicKey }: Kept,
    mustAsk: boolean,
  ) => {
    const { clientData: clientDataJSON, authenticatorData, signature } = assertion;
    const { verifyAuthenticationResponse } = await passkeyLibrary();
    try {
      const { verified: isGood, authenticationInfo } = await verifyAuthenticationResponse({
        response: {
          id: assertion.credential,
          rawId: assertion.credential,
          type: 'public-key',
          response: { clientDataJSON, authenticatorData, signature },
          clientExtensionResults: {},
        },
        expectedChallenge: challenge,
        expectedOrigin: origin,
        expectedRPID: rpId,
        requireUserVerification: mustAsk,
        // The counter is judged after the signature: only who holds the key may raise an alarm.
        credential: { id: credential, publicKey: Buffer.from(publicKey, 'base64url'), counter: 0 },
      });
      return isGood ? authenticationInfo : 'signature';
    } catch (error) {
      return error instanceof Error ? error.message : 'unreadable';
    }
  };

  return {
    signInOptions: (bound) => request(bound, 'required', []),
    proofOptions: (bound, records) => request(bound, 'preferred', named(records)),
    creationOptions(bound, owner, records) {
      return JSON.stringify({
        challenge: challenges.issue(bound),
        rp: { id: rpId, name: sources.serviceName },
        user: { id: handleOf(owner, records), name: owner.name, displayName: owner.displayName },
        pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
        timeout: TIMEOUT_MS,
        excludeCredentials: named(records),
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        attestation: policy.conveyance,
      });
    },

    async prove(bound, assertion, { personId, verified: mustAsk }) {
      const challenge = challengeAnswered(assertion.clientData);
      const standing = challenge === undefined ? 'foreign' : challenges.judge(challenge, bound);
      if (challenge === undefined || standing === 'foreign') return { state: 'mismatch', reason: 'challenge' };
      const record = await boundFactors.byExternalKey('passkey', tokenDigest(assertion.credential));
      if (record === undefined) return { state: 'mismatch', reason: 'unknown' };
      if (standing === 'expired') return { state: 'expired', reason: 'expired', record };
      const kept = keptOf(record);
      if (personId === undefined ? assertion.userHandle !== kept.handle : record.personId !== personId) {
        return { state: 'mismatch', reason: 'owner', record };
      }
      const proof = await verified(assertion, challenge, kept, mustAsk);
      if (typeof proof === 'string') return { state: 'mismatch', reason: proof, record };
      const { newCounter, userVerified } = proof;
      const seen = Number(record.state);
      // WebAuthn Level 3, 6.1.1: a device without a counter says 0 for ever.
      if ((newCounter > 0 || seen > 0) && newCounter <= seen) return { state: 'cloned', record };
      return {
        state: 'proven',
        record,
        userVerified,
        amr: [kept.synced ? 'swk' : 'hwk', 'user', ...(userVerified ? ['mfa'] : [])],
        write: async (tx) =>
          (await challenges.spend(tx, challenge)) &&
          (await boundFactors.use(tx, record.id, record.state, String(newCounter))),
      };
    },

    async accept(bound, attestation, owner, records) {
      const challenge = challengeAnswered(attestation.clientData);
      const standing = challenge === undefined ? 'foreign' : challenges.judge(challenge, bound);
      if (challenge === undefined || standing === 'foreign') return { state: 'refused', reason: 'challenge' };
      if (standing === 'expired') return { state: 'expired', reason: 'expired' };
      const made = await attested(attestation, { challenge, origin, rpId, algorithms: ALGORITHMS, policy });
      if (typeof made === 'string') return { state: 'refused', reason: made };
      const { credential, publicKey, counter, synced, aaguid } = made;
      const transports = attestation.transports.split(' ').filter(Boolean);
      const kept: Kept = { credential, publicKey, handle: handleOf(owner, records), transports, synced, aaguid };
      return {
        state: 'good',
        factor: {
          kind: 'passkey',
          secret: JSON.stringify(kept),
          state: String(counter),
          externalKey: tokenDigest(credential),
        },
        write: (tx) => challenges.spend(tx, challenge),
      };
    },
  };
}
