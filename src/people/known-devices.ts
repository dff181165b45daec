import { tokenDigest } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import { randomToken } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';

const SECRET_CHARS = 32;
const SECRET = new RegExp(`^[\\w-]{${SECRET_CHARS}}$`);
const DEVICES_PER_PERSON_MAX = 10;
const LIFETIME_SECONDS = 180 * 24 * 3600;

/**
 * Browsers a person has signed in with. Such a browser keeps its own allowance of attempts, so that strangers who guess at an
 * account cannot shut its owner out (D8). Knowing the secret replaces no factor.
 */
export interface KnownDevices {
  /**
   * To be called after a successful sign-in with the secret the browser showed, if any. Resolves with the secret for its
   * cookie (192 bits) and what remembers it, to be written in the transaction of the sign-in. A secret that is not this
   * person's is never adopted: whoever planted it would share the allowance. `recognised` is what `recognises` has just said of that secret.
   */
  remember(personId: string, presented?: string, recognised?: string): Promise<RememberedDevice>;
  /** The digest under which attempts of this device are counted, or undefined when it is not a device of this person. */
  recognises(personId: string | undefined, secret: string | undefined): Promise<string | undefined>;
  /** The latest seen first. Times are epoch seconds. */
  list(personId: string): Promise<readonly KnownDevice[]>;
  /** Forgets every device of the person, for instance after the password was reset. */
  forgetAll(personId: string): Promise<void>;
  /** The same in the caller's transaction. */
  forgetAllIn(tx: Transaction, personId: string): Promise<void>;
}

/** What is kept of a browser beside the digest of its secret. */
export interface KnownDevice {
  readonly firstSeenAt: number;
  readonly seenAt: number;
}

export interface RememberedDevice {
  readonly secret: string;
  write(tx: Transaction): Promise<void>;
}

const SELECT = 'SELECT created_at FROM known_devices WHERE device_digest = $1 AND person_id = $2 AND seen_at > $3';
const LIST = `SELECT created_at, seen_at FROM known_devices WHERE person_id = $1 AND seen_at > $2
  ORDER BY seen_at DESC, device_digest`;
const TOUCH = 'UPDATE known_devices SET seen_at = $1 WHERE device_digest = $2 AND person_id = $3';
const INSERT = 'INSERT INTO known_devices (device_digest, person_id, created_at, seen_at) VALUES ($1, $2, $3, $3)';
const TRIM = `DELETE FROM known_devices WHERE person_id = $1 AND device_digest NOT IN
  (SELECT device_digest FROM known_devices WHERE person_id = $1 ORDER BY seen_at DESC, device_digest LIMIT $2)`;

const FORGET = 'DELETE FROM known_devices WHERE person_id = $1';

/** No person has this id: an unknown number costs the same look-up as a known one. */
const NOBODY = '';

export function createKnownDevices({ database }: { readonly database: Database }): KnownDevices {
  const recognises: KnownDevices['recognises'] = async (personId, secret) => {
    if (secret === undefined || !SECRET.test(secret)) return undefined;
    const digest = tokenDigest(secret);
    const row = await database.get(SELECT, [digest, personId ?? NOBODY, nowSeconds() - LIFETIME_SECONDS]);
    return row === undefined ? undefined : digest;
  };

  return {
    recognises,

    async remember(personId, presented, recognised) {
      const known = recognised ?? (await recognises(personId, presented));
      const now = nowSeconds();
      if (known !== undefined && presented !== undefined) {
        return {
          secret: presented,
          async write(tx) {
            tx.post(TOUCH, [now, known, personId]);
          },
        };
      }
      const secret = randomToken(SECRET_CHARS);
      return {
        secret,
        async write(tx) {
          tx.post(INSERT, [tokenDigest(secret), personId, now]);
          tx.post(TRIM, [personId, DEVICES_PER_PERSON_MAX]);
        },
      };
    },

    async list(personId) {
      const rows = await database.all<{ created_at: number; seen_at: number }>(LIST, [
        personId,
        nowSeconds() - LIFETIME_SECONDS,
      ]);
      return rows.map(({ created_at, seen_at }) => ({ firstSeenAt: Number(created_at), seenAt: Number(seen_at) }));
    },

    async forgetAll(personId) {
      await database.run(FORGET, [personId]);
    },

    async forgetAllIn(tx, personId) {
      await tx.run(FORGET, [personId]);
    },
  };
}
