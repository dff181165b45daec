import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { judgePassword } from '../factors/password-policy.ts';
import { Fault } from '../shared/fault.ts';
import type { PasswordChangeProblem } from '../web/pages-account.ts';
import { ACCOUNT_PURPOSE, accountForm, accountToken, goTo, visitOf, visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { isFresh, proofAddress } from './fresh-proof.ts';
import type { SignedIn } from './proving.ts';

const METHODS = '/account/methods';
const PAGE = `${METHODS}/password`;
// Longer than any password may be, so that the policy answers instead of the parser (D1).
const typed = z.string().max(4096);
const CHANGE = z.strictObject({
  form_token: z.string().max(128),
  /** The old one; of an account that has none the field is not there. */
  password: typed.optional(),
  newPassword: typed,
  newPasswordAgain: typed,
  /** Of a page that stood open since before all others ended in any case. */
  endOthers: z.literal('yes').optional(),
});

/** Changing the password with the old one, or setting the first after another fresh proof. */
export function addPasswordRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showPassword(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => postPassword(ctx as unknown as Context, sources));
}

async function showPassword(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const isFirst = await hasNone(visitor.personId, sources);
  if (isFirst && !isFresh(visitor)) return goTo(ctx, proofAddress(PAGE));
  showPasswordForm(ctx, sources, isFirst);
}

async function hasNone(personId: string, { passwords }: AccountCentreSources): Promise<boolean> {
  return (await passwords.changedAt(personId)) === undefined;
}

function showPasswordForm(
  ctx: Context,
  sources: AccountCentreSources,
  isFirst: boolean,
  problem?: PasswordChangeProblem,
): void {
  ctx.state.page = 'account-password';
  if (problem?.code === 'busy') ctx.set('retry-after', '3');
  if (problem?.code === 'too_many') ctx.set('retry-after', '60');
  const status = problem ? (STATUS[problem.code] ?? 400) : 200;
  sources.renderer.page(
    ctx,
    'account-password',
    {
      action: PAGE,
      formToken: accountToken(ctx, sources),
      passwordCharactersMin: sources.passwordPolicy.minLength,
      isFirst,
      ...(problem ? { problem } : {}),
    },
    { status },
  );
}

const PROVEN = { state: 'proven' } as const;
const STATUS: Readonly<Record<string, number>> = { refused: 401, too_many: 429, busy: 503 };

async function postPassword(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-password';
  const { values, person } = await accountForm(ctx, CHANGE, ACCOUNT_PURPOSE, sources);
  const { passwords, database, notices, doors } = sources;
  const isFirst = await hasNone(person.personId, sources);
  // A password is never kept in a page, so whoever took too long begins anew.
  if (isFirst && !isFresh(person)) return goTo(ctx, proofAddress(PAGE));
  const show = (problem: PasswordChangeProblem): void => showPasswordForm(ctx, sources, isFirst, problem);
  const wrong = await problemOfNew(values, person, sources);
  if (wrong) return show(wrong);
  const { changedAt: insteadOf } = await passwords.stored(person.personId);
  // The old password is judged last: what can be mended without it must cost no attempt.
  const { state } = isFirst ? PROVEN : await doors.proveAgain(ctx, person, values.password ?? '');
  if (state === 'ended') throw new Fault('ceremony_expired');
  if (state !== 'proven') return show(state === 'refused' ? { field: 'password', code: state } : { code: state });
  // Only now: whoever merely holds the session learns nothing of the passwords before.
  const memory = await passwords.isReused(person.personId, values.newPassword);
  if (memory === 'busy') return show({ code: memory });
  if (memory === 'reused') return show({ field: 'newPassword', code: 'password_reused' });
  const prepared = await passwords.prepare(values.newPassword);
  if (prepared === 'busy') return show({ code: 'busy' });
  // Before and after: a crash in between must not leave a stranger's session beside the new password (C11).
  const endOthers = () => doors.endEverythingElse(person.personId, person.sessionUid, visitOf(ctx));
  await endOthers();
  await database.write(async (tx) => {
    const how = { ...visitOf(ctx), ...(insteadOf === undefined ? {} : { insteadOf }) };
    await passwords.store(tx, person.personId, prepared, 'account', how);
    await sources.trustedDevices.revokeAllIn(tx, person.personId, 'password_changed', visitOf(ctx));
    await notices.tell(tx, person.personId, 'password-changed', {});
  });
  await endOthers();
  goTo(ctx, `${METHODS}?done=password`);
}

/** What is wrong with the new password by itself, or undefined. */
async function problemOfNew(
  { password, newPassword, newPasswordAgain }: z.infer<typeof CHANGE>,
  { personId }: SignedIn,
  { persons, passwords, passwordPolicy }: AccountCentreSources,
): Promise<PasswordChangeProblem | undefined> {
  const profile = await persons.profile(personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'the signed-in person may not act any more');
  if (newPassword !== newPasswordAgain) return { field: 'newPasswordAgain', code: 'passwords_differ' };
  if (newPassword === password) return { field: 'newPassword', code: 'password_unchanged' };
  const { idNumber, birthDate, phone, name, email } = profile;
  const breached = await passwords.isBreached(newPassword);
  const verdict = judgePassword(newPassword, passwordPolicy, { idNumber, birthDate, phone, name, email, breached });
  return verdict.ok ? undefined : { field: 'newPassword', code: `password_${verdict.reason}` };
}
