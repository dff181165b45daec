import type { KeyObject } from 'node:crypto';
import { equalInConstantTime, framed, hmacSm3, tokenDigest } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import { randomSecret } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';

/** What a challenge is answered for: nothing that was signed for one purpose proves anything for another. */
export type ChallengePurpose = 'sign-in' | 'second-factor' | 'prove' | 'bind' | 'register';

/** The ceremony, session or draft it belongs to (`binding`), and the browser it was shown in. */
export interface ChallengeBinding {
  readonly purpose: ChallengePurpose;
  readonly binding: string;
  readonly browser: string;
}

/**
 * Challenges for factors that sign. Each is 16 random bytes, its time and an HMAC over both and over what it belongs to. Showing one
 * writes nothing, because whoever asks for pages without end would fill the store. It is used once: who has it spent first in a
 * transaction was first, and the store remembers until it could not be accepted any more.
 */
export interface SignedChallenges {
  /** Base64url, 70 characters. */
  issue(bound: ChallengeBinding): string;
  /** `foreign`: not ours, or issued for something else; `expired`: ours, and too old. */
  judge(challenge: string, bound: ChallengeBinding): 'good' | 'expired' | 'foreign';
  /** Belongs into the transaction of what the answer allows. False when it was spent before (D14). */
  spend(tx: Transaction, challenge: string): Promise<boolean>;
  /** Forgets up to `limit` challenges that nobody would accept any more; resolves with how many. */
  sweep(limit: number): Promise<number>;
}

const RANDOM_BYTES = 16;
const TIME_BYTES = 4;
const HEAD_BYTES = RANDOM_BYTES + TIME_BYTES;
const FORM = /^[\w-]{70}$/;

const SPEND = 'INSERT INTO spent_challenges (digest, expires_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING';
const SWEEP = `DELETE FROM spent_challenges WHERE digest IN
  (SELECT digest FROM spent_challenges WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AND expires_at < $1`;

export function createSignedChallenges({
  database,
  key,
  lifetimeSeconds,
}: {
  readonly database: Pick<Database, 'run'>;
  readonly key: KeyObject;
  readonly lifetimeSeconds: number;
}): SignedChallenges {
  const tagOf = (head: Uint8Array, { purpose, binding, browser }: ChallengeBinding): Buffer =>
    hmacSm3(key, framed('challenge', head, purpose, binding, browser));
  return {
    issue(bound) {
      const head = Buffer.alloc(HEAD_BYTES);
      head.set(randomSecret(RANDOM_BYTES));
      head.writeUInt32BE(nowSeconds(), RANDOM_BYTES);
      return Buffer.concat([head, tagOf(head, bound)]).toString('base64url');
    },
    judge(challenge, bound) {
      if (!FORM.test(challenge)) return 'foreign';
      const bytes = Buffer.from(challenge, 'base64url');
      // Two spellings of one challenge would be spent apart.
      if (bytes.toString('base64url') !== challenge) return 'foreign';
      const head = bytes.subarray(0, HEAD_BYTES);
      if (!equalInConstantTime(bytes.subarray(HEAD_BYTES), tagOf(head, bound))) return 'foreign';
      const age = nowSeconds() - head.readUInt32BE(RANDOM_BYTES);
      return age >= 0 && age <= lifetimeSeconds ? 'good' : 'expired';
    },
    spend: async (tx, challenge) =>
      (await tx.run(SPEND, [tokenDigest(challenge), nowSeconds() + lifetimeSeconds])) === 1,
    sweep: (limit) => database.run(SWEEP, [nowSeconds(), limit]),
  };
}
