import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { ChangeOutcome } from '../../legal-persons/mandate-changes.ts';
import { Fault } from '../../shared/fault.ts';
import { machineTime } from '../../web/language.ts';
import type { FieldProblem } from '../../web/pages-companies.ts';
import { ACCOUNT_PURPOSE, accountForm, accountToken, goTo, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenForm, provenVisitor } from '../fresh-proof.ts';
import { ownPage } from '../waiting-form.ts';
import { COMPANIES } from './list-page.ts';
import { dayAfter, endOfDay, mandateCards } from './mandate-cards.ts';

const MANDATES = '/account/mandates';
const ACT = z.strictObject({
  form_token: z.string().max(128),
  id: z.string().regex(/^mdt_[\w-]{10,40}$/),
  back: z.string().max(256).optional(),
});
const RENEW = z.strictObject({
  form_token: z.string().max(128),
  back: z.string().max(256).optional(),
  until: z.string().max(32),
});
/** What changes nothing but the wish of who declines needs no fresh proof. */
const ACTS = ['accept', 'decline', 'revoke', 'suspend', 'resume'] as const;
type Act = (typeof ACTS)[number];

/** What either side does to a mandate: one form each, which leads back to the page it stands on. */
export function addMandateActRoutes(router: Router, sources: AccountCentreSources): void {
  for (const act of ACTS) router.post(`${MANDATES}/${act}`, (ctx) => post(ctx as unknown as Context, sources, act));
  router.get(`${MANDATES}/:id/renew`, (ctx) => showRenew(ctx as unknown as Context, sources));
  router.post(`${MANDATES}/:id/renew`, (ctx) => postRenew(ctx as unknown as Context, sources));
}

/** Only pages of companies lead here, so only they are gone back to. */
const backTo = (back: string | undefined): string => {
  const page = ownPage(back);
  return page.startsWith(COMPANIES) ? page.replace(/\?.*$/, '') : COMPANIES;
};

async function post(ctx: Context, sources: AccountCentreSources, act: Act): Promise<void> {
  ctx.state.page = 'account-mandate';
  const form =
    act === 'decline' ? await accountForm(ctx, ACT, ACCOUNT_PURPOSE, sources) : await provenForm(ctx, ACT, sources);
  if (!form) return;
  const { personId, values } = form;
  const outcome = await sources.mandates[act](values.id, { personId, visit: visitOf(ctx) });
  answer(ctx, backTo(values.back), outcome, act);
}

function answer(ctx: Context, back: string, outcome: ChangeOutcome, act: Act | 'renew'): void {
  // Whose it is not learns nothing of it, not even that there is one (V39).
  if (!outcome.ok && outcome.reason === 'unknown') throw new Fault('unknown_page');
  goTo(ctx, `${back}?${outcome.ok ? `done=${act}` : `problem=mandate_${outcome.reason}`}`);
}

async function showRenew(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const visitor = await provenVisitor(ctx, sources);
  if (visitor) await renderRenew(ctx, sources, String(ctx.query.back ?? ''), '');
}

async function renderRenew(
  ctx: Context,
  sources: AccountCentreSources,
  back: string,
  until: string,
  problem?: FieldProblem,
): Promise<void> {
  ctx.state.page = 'account-mandate-renew';
  const { mandates, renderer, doors } = sources;
  const person = await doors.currentPerson(ctx);
  const view = await mandates.view(String(ctx.params.id));
  if (view === undefined || person === undefined || !(await isPrincipal(person.personId, view.principal, sources))) {
    throw new Fault('unknown_page');
  }
  const { language } = renderer.preferences(ctx);
  const [mandate] = await mandateCards([view], () => 'principal', language, sources);
  renderer.page(
    ctx,
    'account-mandate-renew',
    {
      action: `${MANDATES}/${view.id}/renew`,
      formToken: accountToken(ctx, sources),
      mandate: mandate!,
      until: until || machineTime(view.validUntil).slice(0, 10),
      untilMin: dayAfter(0),
      back: backTo(back),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

type Principal = { readonly legalPersonId: string } | { readonly personId: string };

async function isPrincipal(personId: string, principal: Principal, { legalPersons }: AccountCentreSources) {
  if ('personId' in principal) return principal.personId === personId;
  const posts = await legalPersons.postsOf({ legalPersonId: principal.legalPersonId });
  return posts.some((post) => post.personId === personId);
}

async function postRenew(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-mandate-renew';
  const form = await provenForm(ctx, RENEW, sources);
  if (!form) return;
  const { personId, values } = form;
  const back = values.back ?? '';
  const until = endOfDay(values.until);
  if (until === undefined) {
    return renderRenew(ctx, sources, back, '', { field: 'until', code: 'dates' });
  }
  const outcome = await sources.mandates.renew(String(ctx.params.id), { personId, visit: visitOf(ctx) }, until);
  if (!outcome.ok && (outcome.reason === 'dates' || outcome.reason === 'too_long')) {
    return renderRenew(ctx, sources, back, values.until, { field: 'until', code: outcome.reason });
  }
  answer(ctx, backTo(back), outcome, 'renew');
}
