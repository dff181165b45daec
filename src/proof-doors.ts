import type { Context } from 'koa';
import { ACCOUNT_CENTRE } from './account-centre/entrances.ts';
import type { ProofDoors, ProvenAgain, Stale } from './account-centre/proving.ts';
import type { House } from './app.ts';
import type { Identifying } from './identify-doors.ts';
import { nowSeconds } from './shared/clock.ts';
import { Fault } from './shared/fault.ts';
import type { Admission, Admitted } from './sign-in/admission.ts';
import { nextStep } from './sign-in/ceremony.ts';
import type { Interactions, Login } from './sign-in/interactions.ts';
import { ALLOWED, type Asked, type Ladder } from './sign-in/ladder.ts';
import type { Proof } from './sign-in/levels.ts';
import type { Transaction } from './storage/database.ts';
import { usableFactors } from './web/factor-choice.ts';
import type { FormTokens } from './web/form-tokens.ts';

/** What the account centre demands of a session before something sensitive. */
const OWN_PAGE: Asked = {
  prompt: 'login',
  startedBy: undefined,
  expectsOther: false,
  wantsSwitch: false,
  waived: false,
  risk: ALLOWED,
  address: '',
  demand: {
    minimum: 1,
    countsIdentity: false,
    levels: [],
    essential: false,
    maxAgeSeconds: undefined,
    prompts: [],
    asksOwner: true,
    bindsFactors: true,
    staffOnly: false,
  },
};

/** By what a person proves again who they are. */
export interface Proving extends Identifying {
  readonly interactions: Interactions;
  readonly admission: Admission;
  readonly ladder: Ladder;
  readonly formTokens: Pick<FormTokens, 'browserOf'>;
}

/** Whose session it is, and what it rests on. */
interface Held {
  readonly personId: string;
  readonly proofs: readonly Proof[];
}

/** How the account centre proves again who holds a session: by the ways, the limits and the record of signing in. */
export function proofDoors(house: House, proving: Proving): ProofDoors {
  const { database, persons } = house;
  const { interactions, identify, identifyPasskey, identifyCertificate, admission, ladder, formTokens } = proving;
  const freshSeconds = house.config.account.freshProofSeconds;

  /** A factor that was bound a moment ago need not be given again; it was shown to work. */
  const staleIn = async ({ personId, proofs }: Held): Promise<Stale | undefined> => {
    const settled = nowSeconds() - freshSeconds;
    const held = (await house.boundFactors.list(personId)).filter(({ boundAt }) => boundAt < settled);
    const asked = { ...OWN_PAGE, startedBy: personId, demand: { ...OWN_PAGE.demand, maxAgeSeconds: freshSeconds } };
    const ceremony = await ladder.ceremonyOf(asked, { personId, ial: 0, here: [], before: proofs });
    // An old password still says who somebody is: on these pages they can change it.
    const account = { ...ceremony.account, bound: held.map(({ kind }) => kind), passwordIsOutdated: false };
    const step = nextStep({ ...ceremony, account });
    if (step.state === 'second_factor') return { what: 'second_factor', kinds: step.kinds };
    if (step.state !== 'identify') return undefined;
    const isGiven = proofs.some(({ factor, at }) => factor === 'certificate' && at >= settled);
    return { what: 'proof', ...(isGiven ? { beside: 'certificate' } : {}) };
  };

  /** The session goes on with what was proven again. `at` is since when they are who they are. */
  const goOn = async (
    ctx: Context,
    sessionUid: string,
    { person, proof, write }: Pick<Admitted, 'person' | 'proof' | 'write'>,
    at: number,
  ): Promise<ProvenAgain | { readonly state: 'ended' }> => {
    const before = (await interactions.currentPerson(ctx))?.proofs ?? [];
    const proofs = [...before.filter(({ factor }) => factor !== proof.factor), proof];
    const stale = await staleIn({ personId: person.id, proofs });
    const remember = await admission.complete(ctx, {
      person,
      clientId: ACCOUNT_CENTRE,
      sessionUid,
      here: [proof],
      before,
      isWhole: stale === undefined,
    });
    const login: Login = { personId: person.id, proofs: [proof], at };
    const isRenewed = await interactions.provenAgain(ctx, login, async (tx: Transaction) => {
      await write(tx);
      await remember(tx);
    });
    return isRenewed ? { state: 'proven', stale } : { state: 'ended' };
  };
  const renew = async (ctx: Context, sessionUid: string, admitted: Admitted) => {
    await admitted.settle();
    return goOn(ctx, sessionUid, admitted, admitted.proof.at);
  };

  return {
    async currentPerson(ctx) {
      const signedIn = await interactions.currentPerson(ctx);
      return signedIn && { ...signedIn, stale: await staleIn(signedIn) };
    },
    async proveAgain(ctx, { personId, sessionUid }, password) {
      const outcome = await identify.again(ctx, { personId, sessionUid, password, clientId: ACCOUNT_CENTRE });
      if (outcome.state === 'identifier_form' || outcome.state === 'unproven') return { state: 'refused' };
      if (outcome.state === 'closing' || outcome.state === 'needs_guardian') return { state: 'ended' };
      if (outcome.state !== 'proven') return { state: outcome.state };
      return renew(ctx, sessionUid, outcome);
    },
    async provePasskey(ctx, { personId, sessionUid }, assertion, bound) {
      const again = { personId, sessionUid };
      const outcome = await identifyPasskey.withPasskey(ctx, { assertion, bound, clientId: ACCOUNT_CENTRE, again });
      if (outcome.state === 'closing' || outcome.state === 'needs_guardian') return { state: 'ended' };
      if (outcome.state === 'too_many') return { state: outcome.state };
      if (outcome.state !== 'proven') return { state: 'passkey_refused' };
      return renew(ctx, sessionUid, outcome);
    },
    async proveCertificate(ctx, { personId, sessionUid }, { challenge, answer }, bound) {
      const attempt = { bound, challenge, answer, clientId: ACCOUNT_CENTRE, again: { personId, sessionUid } };
      const outcome = await identifyCertificate.withCertificate(ctx, attempt);
      if (outcome.state === 'closing' || outcome.state === 'needs_guardian') return { state: 'ended' };
      if (outcome.state === 'too_many') return { state: outcome.state };
      if (outcome.state !== 'proven') return { state: `certificate_${outcome.state}` };
      return renew(ctx, sessionUid, outcome);
    },
    async secondFactors({ personId, stale }) {
      return stale?.what === 'second_factor' ? usableFactors(personId, ladder.factors, stale.kinds) : [];
    },
    async factorUse(ctx, { personId, sessionUid }, ticket) {
      return {
        personId,
        binding: `${sessionUid} ${ticket}`,
        browser: formTokens.browserOf(ctx),
        address: ctx.ip,
        device: await admission.knownDevice(ctx, personId),
        origin: house.config.issuer,
        userAgent: ctx.get('user-agent'),
        correlation: String(ctx.state.requestId),
      };
    },
    async proveSecond(ctx, { personId, sessionUid, at }, { factor, use, entered }) {
      const person = await persons.find(personId);
      if (person?.status !== 'active') return { state: 'ended' };
      const verdict = await factor.verify(use, entered);
      if (verdict.state !== 'proven') {
        await admission.refuse(ctx, {
          personId,
          clientId: ACCOUNT_CENTRE,
          sessionUid,
          factor: factor.kind,
          reason: verdict.state,
          step: 'second',
        });
        return { state: verdict.state === 'astray' ? 'astray' : 'refused' };
      }
      const proof = { factor: factor.kind, strength: factor.strength, amr: [...verdict.amr], at: nowSeconds() };
      const write = async (tx: Transaction): Promise<void> => {
        if (!(await verdict.write(tx))) throw new Fault('proof_spent', 'a proof was given twice');
      };
      return goOn(ctx, sessionUid, { person, proof, write }, at);
    },
    async proveOther(ctx, { personId }, identifier, password) {
      const outcome = await identify.other(ctx, { personId, identifier, password, clientId: ACCOUNT_CENTRE });
      const isShut = outcome.state === 'closing' || outcome.state === 'needs_guardian';
      if (isShut || outcome.state === 'unproven') return { state: 'refused' };
      if (outcome.state !== 'proven') return { state: outcome.state };
      await outcome.settle();
      await database.write(outcome.write);
      return { state: 'proven', personId: outcome.person.id };
    },
  };
}
