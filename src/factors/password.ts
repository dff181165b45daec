import type { KeyObject } from 'node:crypto';
import { argon2id, hash, verify } from 'argon2';
import { hmacSm3 } from '../crypto/digests.ts';
import type { Peppers } from '../crypto/peppers.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { shareLock, updateLock } from '../storage/row-locks.ts';
import { rowShape } from '../storage/row-shape.ts';
import { type Argon2Cost, costOf, sameCost, unmatchableHash } from './argon2-phc.ts';
import type { BreachedPasswords } from './breached-passwords.ts';
import { hashesOf, keepEarlier } from './earlier-passwords.ts';
import { createHashQueue, type HashFor, type HashLoad, type HashPlaces, type HashQueueOptions } from './hash-queue.ts';
import { normalisePassword } from './password-policy.ts';

/** Where a password was set, if by somebody with a browser. */
export interface SetFrom {
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly correlation?: string | undefined;
}

/** What the factor tells the ledger, which is another room: the caller hands its own ledger in. */
export interface PasswordEvents {
  append(
    tx: Transaction,
    event: SetFrom & {
      readonly type: 'password.changed';
      readonly personId: string;
      readonly details: { readonly origin: string };
    },
  ): Promise<void>;
}

export interface PasswordFactorOptions extends Argon2Cost, HashQueueOptions {
  readonly maxLength: number;
  /** The settings `password.history` and `password.ageDays`. */
  readonly history: number;
  readonly ageDays: number;
}

/** What members of staff are held to besides, whatever everybody else may do (S1): `staff.passwordAgeDays` and `staff.passwordHistory`. */
export interface StaffPasswords {
  readonly ageDays: number;
  readonly history: number;
  isMember(connection: Connection, personId: string): Promise<boolean>;
}

declare const preparedPassword: unique symbol;

/** A password already hashed, ready to be stored inside a transaction, where nothing may wait for a hash. */
export type PreparedPassword = string & { readonly [preparedPassword]: true };

/** `busy`: the hash queue is full or the deadline passed; the caller answers `Fault('overloaded')`. */
export interface PasswordFactor {
  /** Hashes a password the policy has accepted. */
  prepare(password: string): Promise<PreparedPassword | 'busy'>;
  /**
   * Stores a prepared password and its ledger event in the caller's transaction. `insteadOf`: when the one was set that it takes the place of, in epoch
   * seconds; the write throws `Fault('ceremony_expired')` where that is not the person's any more.
   */
  store(
    tx: Transaction,
    personId: string,
    prepared: PreparedPassword,
    origin: string,
    from?: SetFrom & { readonly insteadOf?: number },
  ): Promise<void>;
  /** `prepare` and `store` in a transaction of its own. */
  set(personId: string, password: string, origin: string): Promise<'set' | 'busy'>;
  /**
   * Whether this is the person's password. For an unknown person (`undefined`) and for one without a password it does the
   * same look-up and the same hash (D9, R18), in the same line of the queue. A match under outdated parameters or
   * with a replaced pepper is hashed anew.
   * Throws `Fault('internal')` when the stored hash is none of ours or asks for an absurd amount of work.
   */
  verify(
    personId: string | undefined,
    password: string,
    who?: HashFor,
    stored?: StoredPassword,
  ): Promise<'match' | 'mismatch' | 'busy'>;
  /**
   * Undoes the write, with `Fault('ceremony_expired')`, where the person's password is not the one that was set then any more: nobody gets in by one that
   * was changed while its hash was computed, or while another factor was asked for (C11).
   */
  demandUnchanged(tx: Transaction, personId: string, since: number): void;
  /** The look-up of `verify`, for whoever has another to make with it. One that was made for a person serves where nobody's password may match. */
  stored(personId: string | undefined): Promise<StoredPassword>;
  /**
   * Whether a person who chooses this password had it before, as far back as the house remembers. Each comparison is a hash in the queue,
   * one after the other. `fresh` where no history is kept. A hash whose pepper is retired can not be compared any more.
   */
  isReused(personId: string, password: string): Promise<'fresh' | 'reused' | 'busy'>;
  /**
   * Whether the person's password is older than the house lets passwords become; `asStaff`: than it lets those become by which its own staff get
   * in. Costs nothing where they may grow old.
   */
  isOutdated(personId: string, how?: { readonly asStaff: boolean }): Promise<boolean>;
  /** Whether a password, in its normal form, is known from breaches or as a common one. */
  isBreached(password: string): Promise<boolean>;
  /** When the person's password was set, in epoch seconds; undefined for a person without one. */
  changedAt(personId: string, connection?: Connection): Promise<number | undefined>;
  /** For metrics: hashes running, waiting, and started so far. */
  load(): HashLoad;
}

/** What is kept of a person's password; nothing for nobody. */
export interface StoredPassword {
  readonly hash: string | undefined;
  /** When it was set, in epoch seconds: as long as this stays, it is the same password, however it is hashed. */
  readonly changedAt: number | undefined;
}

export interface PasswordFactorParts {
  readonly database: Database;
  readonly ledger: PasswordEvents;
  /** Held apart from the database: a stolen copy of the hashes cannot even be guessed at (D5). */
  readonly peppers: Peppers;
  readonly options: PasswordFactorOptions;
  /** Shared ones, where several workers serve on one machine. */
  readonly places?: HashPlaces | undefined;
  readonly breached: BreachedPasswords;
  readonly staff: StaffPasswords;
}

/** No person has this id: an unknown person costs the same look-up as a known one. */
const NOBODY = '';
const HASH_BYTES = 32;
const DAY_SECONDS = 86_400;

const SELECT = 'SELECT hash, changed_at FROM passwords WHERE person_id = $1';
const SELECT_CHANGED = 'SELECT changed_at FROM passwords WHERE person_id = $1';
const SINCE = `SELECT ${UNJUDGED} 1 AS one FROM passwords WHERE person_id = $1 AND changed_at = $2`;
/** How a password is written; whoever writes many at once tells the ledger themselves. */
export const PASSWORD_ROW = rowShape('passwords', ['person_id', 'hash', 'changed_at']);
const STORE = `${PASSWORD_ROW.insert(1)}
  ON CONFLICT (person_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at`;
/** Only if the hash is still the one that was checked: a password changed in between must not come back. */
const REPLACE = 'UPDATE passwords SET hash = $1 WHERE person_id = $2 AND hash = $3';

/** Passwords under Argon2id (RFC 9106) over an HMAC-SM3 with the pepper; the amr is `pwd` (RFC 8176). */
export function createPasswordFactor({
  database,
  ledger,
  peppers,
  options,
  places,
  breached,
  staff,
}: PasswordFactorParts): PasswordFactor {
  const queue = createHashQueue(options, places);
  const nobodysHash = unmatchableHash(options);

  const prepare: PasswordFactor['prepare'] = async (password) => {
    const normal = normalisePassword(password, options.maxLength);
    if (!normal.ok) throw new Fault('internal', 'A password was to be stored that the policy refuses.');
    const pepper = peppers.writing();
    const hashed = await queue.run(() => hashOf(peppered(pepper.key, normal.password), options));
    return hashed.state === 'busy' ? 'busy' : (`${pepper.mark}${hashed.value}` as PreparedPassword);
  };

  /** How many latest passwords of a person are remembered, the present one among them. */
  const historyOf = async (connection: Connection, personId: string): Promise<number> =>
    options.history < staff.history && (await staff.isMember(connection, personId)) ? staff.history : options.history;
  const besidePresent = (history: number): number => Math.max(0, history - 1);

  const store: PasswordFactor['store'] = async (tx, personId, prepared, origin, { insteadOf, ...from } = {}) => {
    if (insteadOf !== undefined) tx.demandRow(SINCE + updateLock(database.engine), [personId, insteadOf], changedSince);
    await keepEarlier(tx, database.engine, personId, besidePresent(await historyOf(tx, personId)));
    await tx.run(STORE, [personId, prepared, nowSeconds()]);
    await ledger.append(tx, { ...from, type: 'password.changed', personId, details: { origin } });
  };

  const renew = async (personId: string, stored: string, password: string): Promise<void> => {
    // A busy moment is no reason to keep anybody waiting: the next sign-in tries again. After a pepper was replaced, everybody's would.
    if (queue.load().waiting > 0) return;
    const prepared = await prepare(password);
    if (prepared !== 'busy') await database.run(REPLACE, [prepared, personId, stored]);
  };

  const stored: PasswordFactor['stored'] = async (personId) => {
    const row = await database.get<{ hash: string; changed_at: number }>(SELECT, [personId ?? NOBODY]);
    return { hash: row?.hash, changedAt: row?.changed_at };
  };

  return {
    prepare,
    store,
    load: queue.load,
    async isReused(personId, password) {
      const normal = normalisePassword(password, options.maxLength);
      const history = await historyOf(database, personId);
      if (history === 0 || !normal.ok) return 'fresh';
      for (const stored of await hashesOf(database, personId, besidePresent(history))) {
        const pepper = peppers.of(stored);
        const phc = stored.slice(pepper?.mark.length);
        if (pepper === undefined || costOf(phc) === undefined) continue;
        const judged = await queue.run(() => verify(phc, peppered(pepper.key, normal.password)), 'known');
        if (judged.state === 'busy') return 'busy';
        if (judged.value) return 'reused';
      }
      return 'fresh';
    },

    async isOutdated(personId, { asStaff } = { asStaff: false }) {
      const ageDays = ageDaysFor(asStaff, options.ageDays, staff.ageDays);
      if (ageDays === 0) return false;
      const row = await database.get<{ changed_at: number }>(SELECT_CHANGED, [personId]);
      return row !== undefined && Number(row.changed_at) + ageDays * DAY_SECONDS < nowSeconds();
    },

    async isBreached(password) {
      const normal = normalisePassword(password, options.maxLength);
      return normal.ok && breached.has(normal.password);
    },

    async changedAt(personId, connection = database) {
      return (await connection.get<{ changed_at: number }>(SELECT_CHANGED, [personId]))?.changed_at;
    },

    async set(personId, password, origin) {
      const prepared = await prepare(password);
      if (prepared === 'busy') return 'busy';
      await database.write((tx) => store(tx, personId, prepared, origin));
      return 'set';
    },

    stored,
    demandUnchanged(tx, personId, since) {
      tx.demandRow(SINCE + shareLock(database.engine), [personId, since], changedSince);
    },

    async verify(personId, password, who, looked) {
      const normal = normalisePassword(password, options.maxLength);
      if (!normal.ok) return 'mismatch';
      const { hash: own } = looked ?? (await stored(personId));
      const hash = own ?? nobodysHash;
      const pepper = peppers.of(hash);
      const phc = hash.slice(pepper?.mark.length);
      const cost = costOf(phc);
      if (cost === undefined || pepper === undefined)
        throw new Fault('internal', `The password hash of ${personId} is damaged or was planted.`);
      const judged = await queue.run(() => verify(phc, peppered(pepper.key, normal.password)), who);
      if (judged.state === 'busy') return 'busy';
      if (!judged.value || own === undefined || personId === undefined) return 'mismatch';
      if (!sameCost(cost, options) || !pepper.inUse) await renew(personId, own, password);
      return 'match';
    },
  };
}

const changedSince = (): Fault => new Fault('ceremony_expired', 'the password was changed meanwhile');

/** How old a password may be, in days: the narrower of both settings at the portals of staff. 0 lets it grow old. Pure. */
export const ageDaysFor = (asStaff: boolean, everybody: number, members: number): number => {
  if (!asStaff) return everybody;
  return everybody === 0 ? members : Math.min(everybody, members);
};

/** 32 bytes whatever the password: its length changes neither the cost nor, by a NUL or a cut, what is compared (D1, D4). */
const peppered = (pepperKey: KeyObject, password: string): Buffer => hmacSm3(pepperKey, password);

const hashOf = (peppered: Buffer, cost: Argon2Cost): Promise<string> =>
  hash(peppered, {
    type: argon2id,
    hashLength: HASH_BYTES,
    memoryCost: cost.memoryKib,
    timeCost: cost.iterations,
    parallelism: cost.parallelism,
  });
