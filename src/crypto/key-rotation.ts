import { nowSeconds } from '../shared/clock.ts';
import { randomSecret } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { KeyEvents } from './keyring.ts';
import { lockKeys, raiseKeysVersion } from './keys-version.ts';
import { type KeySealer, keyContext } from './master-keys.ts';
import { RING_ALGORITHMS, type RingPurpose, ringKid, type SecretRing } from './secret-ring.ts';

/** A new key is in the ring so long before it is used: every process looks once a second and must know it before anything is sealed with it. */
export const SETTLE_SECONDS = 10;
/** A replaced key stays at least so long: longer than a process that could not look at the ring goes on writing (secret-ring.ts). */
export const RETIRE_AFTER_SECONDS = 300;

/** What still stands under a key, by table. */
export type Dependents = readonly { readonly table: string; readonly rows: number }[];

export type PutInUse =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly reason: 'too_soon'; readonly readyAt: number }
  | { readonly ok: false; readonly reason: 'not_staged' };

/** `in_use`: it is the key in use, or the next one. `too_soon`: something under way may still write with it. `needed`: rows depend on it. */
export type Retirement =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'unknown' | 'in_use' }
  | { readonly ok: false; readonly reason: 'too_soon'; readonly readyAt: number }
  | { readonly ok: false; readonly reason: 'needed'; readonly dependents: Dependents };

/** Changes the keys of the ring; each change is a transaction with its event of the ledger, serialised by `keyring.version`. */
export interface KeyRotation {
  /** Puts a new key into the ring, to be used after `SETTLE_SECONDS`. The one that waits already is left to wait. */
  stage(purpose: RingPurpose): Promise<void>;
  /** From now on the key that waited is the one to write with. */
  putInUse(purpose: RingPurpose): Promise<PutInUse>;
  /** Removes a replaced key for good, when nothing depends on it any more. */
  retire(purpose: RingPurpose, id: string): Promise<Retirement>;
}

export interface KeyRotationOptions {
  readonly database: Database;
  readonly ring: SecretRing;
  readonly master: KeySealer;
  readonly ledger: KeyEvents;
  readonly dependents: (purpose: RingPurpose, id: string) => Promise<Dependents>;
  /** How long what was made with a replaced key may still come back: for cookies their longest life. */
  readonly lifeSeconds: Readonly<Record<RingPurpose, number>>;
}

interface Row {
  readonly kid: string;
  readonly created_at: number;
  readonly state: string;
  readonly retires_at: number | null;
}

const OF_STATE = 'SELECT kid, created_at, state, retires_at FROM keys WHERE purpose = $1 AND state = $2';
const OF_KID = 'SELECT kid, created_at, state, retires_at FROM keys WHERE purpose = $1 AND kid = $2';
const INSERT = `INSERT INTO keys (kid, purpose, alg, state, public_jwk, private_sealed, created_at)
  VALUES ($1, $2, $3, 'next', '{}', $4, $5)`;
const REPLACE = "UPDATE keys SET state = 'previous', retires_at = $1 WHERE purpose = $2 AND state = 'current'";
const USE = "UPDATE keys SET state = 'current', activated_at = $1 WHERE kid = $2";
const ID_BYTES = 4;
const KEY_BYTES = 32;

export function createKeyRotation(options: KeyRotationOptions): KeyRotation {
  const { database, ring, master, ledger, dependents, lifeSeconds } = options;

  /** One change, seen by this process as soon as it is durable. */
  const change = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const done = await database.write(async (tx) => {
      await lockKeys(tx);
      return work(tx);
    });
    await ring.refresh();
    return done;
  };

  return {
    stage: (purpose) =>
      change(async (tx) => {
        if ((await tx.get<Row>(OF_STATE, [purpose, 'next'])) !== undefined) return;
        await master.refresh(tx);
        const kid = randomSecret(ID_BYTES).toString('hex');
        const sealed = master.seal(randomSecret(KEY_BYTES).toString('base64url'), keyContext(kid));
        await tx.run(INSERT, [kid, purpose, RING_ALGORITHMS[purpose], sealed, nowSeconds()]);
        const details = { kid, alg: RING_ALGORITHMS[purpose], purpose, state: 'next' };
        await ledger.append(tx, { type: 'key.created', details });
        await raiseKeysVersion(tx);
      }),

    putInUse: (purpose) =>
      change(async (tx): Promise<PutInUse> => {
        const next = await tx.get<Row>(OF_STATE, [purpose, 'next']);
        if (next === undefined) return { ok: false, reason: 'not_staged' };
        const readyAt = Number(next.created_at) + SETTLE_SECONDS;
        if (nowSeconds() < readyAt) return { ok: false, reason: 'too_soon', readyAt };
        await tx.run(REPLACE, [nowSeconds() + RETIRE_AFTER_SECONDS + lifeSeconds[purpose], purpose]);
        await tx.run(USE, [nowSeconds(), next.kid]);
        await ledger.append(tx, {
          type: 'key.rotated',
          details: { kid: next.kid, alg: RING_ALGORITHMS[purpose], purpose },
        });
        await raiseKeysVersion(tx);
        return { ok: true, id: next.kid };
      }),

    async retire(purpose, id) {
      const kid = ringKid(purpose, id);
      const row = await database.get<Row>(OF_KID, [purpose, kid]);
      if (row === undefined) return { ok: false, reason: 'unknown' };
      if (row.state !== 'previous') return { ok: false, reason: 'in_use' };
      const readyAt = Number(row.retires_at);
      if (nowSeconds() < readyAt) return { ok: false, reason: 'too_soon', readyAt };
      // Outside the transaction: it may take seconds, and nobody can write with this key any more.
      const needed = (await dependents(purpose, id)).filter(({ rows }) => rows > 0);
      if (needed.length > 0) return { ok: false, reason: 'needed', dependents: needed };
      await change(async (tx) => {
        if ((await tx.run('DELETE FROM keys WHERE kid = $1', [kid])) === 0) return;
        await ledger.append(tx, { type: 'key.removed', details: { kid, alg: RING_ALGORITHMS[purpose], purpose } });
        await raiseKeysVersion(tx);
      });
      return { ok: true };
    },
  };
}
