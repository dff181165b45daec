import type Router from '@koa/router';
import type { Context } from 'koa';
import type { MandateView } from '../../legal-persons/mandate-views.ts';
import { Fault } from '../../shared/fault.ts';
import { machineTime } from '../../web/language.ts';
import type { FieldProblem } from '../../web/pages-companies.ts';
import { accountToken, goTo, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenForm, provenVisitor } from '../fresh-proof.ts';
import { agentOf, GRANT, problemIn, type ShownGrant, shownValues, ticked } from './grant-page.ts';
import { COMPANIES } from './list-page.ts';
import { dayAfter, endOfDay, matterChoices, mayPassOn, passOnPage, portalChoices } from './mandate-cards.ts';

/** Passing a part of one's own mandate on, where the company allowed it: fewer matters or portals, and never longer. */
export function addPassOnRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(passOnPage(':id'), (ctx) => show(ctx as unknown as Context, sources));
  router.post(passOnPage(':id'), (ctx) => post(ctx as unknown as Context, sources));
}

/** The visitor's own mandate at this address. Throws `Fault('unknown_page')` for every other, also for one that does not exist (V39). */
async function parentAt(ctx: Context, personId: string, { mandates }: AccountCentreSources): Promise<MandateView> {
  const view = await mandates.view(String(ctx.params.id));
  if (view?.agentPersonId !== personId || !mayPassOn(view)) throw new Fault('unknown_page');
  return view;
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-grant';
  const visitor = await provenVisitor(ctx, sources);
  if (!visitor) return;
  const parent = await parentAt(ctx, visitor.personId, sources);
  await render(ctx, sources, parent, { agentName: '', agentNumber: '', until: lastDay(parent) });
}

const lastDay = ({ validUntil }: MandateView): string => machineTime(validUntil).slice(0, 10);

async function render(
  ctx: Context,
  sources: AccountCentreSources,
  parent: MandateView,
  values: ShownGrant,
  problem?: FieldProblem,
): Promise<void> {
  ctx.state.page = 'account-grant';
  const { renderer } = sources;
  const { language } = renderer.preferences(ctx);
  const portals = await portalChoices(sources, language, ticked(values, 'portal'));
  renderer.page(
    ctx,
    'account-grant',
    {
      action: ctx.path,
      formToken: accountToken(ctx, sources),
      passedOn: { principalName: parent.principalName },
      values: shownValues(values),
      untilMin: dayAfter(0),
      untilMax: lastDay(parent),
      matters: matterChoices(sources, language, ticked(values, 'matter')).filter(({ id }) =>
        parent.matters.includes(id),
      ),
      portals: portals.filter(({ id }) => parent.portals.includes(id)),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

async function post(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-grant';
  const form = await provenForm(ctx, GRANT, sources);
  if (!form) return;
  const { personId, values } = form;
  const parent = await parentAt(ctx, personId, sources);
  const refuse = (problem: FieldProblem) => render(ctx, sources, parent, values, problem);
  const agent = await agentOf(values, false, sources);
  if ('code' in agent) return refuse(agent);
  const matters = ticked(values, 'matter');
  if (matters.length === 0) return refuse({ field: 'matters', code: 'no_matter' });
  const day = endOfDay(values.until);
  if (day === undefined) return refuse({ field: 'until', code: 'dates' });
  if (!('legalPersonId' in parent.principal)) throw new Fault('unknown_page');
  const portals = ticked(values, 'portal');
  const outcome = await sources.mandates.grant(
    {
      kind: 'agent',
      legalPersonId: parent.principal.legalPersonId,
      parentId: parent.id,
      agent,
      matters,
      // The last day of the parent ends when the parent does.
      validUntil: values.until === lastDay(parent) ? Math.min(day, parent.validUntil) : day,
      portals: portals.length === 0 ? parent.portals : portals,
    },
    { personId, visit: visitOf(ctx) },
  );
  if (!outcome.ok) return refuse(problemIn(outcome.reason));
  goTo(ctx, `${COMPANIES}?done=granted`);
}
