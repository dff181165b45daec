import type { Context } from 'koa';
import type { Attempt, Attempts } from '../factors/attempts.ts';
import type { Failures } from '../ledger/flood.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { KnownDevices } from '../people/known-devices.ts';
import type { Person } from '../people/person.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { Transaction } from '../storage/database.ts';
import { hostCookieName, readCookie, writeCookie } from '../web/cookies.ts';
import type { Login } from './interactions.ts';

/** From where a proof was given. */
export type Visit = Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'>;

/** Somebody whose secret was right, whichever it was. */
export interface Proven {
  readonly person: Person;
  readonly clientId: string;
  /** The session that is proven again; undefined for a sign-in. */
  readonly sessionUid?: string | undefined;
  /** The name of the factor in the ledger. */
  readonly factor: string;
  /** RFC 8176 names. */
  readonly amr: readonly string[];
  /** What it was counted under: that starts anew. It also says whether this is a device of theirs. */
  readonly attempt: Attempt;
  /** Who has this second account proven besides their own: nothing begins then, and the browser is not remembered. */
  readonly provenBy?: string | undefined;
  /** What the factor itself writes with the sign-in; false when somebody else spent the same proof meanwhile. */
  readonly write?: (tx: Transaction) => Promise<boolean>;
}

/** What becomes of somebody who has proven who they are. */
export type AdmissionOutcome =
  | {
      readonly state: 'proven';
      readonly login: Login;
      /** What belongs to this sign-in, to be written with it: the ledger's event and the known device. */
      readonly write: (tx: Transaction) => Promise<void>;
    }
  /** The account is being closed: nothing but keeping it is left to them. */
  | { readonly state: 'closing'; readonly personId: string }
  /** Under 14 a guardian must stand for them (Personal Information Protection Law, article 31). */
  | { readonly state: 'needs_guardian' }
  | { readonly state: 'refused' };

/** The last part of every way to sign in: whether the account is open, and what is remembered of the browser. */
export interface Admission {
  /** The digest of this browser, where the person has signed in with it before. */
  knownDevice(ctx: Context, personId: string | undefined): Promise<string | undefined>;
  admit(ctx: Context, proven: Proven): Promise<AdmissionOutcome>;
  /** Tells the ledger of a proof that did not count. */
  refuse(ctx: Context, refusal: Refusal): Promise<void>;
}

export interface Refusal {
  readonly personId: string | undefined;
  readonly clientId: string;
  readonly sessionUid?: string | undefined;
  readonly factor: string;
  readonly reason: string;
}

export interface AdmissionSources {
  readonly attempts: Attempts;
  readonly devices: KnownDevices;
  /** What else a sign-in brings about, in its transaction: whatever waits to replace the password is stopped. */
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

const visitOf = (ctx: Context): Required<Visit> => ({
  address: ctx.ip,
  userAgent: ctx.get('user-agent'),
  correlation: String(ctx.state.requestId),
});

export function createAdmission(sources: AdmissionSources): Admission {
  const { attempts, devices, ledger, failures, secure } = sources;
  const secretOf = (ctx: Context): string | undefined =>
    readCookie(ctx.get('cookie'), hostCookieName(DEVICE_COOKIE, secure));

  const refuse: Admission['refuse'] = async (ctx, { personId, clientId, sessionUid, factor, reason }) => {
    await failures.record({
      ...visitOf(ctx),
      personId,
      clientId,
      sessionUid,
      type: 'sign-in.refused',
      outcome: 'failure',
      actor: 'anonymous',
      details: { reason, factor },
    });
  };

  /** Why an account that was proven is not open; undefined where it is. */
  const hindrance = async ({ id, status, fourteenAt }: Person): Promise<string | undefined> => {
    if (status !== 'active') return status;
    return (fourteenAt ?? 0) > nowSeconds() && !(await sources.hasGuardian(id)) ? 'needs_guardian' : undefined;
  };

  const spend = async (tx: Transaction, { write }: Proven): Promise<void> => {
    if (write !== undefined && !(await write(tx))) throw new Fault('ceremony_expired', 'a proof was given twice');
  };

  const merging = async (ctx: Context, proven: Proven): Promise<(tx: Transaction) => Promise<void>> => {
    const { person, clientId, amr, provenBy = '' } = proven;
    await attempts.succeeded(proven.attempt);
    return async (tx) => {
      await spend(tx, proven);
      const event = { ...visitOf(ctx), personId: person.id, clientId };
      await ledger.append(tx, { ...event, type: 'account-merge.proven', details: { amr, with: provenBy } });
    };
  };

  const beginning = async (
    ctx: Context,
    proven: Proven,
    { amr, acr }: Login,
  ): Promise<(tx: Transaction) => Promise<void>> => {
    const { person, clientId, sessionUid } = proven;
    const secret = secretOf(ctx);
    const [remembered, settle] = await Promise.all([
      devices.remember(person.id, secret),
      attempts.succeeding(proven.attempt),
    ]);
    ctx.append('set-cookie', writeCookie(DEVICE_COOKIE, remembered.secret, { secure, maxAgeSeconds: DEVICE_SECONDS }));
    return async (tx) => {
      await spend(tx, proven);
      await settle(tx);
      await remembered.write(tx);
      await sources.alongside(tx, person.id, visitOf(ctx));
      await ledger.append(tx, {
        ...visitOf(ctx),
        personId: person.id,
        clientId,
        sessionUid,
        type: sessionUid === undefined ? 'sign-in.succeeded' : 'sign-in.renewed',
        details: { amr, acr, device: proven.attempt.knownDeviceDigest === undefined ? 'new' : 'known' },
      });
    };
  };

  return {
    knownDevice: (ctx, personId) => devices.recognises(personId, secretOf(ctx)),
    refuse,
    async admit(ctx, proven) {
      const { person, clientId, sessionUid, factor, attempt } = proven;
      const reason = await hindrance(person);
      if (reason !== undefined) {
        const told = refuse(ctx, { personId: person.id, clientId, sessionUid, factor, reason });
        if (reason !== 'closing' && reason !== 'needs_guardian') {
          await told;
          return { state: 'refused' };
        }
        await Promise.all([told, attempts.succeeded(attempt)]);
        return reason === 'closing' ? { state: 'closing', personId: person.id } : { state: 'needs_guardian' };
      }
      const login: Login = { personId: person.id, amr: proven.amr, acr: sources.acr, at: nowSeconds() };
      const write = proven.provenBy === undefined ? await beginning(ctx, proven, login) : await merging(ctx, proven);
      return { state: 'proven', login, write };
    },
  };
}
