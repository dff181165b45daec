import { tokenDigest } from '../crypto/digests.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import { randomToken } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';

/** A browser as its person sees it. Times are epoch seconds. */
export interface TrustedDevice {
  readonly id: string;
  readonly userAgent: string;
  readonly address: string;
  readonly trustedAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
}

type Visit = Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'>;

/**
 * Browsers in which a person has asked not to be asked for the second factor again, for thirty days. Trust replaces no factor and
 * raises no level: it only spares a question that the account's own policy would put, up to level 2. Apart from known devices, which are
 * remembered without asking, live longer and decide about allowances of attempts alone.
 */
export interface TrustedDevices {
  /** To be called when the person has ticked the box and proven a second factor. Resolves with the secret for the cookie (192 bits). */
  trust(personId: string, visit: Visit): TrustedSecret;
  /** The device behind the secret, if it is this person's and its time is not over. */
  find(personId: string, secret: string | undefined): Promise<TrustedDevice | undefined>;
  list(personId: string): Promise<readonly TrustedDevice[]>;
  /** False when it is not theirs, or gone already. */
  revoke(personId: string, id: string, visit: Visit): Promise<boolean>;
  /** Ends all trust in the caller's transaction: a password or a factor was changed, the account recovered. Resolves with how many. */
  revokeAllIn(tx: Transaction, personId: string, cause: string, visit?: Visit): Promise<number>;
  sweep(limit: number): Promise<number>;
}

export interface TrustedSecret {
  readonly secret: string;
  readonly lifetimeSeconds: number;
  write(tx: Transaction): Promise<void>;
}

const SECRET_CHARS = 32;
const SECRET = new RegExp(`^[\\w-]{${SECRET_CHARS}}$`);
const DEVICES_PER_PERSON_MAX = 10;
const USER_AGENT_CHARACTERS_MAX = 255;

interface Row {
  readonly id: string;
  readonly user_agent: string;
  readonly address: string;
  readonly trusted_at: number;
  readonly seen_at: number;
  readonly expires_at: number;
}

const COLUMNS = 'id, user_agent, address, trusted_at, seen_at, expires_at';
const SELECT = `SELECT ${COLUMNS} FROM trusted_devices WHERE secret_digest = $1 AND person_id = $2 AND expires_at > $3`;
const LIST = `SELECT ${COLUMNS} FROM trusted_devices WHERE person_id = $1 AND expires_at > $2 ORDER BY trusted_at DESC, id`;
const INSERT = `INSERT INTO trusted_devices
  (id, secret_digest, person_id, user_agent, address, trusted_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)`;
const TRIM = `DELETE FROM trusted_devices WHERE person_id = $1 AND id NOT IN
  (SELECT id FROM trusted_devices WHERE person_id = $1 ORDER BY trusted_at DESC, id DESC LIMIT $2)`;
const REVOKE = 'DELETE FROM trusted_devices WHERE id = $1 AND person_id = $2';
const REVOKE_ALL = 'DELETE FROM trusted_devices WHERE person_id = $1';
const SWEEP = `DELETE FROM trusted_devices WHERE id IN
  (SELECT id FROM trusted_devices WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AND expires_at < $1`;

const deviceOf = (row: Row): TrustedDevice => ({
  id: row.id,
  userAgent: row.user_agent,
  address: row.address,
  trustedAt: Number(row.trusted_at),
  seenAt: Number(row.seen_at),
  expiresAt: Number(row.expires_at),
});

export function createTrustedDevices({
  database,
  ledger,
  lifetimeSeconds,
}: {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly lifetimeSeconds: number;
}): TrustedDevices {
  return {
    trust(personId, visit) {
      const secret = randomToken(SECRET_CHARS);
      return {
        secret,
        lifetimeSeconds,
        async write(tx) {
          const id = newId('dev');
          const now = nowSeconds();
          const userAgent = visit.userAgent?.slice(0, USER_AGENT_CHARACTERS_MAX) ?? '';
          const where = [id, tokenDigest(secret), personId, userAgent, visit.address ?? ''];
          await tx.run(INSERT, [...where, now, now + lifetimeSeconds]);
          await tx.run(TRIM, [personId, DEVICES_PER_PERSON_MAX]);
          await ledger.append(tx, { ...visit, type: 'device.trusted', personId, details: { trusted: id } });
        },
      };
    },
    async find(personId, secret) {
      if (secret === undefined || !SECRET.test(secret)) return undefined;
      const row = await database.get<Row>(SELECT, [tokenDigest(secret), personId, nowSeconds()]);
      return row && deviceOf(row);
    },
    async list(personId) {
      return (await database.all<Row>(LIST, [personId, nowSeconds()])).map(deviceOf);
    },
    revoke: (personId, id, visit) =>
      database.write(async (tx) => {
        if ((await tx.run(REVOKE, [id, personId])) === 0) return false;
        const details = { trusted: id, cause: 'revoked_by_person' };
        await ledger.append(tx, { ...visit, type: 'device.distrusted', personId, details });
        return true;
      }),
    async revokeAllIn(tx, personId, cause, visit = {}) {
      const count = await tx.run(REVOKE_ALL, [personId]);
      if (count > 0)
        await ledger.append(tx, { ...visit, type: 'device.distrusted', personId, details: { cause, count } });
      return count;
    },
    sweep: (limit) => database.run(SWEEP, [nowSeconds(), limit]),
  };
}
