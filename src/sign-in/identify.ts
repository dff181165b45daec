import type { Context } from 'koa';
import type { Gate, Passage } from '../defence/gate.ts';
import type { Attempts } from '../factors/attempts.ts';
import type { Challenges } from '../factors/challenges.ts';
import type { HashFor } from '../factors/hash-queue.ts';
import type { PasswordFactor, StoredPassword } from '../factors/password.ts';
import type { Identifiers } from '../people/identifiers.ts';
import type { FoundPerson } from '../people/person.ts';
import type { Persons } from '../people/persons.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Admission, AdmissionOutcome } from './admission.ts';
import type { Proof } from './levels.ts';

/** `refused` is one answer for unknown, wrong, locked, disabled and frozen: a stranger learns nothing from it (D9). */
export type IdentifyOutcome =
  | AdmissionOutcome
  /** `unproven`: under suspicion, and without the work a stranger is asked for; nothing was looked at. */
  | { readonly state: 'identifier_form' | 'unproven' | 'too_many' | 'busy' };

export interface Identify {
  withPassword(
    ctx: Context,
    input: {
      readonly identifier: string;
      readonly password: string;
      readonly clientId: string;
      readonly passage: Passage;
    },
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

export interface IdentifySources {
  readonly identifiers: Pick<Identifiers, 'resolve'>;
  readonly persons: Pick<Persons, 'find'>;
  readonly passwords: PasswordFactor;
  readonly attempts: Attempts;
  readonly challenges: Challenges;
  readonly admission: Admission;
  readonly gate: Pick<Gate, 'judge' | 'failed'>;
}

const FACTOR = 'password';

const passwordProof = ({ changedAt }: StoredPassword): Proof => ({
  factor: FACTOR,
  strength: 'knowledge',
  amr: ['pwd'],
  at: nowSeconds(),
  ...(changedAt === undefined ? {} : { secretSince: changedAt }),
});

/** Whose secret is tried, under which name the attempt is counted, and what it is for. */
interface Target {
  readonly person: FoundPerson | undefined;
  readonly account: string;
  readonly clientId: string;
  /** What a stranger has brought; undefined where somebody signed in asks. */
  readonly passage?: Passage;
  /** The session that is proven again; undefined for a sign-in. */
  readonly sessionUid?: string;
  /** Who has this second account proven besides their own. */
  readonly provenBy?: string;
}

/**
 * One attempt to prove who one is: look-up, then gate, then limiter, then hash, then ledger. Every way to fail after the form of what was
 * typed is right takes the same look-ups and the same hash, and gives the same answer.
 */
export function createIdentify(sources: IdentifySources): Identify {
  const { identifiers, persons, passwords, attempts, challenges, admission, gate } = sources;
  const prove = async (ctx: Context, target: Target, password: string): Promise<IdentifyOutcome> => {
    const { person, account, clientId, passage, sessionUid, provenBy } = target;
    const device = await admission.knownDevice(ctx, person?.id);
    const attempt = { account, address: ctx.ip, ...(device === undefined ? {} : { knownDeviceDigest: device }) };
    const refuse = async (reason: string, state: 'refused' | 'too_many'): Promise<IdentifyOutcome> => {
      const refusal = { personId: person?.id, clientId, sessionUid, factor: FACTOR, reason };
      await Promise.all([gate.failed(ctx.ip), admission.refuse(ctx, refusal)]);
      return { state };
    };

    // Before anything is counted against an account: whoever comes without the work has had no guess, and costs its owner none (D8).
    const isStranger = device === undefined && passage !== undefined;
    const verdictOfGate = isStranger ? await gate.judge(ctx.ip, passage) : 'proven';
    if (verdictOfGate === 'unproven') return { state: 'unproven' };
    // For whoever judges the circumstances: nobody asks the store for the same once more.
    if (isStranger) ctx.state.isSuspicious = verdictOfGate === 'proven';
    const who: HashFor = verdictOfGate === 'proven' ? 'known' : 'stranger';
    const allowance = await attempts.take(attempt);
    if (allowance === 'address_exhausted') return refuse('address_limit', 'too_many');
    // Begun together: to a store that is a way away they are one question.
    const [challenged, stored] = await Promise.all([
      device === undefined && challenges.stands(person?.id, ctx.ip),
      passwords.stored(person?.id),
    ]);
    if (allowance === 'account_exhausted' || challenged) {
      // The hash is spent all the same, so that a locked account takes as long as a wrong password (D9).
      if ((await passwords.verify(undefined, password, who, stored)) === 'busy') return { state: 'busy' };
      return refuse(challenged ? 'challenged' : 'locked', 'refused');
    }
    const verdict = await passwords.verify(person?.id, password, who, stored);
    if (verdict === 'busy') return { state: 'busy' };
    if (!person || verdict === 'mismatch') return refuse(person ? 'mismatch' : 'unknown', 'refused');
    // For whoever judges the circumstances: a list of leaked passwords that hits is no coincidence.
    ctx.state.passwordIsBreached = await passwords.isBreached(password);
    return admission.admit(ctx, { person, clientId, sessionUid, provenBy, proof: passwordProof(stored), attempt });
  };

  return {
    async withPassword(ctx, { identifier, password, clientId, passage }) {
      const resolved = await identifiers.resolve(identifier);
      if (resolved === undefined) return { state: 'identifier_form' };
      return prove(ctx, { ...resolved, clientId, passage }, password);
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
