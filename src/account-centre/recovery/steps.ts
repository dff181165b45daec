import type { Context } from 'koa';
import { z } from 'zod';
import type { Passage } from '../../defence/gate.ts';
import type { Recovery, RecoveryRoute } from '../../people/recoveries.ts';
import { nowSeconds } from '../../shared/clock.ts';
import type { Transaction } from '../../storage/database.ts';
import { ceremonyAddress, ceremonyId } from '../../web/ceremony-address.ts';
import { hostCookieName, readCookie, writeCookie } from '../../web/cookies.ts';
import { showTime } from '../../web/language.ts';
import { goTo, visitOf } from '../account-form.ts';
import { RECOVER } from '../entrances.ts';
import type { RecoverySources } from './recovery-sources.ts';

export const PURPOSE = 'recover';
export const STEPS = {
  code: `${RECOVER}/code`,
  withCode: `${RECOVER}/with-code`,
  waiting: `${RECOVER}/waiting`,
  password: `${RECOVER}/password`,
} as const;

/** What every form has; `continue` is the sign-in that waits. */
export const FIELDS = { form_token: z.string().max(128), continue: ceremonyId.optional() };

const COOKIE = 'recovery';
const DEVICE_COOKIE = 'device';
const MARGIN_SECONDS = 3600;

export const queryOf = (waiting: string | undefined): Record<string, string> =>
  waiting === undefined ? {} : { continue: waiting };

/** An address of recovery that keeps the way back to the waiting sign-in. */
export const to = (page: string, waiting: string | undefined): string =>
  waiting === undefined ? page : `${page}?${new URLSearchParams(queryOf(waiting))}`;

export const signInAfter = (waiting: string | undefined): string =>
  waiting === undefined ? '/account' : ceremonyAddress(waiting);

export function waitingIn(ctx: Context): string | undefined {
  const parsed = ceremonyId.safeParse(ctx.query.continue);
  return parsed.success ? parsed.data : undefined;
}

export const tokenFor = (ctx: Context, { formTokens }: RecoverySources): string =>
  formTokens.issue(formTokens.browserOf(ctx), PURPOSE);

/** The recovery of this browser, whatever has become of it. */
export const recoveryOf = (ctx: Context, { recoveries, secure }: RecoverySources): Promise<Recovery | undefined> =>
  recoveries.find(readCookie(ctx.get('cookie'), hostCookieName(COOKIE, secure)));

export function keepRecovery(ctx: Context, secret: string, sources: RecoverySources): void {
  const { secure, waitSeconds, finishSeconds } = sources;
  const maxAgeSeconds = waitSeconds + finishSeconds + MARGIN_SECONDS;
  ctx.append('set-cookie', writeCookie(COOKIE, secret, { secure, maxAgeSeconds }));
}

/** The digest of this browser, if the person has signed in with it before: it keeps an allowance of its own (D8). */
export const deviceOf = (
  ctx: Context,
  personId: string | undefined,
  { devices, secure }: RecoverySources,
): Promise<string | undefined> =>
  devices.recognises(personId, readCookie(ctx.get('cookie'), hostCookieName(DEVICE_COOKIE, secure)));

/** Whether a stranger under suspicion comes without the work that is asked for; whoever's own device it is, is asked for none. */
export const isUnproven = async (
  ctx: Context,
  personId: string | undefined,
  passage: Passage,
  sources: RecoverySources,
): Promise<boolean> =>
  (await deviceOf(ctx, personId, sources)) === undefined && (await sources.gate.judge(ctx.ip, passage)) === 'unproven';

export const refusal = async (
  ctx: Context,
  {
    route,
    reason,
    personId,
  }: { readonly route: RecoveryRoute; readonly reason: string; readonly personId?: string | undefined },
  { failures, gate }: RecoverySources,
): Promise<void> => {
  const refused = {
    ...visitOf(ctx),
    personId,
    type: 'recovery.refused',
    outcome: 'failure',
    actor: 'anonymous',
    details: { route, reason },
  } as const;
  await Promise.all([gate.failed(ctx.ip), failures.record(refused)]);
};

/** Kindly tells somebody that there is nothing to go on with here, and what to do. */
export function stop(
  ctx: Context,
  reason: 'lost' | 'cancelled' | 'second_factor',
  waiting: string | undefined,
  { renderer }: RecoverySources,
): void {
  renderer.page(
    ctx,
    'recover-stopped',
    { reason, startUrl: to(RECOVER, waiting), signInUrl: signInAfter(waiting) },
    { status: reason === 'lost' ? 410 : 409 },
  );
}

/** Where a recovery stands: the page to go on at, or why it cannot go on. */
export const placeOf = (recovery: Recovery | undefined): keyof typeof STEPS | 'lost' | 'cancelled' => {
  if (recovery === undefined || recovery.state === 'completed') return 'lost';
  if (recovery.state === 'cancelled') return 'cancelled';
  if (recovery.state === 'begun') return 'code';
  return recovery.waitsUntil > nowSeconds() ? 'waiting' : 'password';
};

/**
 * The recovery of this browser if it stands at `step`; otherwise the browser is led to where it stands, or told that it is over, and
 * the result is undefined (V3).
 */
export async function recoveryAt(
  ctx: Context,
  step: keyof typeof STEPS,
  waiting: string | undefined,
  sources: RecoverySources,
): Promise<Recovery | undefined> {
  const recovery = await recoveryOf(ctx, sources);
  const place = placeOf(recovery);
  if (place === step) return recovery;
  if (ctx.method === 'POST')
    await refusal(
      ctx,
      {
        route: recovery?.route ?? 'proofing',
        reason: recovery ? 'out_of_order' : 'no_recovery',
        personId: recovery?.personId,
      },
      sources,
    );
  if (place === 'lost' || place === 'cancelled') stop(ctx, place, waiting, sources);
  else goTo(ctx, to(STEPS[place], waiting));
  return undefined;
}

/** Begins the pause of a proven recovery and tells the person everywhere; false when it has changed meanwhile. */
export async function prove(
  ctx: Context,
  tx: Transaction,
  { id, personId, route }: { readonly id: string; readonly personId: string; readonly route: RecoveryRoute },
  { recoveries, ledger, notices, waitSeconds }: RecoverySources,
): Promise<boolean> {
  if (!(await recoveries.prove(tx, id))) return false;
  const details = { route, seconds: waitSeconds };
  await ledger.append(tx, { ...visitOf(ctx), type: 'recovery.waiting', personId, details });
  // Without a pause there is nothing to stop: the person is told when it is done, a moment later.
  if (waitSeconds > 0)
    await notices.tell(tx, personId, 'recovery-begun', { time: showTime(nowSeconds() + waitSeconds, 'zh-CN') });
  return true;
}

/** The page after everything is proven. */
export const pageAfterProof = ({ waitSeconds }: RecoverySources): string =>
  waitSeconds > 0 ? STEPS.waiting : STEPS.password;
