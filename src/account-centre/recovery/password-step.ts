import type { Context } from 'koa';
import { z } from 'zod';
import type { PreparedPassword } from '../../factors/password.ts';
import { judgePassword } from '../../factors/password-policy.ts';
import type { PersonProfile } from '../../people/person.ts';
import type { Recovery } from '../../people/recoveries.ts';
import { Fault } from '../../shared/fault.ts';
import type { FormProblem } from '../../web/pages-enrol.ts';
import { visitOf } from '../account-form.ts';
import { atAddress, strangerForm } from '../stranger-form.ts';
import type { RecoverySources } from './recovery-sources.ts';
import {
  FIELDS,
  PURPOSE,
  queryOf,
  recoveryAt,
  refusal,
  STEPS,
  signInAfter,
  stop,
  tokenFor,
  waitingIn,
} from './steps.ts';

const FORM = z.strictObject({
  ...FIELDS,
  // Longer than any password may be, so that the policy answers instead of the parser (D1).
  password: z.string().max(4096),
  passwordAgain: z.string().max(4096),
});

const ORIGIN = 'recovery';
const UNFREEZE_REASON = 'proven again by the register and a code to the verified number';

/** The pause: until when, and how to stop it. */
export async function showWaiting(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover-waiting';
  const waiting = waitingIn(ctx);
  const recovery = await recoveryAt(ctx, 'waiting', waiting, sources);
  if (!recovery) return;
  sources.renderer.page(ctx, 'recover-waiting', { until: recovery.waitsUntil, signInUrl: signInAfter(waiting) });
}

export async function showPassword(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover-password';
  const waiting = waitingIn(ctx);
  if (await recoveryAt(ctx, 'password', waiting, sources)) render(ctx, waiting, sources);
}

function render(ctx: Context, waiting: string | undefined, sources: RecoverySources, problem?: FormProblem): void {
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, STEPS.password, queryOf(waiting)) : ctx,
    'recover-password',
    {
      action: STEPS.password,
      formToken: tokenFor(ctx, sources),
      passwordCharactersMin: sources.passwordPolicy.minLength,
      ...(waiting === undefined ? {} : { continueWith: waiting }),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

export async function postPassword(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover-password';
  const { values } = await strangerForm(ctx, FORM, PURPOSE, sources);
  const { continue: waiting } = values;
  const recovery = await recoveryAt(ctx, 'password', waiting, sources);
  if (!recovery) return;
  const profile = await sources.persons.profile(recovery.personId ?? '');
  // Whatever happened to the account since the proof: only one that is open, or frozen and proven anew, gets a password.
  const mayFinish = profile?.status === 'active' || (profile?.status === 'frozen' && recovery.route === 'proofing');
  if (!profile || !mayFinish) {
    const { route, personId } = recovery;
    await refusal(ctx, { route, reason: profile?.status ?? 'unknown', personId }, sources);
    return stop(ctx, 'lost', waiting, sources);
  }
  const problem = await problemOf(values, profile, sources);
  if (problem) return render(ctx, waiting, sources, problem);
  const memory = await sources.passwords.isReused(profile.id, values.password);
  if (memory === 'reused') return render(ctx, waiting, sources, { field: 'password', code: 'password_reused' });
  if (memory === 'busy') throw new Fault('overloaded', undefined, { retryAfterSeconds: 3 });
  const prepared = await sources.passwords.prepare(values.password);
  if (prepared === 'busy') throw new Fault('overloaded', undefined, { retryAfterSeconds: 3 });
  if (!(await complete(ctx, recovery, profile, prepared, sources))) {
    await recoveryAt(ctx, 'code', waiting, sources);
    return;
  }
  sources.renderer.page(
    atAddress(ctx, STEPS.password, queryOf(waiting)),
    'recover-done',
    { signInUrl: signInAfter(waiting) },
    { status: 200 },
  );
}

/** False when somebody has stopped it, or finished it, in the meantime. */
async function complete(
  ctx: Context,
  recovery: Recovery,
  { id, status }: PersonProfile,
  prepared: PreparedPassword,
  sources: RecoverySources,
): Promise<boolean> {
  const { database, recoveries, passwords, devices, trustedDevices, ledger, notices, persons, attempts, endSessions } =
    sources;
  const visit = visitOf(ctx);
  // Before and after: a crash in between must not leave a stranger's session beside the new password.
  await endSessions(id, visit);
  const isMine = await database.write(async (tx) => {
    if (!(await recoveries.complete(tx, recovery))) return false;
    await passwords.store(tx, id, prepared, ORIGIN, visit);
    await devices.forgetAllIn(tx, id);
    await trustedDevices.revokeAllIn(tx, id, 'password_recovered', visit);
    const details = { route: recovery.route };
    await ledger.append(tx, { ...visit, type: 'recovery.completed', personId: id, details });
    await notices.tell(tx, id, 'recovery-completed', {});
    return true;
  });
  if (!isMine) return false;
  await endSessions(id, visit);
  if (status === 'frozen') await persons.unfreeze(id, ORIGIN, UNFREEZE_REASON);
  await attempts.succeeded({ account: id, address: ctx.ip });
  sources.wakeOutbox();
  return true;
}

async function problemOf(
  { password, passwordAgain }: z.infer<typeof FORM>,
  { idNumber, birthDate, name, phone, email }: PersonProfile,
  { passwords, passwordPolicy, contextWords: words }: RecoverySources,
): Promise<FormProblem | undefined> {
  if (password !== passwordAgain) return { field: 'passwordAgain', code: 'passwords_differ' };
  const known = { idNumber, birthDate, name, phone, email, words, breached: await passwords.isBreached(password) };
  const verdict = judgePassword(password, passwordPolicy, known);
  return verdict.ok ? undefined : { field: 'password', code: `password_${verdict.reason}` };
}
