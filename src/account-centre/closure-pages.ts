import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { Fault } from '../shared/fault.ts';
import { accountToken, visitOf } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm, provenVisitor } from './fresh-proof.ts';

const PAGE = '/account/close';
const CLOSE = z.strictObject({ form_token: z.string().max(128), agree: z.literal('yes').optional() });

/** Closing one's account: said plainly, asked for with a fresh proof, and waited for before anything is lost. */
export function addClosureRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showClose(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => postClose(ctx as unknown as Context, sources));
}

async function showClose(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-close';
  if (await provenVisitor(ctx, sources)) render(ctx, sources);
}

function render(
  ctx: Context,
  sources: AccountCentreSources,
  problem?: { readonly code: 'agree' | 'represents'; readonly companies?: readonly string[] },
): void {
  ctx.state.page = 'account-close';
  sources.renderer.page(
    ctx,
    'account-close',
    {
      action: PAGE,
      formToken: accountToken(ctx, sources),
      coolingDays: sources.closureCoolingDays,
      ...(problem === undefined ? {} : { problem: { code: problem.code, companies: problem.companies ?? [] } }),
    },
    { status: problem === undefined ? 200 : 400 },
  );
}

async function postClose(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-close';
  const form = await provenForm(ctx, CLOSE, sources);
  if (!form) return;
  if (form.values.agree !== 'yes') return render(ctx, sources, { code: 'agree' });
  const outcome = await sources.closures.ask(form.personId, { ...visitOf(ctx), origin: 'account' });
  if (outcome.outcome === 'represents') {
    return render(ctx, sources, { code: 'represents', companies: outcome.companies });
  }
  if (outcome.outcome === 'unchanged') throw new Fault('ceremony_expired', 'the account was not open any more');
  sources.reach.wakeOutbox();
  sources.renderer.page(ctx, 'account-close-done', { dueAt: outcome.closure.dueAt, homeUrl: '/' });
}
