import { tokenDigest } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import { randomToken } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';

/** How somebody proves again who they are: by the register and a code to their phone, or by a recovery code. */
export type RecoveryRoute = 'proofing' | 'code';

/**
 * `begun`: something is still to be proven; `waiting`: all is proven, and the new password may be set from `waitsUntil` on. `personId`
 * is undefined where nobody was found: to a stranger both look the same. Times are epoch seconds.
 */
export interface Recovery {
  readonly id: string;
  readonly personId: string | undefined;
  /** Under which name what is tried in it is counted: also where nobody was found. */
  readonly account: string;
  readonly route: RecoveryRoute;
  readonly state: 'begun' | 'waiting' | 'completed' | 'cancelled';
  readonly waitsUntil: number;
}

export interface NewRecovery {
  readonly personId: string | undefined;
  /** The person, or a keyed digest of the number that nobody has. */
  readonly account: string;
  readonly route: RecoveryRoute;
}

/**
 * Ways back into an account. A browser finds its own by a random secret in a cookie, of which the store holds the digest. Every change
 * is a compare-and-set on the state: who cancels and who completes cannot both succeed.
 */
export interface Recoveries {
  /** Resolves with the secret for the cookie (192 bits). */
  begin(tx: Transaction, recovery: NewRecovery): Promise<{ readonly id: string; readonly secret: string }>;
  find(secret: string | undefined): Promise<Recovery | undefined>;
  /** Everything is proven: the pause begins. False when it is not `begun` any more. */
  prove(tx: Transaction, id: string): Promise<boolean>;
  /** False when it was cancelled, completed, is over, or still waits. The person's other recoveries end with it. */
  complete(tx: Transaction, recovery: Recovery): Promise<boolean>;
  /** Whether one waits for this person. */
  waits(personId: string): Promise<boolean>;
  /** Stops whatever waits for this person; resolves with how many did. */
  cancelAll(tx: Transaction, personId: string): Promise<number>;
  /** Deletes up to `limit` recoveries whose time is over; resolves with how many. */
  sweep(limit: number): Promise<number>;
}

export interface RecoveryTimes {
  readonly waitSeconds: number;
  readonly finishSeconds: number;
}

/** How long a code may be on its way, and asked for again. */
const PROOF_SECONDS = 1800;
const SECRET_CHARS = 32;
const SECRET = new RegExp(`^[\\w-]{${SECRET_CHARS}}$`);

const INSERT = `INSERT INTO recoveries (id, secret_digest, person_id, route, state, created_at, waits_until, expires_at, account)
  VALUES ($1, $2, $3, $4, 'begun', $5, $5, $6, $7)`;
const SELECT = `SELECT id, person_id, route, state, waits_until, account FROM recoveries
  WHERE secret_digest = $1 AND expires_at > $2`;
const PROVE = `UPDATE recoveries SET state = 'waiting', waits_until = $2, expires_at = $3
  WHERE id = $1 AND state = 'begun' AND expires_at > $4 AND person_id IS NOT NULL`;
const COMPLETE = `UPDATE recoveries SET state = 'completed'
  WHERE id = $1 AND state = 'waiting' AND waits_until <= $2 AND expires_at > $2`;
const WAITING = "SELECT count(*) AS waiting FROM recoveries WHERE person_id = $1 AND state = 'waiting'";
const CANCEL = "UPDATE recoveries SET state = 'cancelled' WHERE person_id = $1 AND state = 'waiting'";
const SWEEP = `DELETE FROM recoveries WHERE id IN
  (SELECT id FROM recoveries WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`;

interface Row {
  readonly id: string;
  readonly person_id: string | null;
  readonly route: RecoveryRoute;
  readonly state: Recovery['state'];
  readonly waits_until: number;
  readonly account: string | null;
}

export function createRecoveries({
  database,
  times,
}: {
  readonly database: Database;
  readonly times: RecoveryTimes;
}): Recoveries {
  const cancelAll: Recoveries['cancelAll'] = (tx, personId) => tx.run(CANCEL, [personId]);
  return {
    async waits(personId) {
      const row = await database.get<{ waiting: number }>(WAITING, [personId]);
      return row !== undefined && row.waiting > 0;
    },
    cancelAll,
    async begin(tx, { personId, route, account }) {
      const id = newId('rcv');
      const secret = randomToken(SECRET_CHARS);
      const now = nowSeconds();
      await tx.run(INSERT, [id, tokenDigest(secret), personId ?? null, route, now, now + PROOF_SECONDS, account]);
      return { id, secret };
    },
    async find(secret) {
      if (secret === undefined || !SECRET.test(secret)) return undefined;
      const row = await database.get<Row>(SELECT, [tokenDigest(secret), nowSeconds()]);
      return (
        row && {
          id: row.id,
          personId: row.person_id ?? undefined,
          account: row.account ?? row.person_id ?? row.id,
          route: row.route,
          state: row.state,
          waitsUntil: Number(row.waits_until),
        }
      );
    },
    async prove(tx, id) {
      const now = nowSeconds();
      const until = now + times.waitSeconds;
      return (await tx.run(PROVE, [id, until, until + times.finishSeconds, now])) === 1;
    },
    async complete(tx, { id, personId }) {
      if ((await tx.run(COMPLETE, [id, nowSeconds()])) === 0) return false;
      if (personId !== undefined) await cancelAll(tx, personId);
      return true;
    },
    sweep: (limit) => database.run(SWEEP, [nowSeconds(), limit]),
  };
}
