import type { Context } from 'koa';
import { z } from 'zod';
import type { PasswordFactor } from '../factors/password.ts';
import { judgePassword, type PasswordLengths } from '../factors/password-policy.ts';
import { Fault } from '../shared/fault.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { NewPasswordProblem } from '../web/pages-ladder.ts';
import type { Visit } from './admission.ts';
import type { CeremonyRequest } from './interactions.ts';
import {
  advance,
  faultOf,
  formOf,
  frame,
  localesOf,
  originOf,
  profileOf,
  requestOf,
  type SignInSources,
  standingOf,
} from './step.ts';

/** What a new password is made by; the composition root hands it in. */
export interface PasswordRenewal {
  readonly passwords: Pick<
    PasswordFactor,
    'changedAt' | 'isBreached' | 'isOutdated' | 'isReused' | 'prepare' | 'store'
  >;
  readonly lengths: PasswordLengths;
  /** How old a password may be here, in days, for the page to say. */
  readonly ageDaysFor: (asStaff: boolean) => number;
  /** Names of the service: no password leans on them. */
  readonly contextWords: readonly string[];
  readonly database: Database;
  /** Ends everything that was opened with the password of before, but for the session of this browser. */
  readonly endOthers: (personId: string, keptUid: string, visit: Visit) => Promise<void>;
  /** Tells the person that their password was changed. */
  readonly tell: (tx: Transaction, personId: string) => Promise<void>;
}

// Longer than any password may be, so that the policy answers instead of the parser (D1).
const typed = z.string().max(4096);
const FORM = z.strictObject({ form_token: z.string().max(128), newPassword: typed, newPasswordAgain: typed });
const ORIGIN = 'sign-in';

/** Asks for another password of somebody whose own has grown too old, and who has just given it. */
export async function showRenewPassword(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  problem?: NewPasswordProblem,
): Promise<void> {
  const { portal, formToken } = await frame(ctx, request, sources);
  const { lengths, ageDaysFor } = sources.renewal;
  if (problem?.code === 'busy') ctx.set('retry-after', '3');
  sources.renderer.page(
    ctx,
    'new-password',
    {
      action: `/interaction/${request.uid}/new-password`,
      cancelAction: `/interaction/${request.uid}/cancel`,
      formToken,
      portal,
      passwordCharactersMin: lengths.minLength,
      ageDays: ageDaysFor(request.demand.staffOnly),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? (problem.code === 'busy' ? 503 : 400) : 200, ...localesOf(request) },
  );
}

/**
 * Takes the new password. The old one was given for this very request, so it is not asked again (D2). It is stored before the sign-in goes on,
 * which then stands on an account whose password is young.
 */
export async function postRenewPassword(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const values = await formOf(ctx, FORM, sources);
  const { step, climber, signedIn } = await standingOf(ctx, request, sources);
  if (step.state === 'refuse') throw new Fault(faultOf(step.reason), `the ceremony cannot go on: ${step.reason}`);
  const { pending } = request;
  if (step.state !== 'renew_password' || climber === undefined || pending === undefined) {
    throw new Fault('ceremony_expired', 'a new password was given that nobody had asked for');
  }
  const { personId } = climber;
  const { passwords, database, endOthers, tell } = sources.renewal;
  const problem = await problemOf(values, personId, sources);
  if (problem) return showRenewPassword(ctx, request, sources, problem);
  const prepared = await passwords.prepare(values.newPassword);
  if (prepared === 'busy') return showRenewPassword(ctx, request, sources, { code: 'busy' });
  const proven = pending.proofs.find(({ secretSince }) => secretSince !== undefined)?.secretSince;
  const { clientId: _portal, ...visit } = originOf(ctx, request);
  const keptUid = signedIn?.personId === personId ? signedIn.sessionUid : '';
  // Before and after: a crash in between must not leave a stranger's session beside the new password (C11).
  await endOthers(personId, keptUid, visit);
  await database.write(async (tx) => {
    await passwords.store(tx, personId, prepared, ORIGIN, {
      ...visit,
      ...(proven === undefined ? {} : { insteadOf: proven }),
    });
    await sources.trustedDevices.revokeAllIn(tx, personId, 'password_changed', visit);
    await tell(tx, personId);
  });
  await endOthers(personId, keptUid, visit);
  sources.wakeOutbox();
  sources.interactions.lookAnew(request, personId);
  const secretSince = await passwords.changedAt(personId);
  const proofs = pending.proofs.map((proof) =>
    proof.secretSince === undefined || secretSince === undefined ? proof : { ...proof, secretSince },
  );
  await advance(ctx, request, sources, { proven: { ...pending, proofs } });
}

/** What is wrong with it, or undefined. Whether it was used before is asked last: that costs hashes. */
async function problemOf(
  { newPassword, newPasswordAgain }: z.infer<typeof FORM>,
  personId: string,
  sources: SignInSources,
): Promise<NewPasswordProblem | undefined> {
  const { passwords, lengths, contextWords: words } = sources.renewal;
  if (newPassword !== newPasswordAgain) return { field: 'newPasswordAgain', code: 'passwords_differ' };
  const { idNumber, birthDate, phone, name, email } = await profileOf(personId, sources);
  const known = { idNumber, birthDate, phone, name, email, words, breached: await passwords.isBreached(newPassword) };
  const verdict = judgePassword(newPassword, lengths, known);
  if (!verdict.ok) return { field: 'newPassword', code: `password_${verdict.reason}` };
  const memory = await passwords.isReused(personId, newPassword);
  if (memory === 'busy') return { code: 'busy' };
  return memory === 'reused' ? { field: 'newPassword', code: 'password_reused' } : undefined;
}
