import type { KeyObject } from 'node:crypto';
import { framed, hmacSm3 } from '../crypto/digests.ts';
import type { Sealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';

/**
 * What a challenge is good for and nothing else: one purpose, one person (none while nobody is known yet), one ceremony or session, one
 * browser. From anywhere else there is none.
 */
export interface ChallengeBinding {
  readonly purpose: string;
  readonly personId?: string | undefined;
  readonly binding: string;
  readonly browser: string;
}

/** A challenge that still holds. */
export interface HeldChallenge {
  readonly content: string;
  /** Belongs into the transaction of what the answer allows: true for one of several calls. */
  readonly take: (tx: Transaction) => Promise<boolean>;
}

/** What was asked of a person and waits for their answer: the nonce of a passkey or certificate, the secret shown for a new TOTP. */
export interface FactorChallenges {
  /** In place of any before. `content` is kept sealed. */
  put(tx: Transaction, bound: ChallengeBinding, content: string, lifetimeSeconds: number): Promise<void>;
  /** Undefined when there is none, it was taken, or its time is over. */
  find(bound: ChallengeBinding): Promise<HeldChallenge | undefined>;
  /** Deletes up to `limit` whose time is over; resolves with how many. */
  sweep(limit: number): Promise<number>;
}

const PUT = `INSERT INTO factor_challenges (id, sealed, expires_at, taken_at) VALUES ($1, $2, $3, NULL)
  ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at, taken_at = NULL`;
const FIND = 'SELECT sealed FROM factor_challenges WHERE id = $1 AND taken_at IS NULL AND expires_at > $2';
/** Over the very ciphertext that was read: a challenge put in its place meanwhile is another one. */
const TAKE = `UPDATE factor_challenges SET taken_at = $2 WHERE id = $1 AND sealed = $3 AND taken_at IS NULL AND expires_at > $2`;
const SWEEP = `DELETE FROM factor_challenges WHERE id IN
  (SELECT id FROM factor_challenges WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)
  AND expires_at < $1`;

const contextOf = (id: string): string => `factor_challenges:sealed:${id}`;

export function createFactorChallenges({
  database,
  sealer,
  key,
}: {
  readonly database: Database;
  readonly sealer: Sealer;
  /** Held apart from the database: nobody who reads it learns whose challenge a row is. */
  readonly key: KeyObject;
}): FactorChallenges {
  const idOf = ({ purpose, personId = '', binding, browser }: ChallengeBinding): string =>
    hmacSm3(key, framed('factor-challenge', purpose, personId, binding, browser)).toString('base64url');
  return {
    async put(tx, bound, content, lifetimeSeconds) {
      const id = idOf(bound);
      await tx.run(PUT, [id, sealer.seal(content, contextOf(id)), nowSeconds() + lifetimeSeconds]);
    },
    async find(bound) {
      const id = idOf(bound);
      const row = await database.get<{ sealed: Uint8Array }>(FIND, [id, nowSeconds()]);
      if (row === undefined) return undefined;
      return {
        content: sealer.unseal(row.sealed, contextOf(id)),
        take: async (tx) => (await tx.run(TAKE, [id, nowSeconds(), row.sealed])) === 1,
      };
    },
    sweep: (limit) => database.run(SWEEP, [nowSeconds(), limit]),
  };
}
