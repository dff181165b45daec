import type { Context } from 'koa';
import type { Attempt, Attempts } from '../factors/attempts.ts';
import type { Failures } from '../ledger/flood.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { KnownDevices } from '../people/known-devices.ts';
import type { FoundPerson } from '../people/person.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { Transaction } from '../storage/database.ts';
import { hostCookieName, readCookie, writeCookie } from '../web/cookies.ts';
import { acrOfLevel, authenticationLevel, type LevelRules, levelReached, type Proof } from './levels.ts';

/** From where a proof was given. */
export type Visit = Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'>;

/** Somebody whose secret was right, whichever it was. */
export interface Proven {
  readonly person: FoundPerson;
  readonly clientId: string;
  /** The session that is proven again; undefined for a sign-in. */
  readonly sessionUid?: string | undefined;
  readonly proof: Proof;
  /**
   * What it was counted under, exactly as it was taken: that starts anew. Undefined for a proof nobody has counted: to give a place back what was
   * never taken would make room for guesses (D7).
   */
  readonly attempt?: Attempt | undefined;
  /** Who has this second account proven besides their own: nothing begins then, and the browser is not remembered. */
  readonly provenBy?: string | undefined;
  /** What the factor itself writes with the sign-in; false when somebody else spent the same proof meanwhile. */
  readonly write?: (tx: Transaction) => Promise<boolean>;
}

/** What becomes of somebody who has proven who they are. */
export type AdmissionOutcome =
  | Admitted
  /** The account is being closed: nothing but keeping it is left to them. */
  | { readonly state: 'closing'; readonly personId: string }
  /** Under 14 a guardian must stand for them (Personal Information Protection Law, article 31). */
  | { readonly state: 'needs_guardian' }
  | { readonly state: 'refused' };

/** Whose account is open; whether the proof is enough is another question. */
export interface Admitted {
  readonly state: 'proven';
  readonly person: FoundPerson;
  readonly proof: Proof;
  /** To be awaited when nothing stands in the way any more, the circumstances neither, and before `write`. */
  settle(): Promise<void>;
  /** What belongs to the proof itself, in the transaction of whatever it allows. */
  readonly write: (tx: Transaction) => Promise<void>;
}

/** Everything that was asked for has been proven. */
export interface Complete {
  readonly person: FoundPerson;
  readonly clientId: string;
  /** For a session that is there already; undefined for a sign-in. */
  readonly sessionUid?: string | undefined;
  /** What has just been proven, and what the session held before. */
  readonly here: readonly Proof[];
  readonly before: readonly Proof[];
  /** False while another factor is still asked for: a session may begin, but the browser is nobody's yet. */
  readonly isWhole: boolean;
}

/** The last part of every way to sign in: whether the account is open, and what is remembered of the browser. */
export interface Admission {
  /** The digest of this browser, where the person has signed in with it before. */
  knownDevice(ctx: Context, personId: string | undefined): Promise<string | undefined>;
  admit(ctx: Context, proven: Proven): Promise<AdmissionOutcome>;
  /**
   * What it returns is written with the sign-in: the ledger's event, and the known device and its region once the sign-in is whole. Who has no
   * more than the password must not gain by it what a known browser has (V3, V32).
   */
  complete(ctx: Context, complete: Complete): Promise<(tx: Transaction) => Promise<void>>;
  /** Tells the ledger of a proof that did not count. */
  refuse(ctx: Context, refusal: Refusal): Promise<void>;
}

export interface Refusal {
  readonly personId: string | undefined;
  readonly clientId: string;
  readonly sessionUid?: string | undefined;
  readonly factor: string;
  readonly reason: string;
  /** Of a proof that was to stand beside another. */
  readonly step?: 'second';
}

export interface AdmissionSources {
  readonly attempts: Attempts;
  readonly devices: KnownDevices;
  /** What else a sign-in brings about, in its transaction: whatever waits to replace the password is stopped. Undefined where there is nothing. */
  readonly alongside: (personId: string) => Promise<((tx: Transaction, visit: Visit) => Promise<void>) | undefined>;
  /** Undoes the sign-in where the password was changed since it was proven. */
  readonly demandPassword: (tx: Transaction, personId: string, since: number) => void;
  /** Keeps where the person came from. */
  readonly rememberPlace: (tx: Transaction, personId: string, visit: Visit) => Promise<void>;
  readonly ledger: Ledger;
  readonly failures: Failures;
  /** Whether somebody stands as guardian for a person now. */
  readonly hasGuardian: (personId: string) => Promise<boolean>;
  readonly rules: LevelRules;
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
  const { attempts, devices, ledger, failures, rules, secure } = sources;
  const secretOf = (ctx: Context): string | undefined =>
    readCookie(ctx.get('cookie'), hostCookieName(DEVICE_COOKIE, secure));

  const refuse: Admission['refuse'] = async (ctx, { personId, clientId, sessionUid, ...details }) => {
    await failures.record({
      ...visitOf(ctx),
      personId,
      clientId,
      sessionUid,
      type: 'sign-in.refused',
      outcome: 'failure',
      actor: 'anonymous',
      details,
    });
  };

  /** Why an account that was proven is not open; undefined where it is. */
  const hindrance = async ({ id, status, fourteenAt }: FoundPerson): Promise<string | undefined> => {
    if (status !== 'active') return status;
    return (fourteenAt ?? 0) > nowSeconds() && !(await sources.hasGuardian(id)) ? 'needs_guardian' : undefined;
  };

  const admitted = (ctx: Context, { person, clientId, proof, provenBy, attempt, write }: Proven): Admitted => {
    const settling = attempt && attempts.succeeding(attempt);
    return {
      state: 'proven',
      person,
      proof,
      settle: async () => settling?.before(),
      async write(tx) {
        if (write !== undefined && !(await write(tx))) throw new Fault('proof_spent', 'a proof was given twice');
        await settling?.write(tx);
        if (provenBy === undefined) return;
        const event = { ...visitOf(ctx), personId: person.id, clientId };
        const details = { amr: [...proof.amr], with: provenBy };
        await ledger.append(tx, { ...event, type: 'account-merge.proven', details });
      },
    };
  };

  /** `known`: the digest of this browser, where it is one of theirs. */
  const remember = async (ctx: Context, personId: string, known: string | undefined) => {
    const { secret, write } = await devices.remember(personId, known === undefined ? undefined : secretOf(ctx), known);
    ctx.append('set-cookie', writeCookie(DEVICE_COOKIE, secret, { secure, maxAgeSeconds: DEVICE_SECONDS }));
    return async (tx: Transaction): Promise<void> => {
      await write(tx);
      await sources.rememberPlace(tx, personId, visitOf(ctx));
    };
  };

  return {
    knownDevice: (ctx, personId) => devices.recognises(personId, secretOf(ctx)),
    refuse,
    async admit(ctx, proven) {
      const { person, clientId, sessionUid, proof, attempt } = proven;
      const reason = await hindrance(person);
      if (reason === undefined) return admitted(ctx, proven);
      const told = refuse(ctx, { personId: person.id, clientId, sessionUid, factor: proof.factor, reason });
      if (reason !== 'closing' && reason !== 'needs_guardian') {
        await told;
        return { state: 'refused' };
      }
      await Promise.all([told, attempt && attempts.succeeded(attempt)]);
      return reason === 'closing' ? { state: 'closing', personId: person.id } : { state: 'needs_guardian' };
    },
    async complete(ctx, { person, clientId, sessionUid, here, before, isWhole }) {
      const [device, alongside] = await Promise.all([
        devices.recognises(person.id, secretOf(ctx)),
        sources.alongside(person.id),
      ]);
      const remembered = isWhole ? await remember(ctx, person.id, device) : undefined;
      const { table, weakCounts } = rules;
      const level = levelReached(table, person.ial, authenticationLevel([...before, ...here], weakCounts));
      const details = {
        amr: [...new Set(here.flatMap(({ amr }) => amr))],
        ...(level === undefined ? {} : { acr: acrOfLevel(level) }),
        device: device === undefined ? 'new' : 'known',
      };
      return async (tx) => {
        // Who changes their password ends every other session besides; what is just beginning they could not see.
        for (const { secretSince } of sessionUid === undefined ? here : []) {
          if (secretSince !== undefined) sources.demandPassword(tx, person.id, secretSince);
        }
        await remembered?.(tx);
        await alongside?.(tx, visitOf(ctx));
        await ledger.append(tx, {
          ...visitOf(ctx),
          personId: person.id,
          clientId,
          sessionUid,
          type: sessionUid === undefined ? 'sign-in.succeeded' : 'sign-in.renewed',
          details,
        });
      };
    },
  };
}
