import { hkdfSync } from 'node:crypto';
import { tokenDigest } from '../crypto/digests.ts';
import { createSealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';

/**
 * A relying party whose network lost our answer presents the spent refresh token once more. Within a few seconds it gets the
 * SAME successor again, instead of losing the whole family (security.md A8). The answer is kept sealed under a key derived from
 * the spent token itself: the store alone cannot open it.
 */
export interface RefreshRetries {
  /** Keeps the answer to a rotation, in the transaction that spends the token. */
  keep(tx: Transaction, spentToken: string, clientId: string, answer: string): Promise<void>;
  /** The kept answer, for the same client, while the time for it lasts. */
  find(spentToken: string, clientId: string): Promise<string | undefined>;
}

const INSERT = `INSERT INTO refresh_retries (token_digest, client_id, answer_sealed, expires_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (token_digest) DO NOTHING`;
const FIND =
  'SELECT answer_sealed FROM refresh_retries WHERE token_digest = $1 AND client_id = $2 AND expires_at >= $3';

const sealerFor = (token: string) => createSealer(Buffer.from(hkdfSync('sha256', token, '', 'refresh-retry', 32)));

export function createRefreshRetries(database: Database, retrySeconds: number): RefreshRetries {
  return {
    async keep(tx, spentToken, clientId, answer) {
      if (retrySeconds === 0) return;
      const digest = tokenDigest(spentToken);
      const sealed = sealerFor(spentToken).seal(answer, `refresh_retries:answer:${digest}`);
      await tx.run(INSERT, [digest, clientId, sealed, nowSeconds() + retrySeconds]);
    },
    async find(spentToken, clientId) {
      const digest = tokenDigest(spentToken);
      const row = await database.get<{ answer_sealed: Uint8Array }>(FIND, [digest, clientId, nowSeconds()]);
      return row && sealerFor(spentToken).unseal(row.answer_sealed, `refresh_retries:answer:${digest}`);
    },
  };
}
