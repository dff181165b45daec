import { createCipheriv, createDecipheriv } from 'node:crypto';
import { sm3, tokenDigest } from '../crypto/digests.ts';
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

/**
 * The key serves for exactly one message, so a constant IV never repeats under it. An authenticated mode in one pass: this is
 * on the path of every refresh, where the two keys and the separate tag of crypto/sealing.ts cost twice as much.
 */
const CIPHER = 'aes-256-gcm';
const IV = Buffer.alloc(12);
const TAG_BYTES = 16;

const keyOf = (token: string): Buffer => sm3(`tongban refresh retry v1\0${token}`);

function seal(token: string, answer: string): Buffer {
  const cipher = createCipheriv(CIPHER, keyOf(token), IV);
  return Buffer.concat([cipher.update(answer, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

/** Throws when the stored bytes are not what was sealed for this token. */
function unseal(token: string, sealed: Uint8Array): string {
  const tagAt = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, keyOf(token), IV, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(tagAt));
  return decipher.update(sealed.subarray(0, tagAt), undefined, 'utf8') + decipher.final('utf8');
}

export function createRefreshRetries(database: Database, retrySeconds: number): RefreshRetries {
  return {
    async keep(tx, spentToken, clientId, answer) {
      if (retrySeconds === 0) return;
      const sealed = seal(spentToken, answer);
      await tx.run(INSERT, [tokenDigest(spentToken), clientId, sealed, nowSeconds() + retrySeconds]);
    },
    async find(spentToken, clientId) {
      const params = [tokenDigest(spentToken), clientId, nowSeconds()];
      const row = await database.get<{ answer_sealed: Uint8Array }>(FIND, params);
      return row && unseal(spentToken, row.answer_sealed);
    },
  };
}
