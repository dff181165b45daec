import type { Context } from 'koa';
import type { Attempts } from '../factors/attempts.ts';
import type { Challenges } from '../factors/challenges.ts';
import type { PasswordFactor } from '../factors/password.ts';
import type { Failures } from '../ledger/flood.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { Identifiers } from '../people/identifiers.ts';
import type { KnownDevices } from '../people/known-devices.ts';
import type { Person } from '../people/person.ts';
import type { Persons } from '../people/persons.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { hostCookieName, readCookie, writeCookie } from '../web/cookies.ts';
import type { Login } from './interactions.ts';

/** `refused` is one answer for unknown, wrong, locked, disabled and frozen: a stranger learns nothing from it (D9). */
export type IdentifyOutcome =
  | {
      readonly state: 'proven';
      readonly login: Login;
      /** What belongs to this sign-in, to be written with it: the ledger's event and the known device. */
      readonly write: (tx: Transaction) => Promise<void>;
    }
  /** The secret was theirs, and the account is being closed: nothing but keeping it is left to them. */
  | { readonly state: 'closing'; readonly personId: string }
  /** The secret was theirs; under 14 a guardian must stand for them (Personal Information Protection Law, article 31). */
  | { readonly state: 'needs_guardian' }
  | { readonly state: 'refused' | 'identifier_form' | 'too_many' | 'busy' };

export interface Identify {
  withPassword(
    ctx: Context,
    input: { readonly identifier: string; readonly password: string; readonly clientId: string },
  ): Promise<IdentifyOutcome>;
  /**
   * Somebody who is signed in proves that a second account is theirs as well. The same limits, price and record of failures; no session
   * begins, and the browser is not remembered for it.
   */
  other(
    ctx: Context,
    input: {
      readonly personId: string;
      readonly identifier: string;
      readonly password: string;
      readonly clientId: string;
    },
  ): Promise<IdentifyOutcome>;
  /**
   * The person who is signed in proves once more who they are. Limits, price and the record of failures are those of signing in:
   * a session somebody else holds is no way around them (D6).
   */
  again(
    ctx: Context,
    input: {
      readonly personId: string;
      readonly sessionUid: string;
      readonly password: string;
      readonly clientId: string;
    },
  ): Promise<IdentifyOutcome>;
}

/** From where a proof was given. */
type Visit = Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'>;

export interface IdentifySources {
  readonly identifiers: Pick<Identifiers, 'resolve'>;
  readonly persons: Pick<Persons, 'find'>;
  readonly passwords: PasswordFactor;
  readonly attempts: Attempts;
  readonly challenges: Challenges;
  readonly devices: KnownDevices;
  /** What else a proof with the password brings about, in its transaction: whatever waits to replace that password is stopped. */
  readonly alongside: (tx: Transaction, personId: string, visit: Visit) => Promise<void>;
  readonly ledger: Ledger;
  readonly failures: Failures;
  /** Whether somebody stands as guardian for a person now. */
  readonly hasGuardian: (personId: string) => Promise<boolean>;
  /** The level a sign-in with one factor reaches. */
  readonly acr: string;
  readonly secure: boolean;
}

const DEVICE_COOKIE = 'device';
const DEVICE_SECONDS = 180 * 24 * 3600;

/** Whose secret is tried, under which name the attempt is counted, and what it is for. */
interface Target {
  readonly person: Person | undefined;
  readonly account: string;
  readonly clientId: string;
  /** The session that is proven again; undefined for a sign-in. */
  readonly sessionUid?: string;
  /** Who has this second account proven besides their own. */
  readonly provenBy?: string;
}

/**
 * One attempt to prove who one is: look-up, then limiter, then hash, then ledger. Every way to fail after the form of what was
 * typed is right takes the same look-ups and the same hash, and gives the same answer.
 */
export function createIdentify(sources: IdentifySources): Identify {
  const { identifiers, persons, passwords, attempts, challenges, devices, ledger, failures } = sources;
  const prove = async (
    ctx: Context,
    { person, account, clientId, sessionUid, provenBy }: Target,
    password: string,
  ): Promise<IdentifyOutcome> => {
    const secret = readCookie(ctx.get('cookie'), hostCookieName(DEVICE_COOKIE, sources.secure));
    const device = await devices.recognises(person?.id, secret);
    const attempt = { account, address: ctx.ip, ...(device === undefined ? {} : { knownDeviceDigest: device }) };
    const event = {
      personId: person?.id,
      clientId,
      sessionUid,
      address: ctx.ip,
      userAgent: ctx.get('user-agent'),
      correlation: String(ctx.state.requestId),
    };
    const { address, userAgent, correlation } = event;
    const refuse = async (reason: string, state: 'refused' | 'too_many'): Promise<IdentifyOutcome> => {
      const refusal: LedgerEvent = {
        ...event,
        type: 'sign-in.refused',
        outcome: 'failure',
        actor: 'anonymous',
        details: { reason, factor: 'password' },
      };
      await failures.record(refusal);
      return { state };
    };

    const allowance = await attempts.take(attempt);
    if (allowance === 'address_exhausted') return refuse('address_limit', 'too_many');
    const challenged = device === undefined && (await challenges.stands(person?.id, ctx.ip));
    if (allowance === 'account_exhausted' || challenged) {
      // The hash is spent all the same, so that a locked account takes as long as a wrong password (D9).
      if ((await passwords.verify(undefined, password)) === 'busy') return { state: 'busy' };
      return refuse(challenged ? 'challenged' : 'locked', 'refused');
    }
    const verdict = await passwords.verify(person?.id, password);
    if (verdict === 'busy') return { state: 'busy' };
    if (!person || verdict === 'mismatch') return refuse(person ? 'mismatch' : 'unknown', 'refused');
    if (person.status === 'closing') {
      await Promise.all([refuse('closing', 'refused'), attempts.succeeded(attempt)]);
      return { state: 'closing', personId: person.id };
    }
    if (person.status !== 'active') return refuse(person.status, 'refused');
    if ((person.fourteenAt ?? 0) > nowSeconds() && !(await sources.hasGuardian(person.id))) {
      await Promise.all([refuse('needs_guardian', 'refused'), attempts.succeeded(attempt)]);
      return { state: 'needs_guardian' };
    }

    const amr = ['pwd'];
    if (provenBy !== undefined) {
      await attempts.succeeded(attempt);
      const write = (tx: Transaction): Promise<void> =>
        ledger.append(tx, { ...event, type: 'account-merge.proven', details: { amr, with: provenBy } });
      return { state: 'proven', login: { personId: person.id, amr, acr: sources.acr, at: nowSeconds() }, write };
    }
    const [remembered] = await Promise.all([devices.remember(person.id, secret), attempts.succeeded(attempt)]);
    ctx.append(
      'set-cookie',
      writeCookie(DEVICE_COOKIE, remembered.secret, { secure: sources.secure, maxAgeSeconds: DEVICE_SECONDS }),
    );
    const write = async (tx: Transaction): Promise<void> => {
      await remembered.write(tx);
      await sources.alongside(tx, person.id, { address, userAgent, correlation });
      const details = { amr, acr: sources.acr, device: device === undefined ? 'new' : 'known' };
      await ledger.append(tx, {
        ...event,
        type: sessionUid === undefined ? 'sign-in.succeeded' : 'sign-in.renewed',
        details,
      });
    };
    return { state: 'proven', login: { personId: person.id, amr, acr: sources.acr, at: nowSeconds() }, write };
  };

  return {
    async withPassword(ctx, { identifier, password, clientId }) {
      const resolved = await identifiers.resolve(identifier);
      if (resolved === undefined) return { state: 'identifier_form' };
      return prove(ctx, { ...resolved, clientId }, password);
    },
    async other(ctx, { personId, identifier, password, clientId }) {
      const resolved = await identifiers.resolve(identifier);
      if (resolved === undefined) return { state: 'identifier_form' };
      return prove(ctx, { ...resolved, clientId, provenBy: personId }, password);
    },
    async again(ctx, { personId, sessionUid, password, clientId }) {
      const person = await persons.find(personId);
      if (person === undefined) return { state: 'refused' };
      return prove(ctx, { person, account: personId, clientId, sessionUid }, password);
    },
  };
}
