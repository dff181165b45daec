import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { AgentChoice } from '../../legal-persons/agents.ts';
import type { GrantOutcome, GrantRefusal } from '../../legal-persons/mandate-grants.ts';
import { parseUscc } from '../../legal-persons/uscc.ts';
import { documentOfIdNumber, parseIdNumber } from '../../people/id-number.ts';
import { parsePersonDetails } from '../../people/person-details.ts';
import { spellingOf } from '../../proofing/spelling.ts';
import { Fault } from '../../shared/fault.ts';
import type { FieldProblem } from '../../web/pages-companies.ts';
import { accountToken, goTo, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenForm, provenVisitor } from '../fresh-proof.ts';
import { companyOf, holds, type Stood } from './company-page.ts';
import { COMPANIES } from './list-page.ts';
import { dayAfter, endOfDay, matterChoices, portalChoices } from './mandate-cards.ts';

const RELATIVE = `${COMPANIES}/relative`;
const FIELDS_MAX = 220;
const FIXED = ['form_token', 'agentName', 'agentNumber', 'until', 'ceiling', 'mayDelegate'];
const TICK = /^(matter|portal)\.([A-Za-z0-9][A-Za-z0-9._-]{0,63})$/;

export const GRANT = z
  .object({
    form_token: z.string().max(128),
    agentName: z.string().max(256),
    agentNumber: z.string().max(256),
    until: z.string().max(32),
    ceiling: z.enum(['', 'urn:tongban:acr:1', 'urn:tongban:acr:2']).optional(),
    mayDelegate: z.literal('yes').optional(),
  })
  .catchall(z.literal('yes'))
  .refine((fields) => {
    const others = Object.keys(fields).filter((name) => !FIXED.includes(name));
    return others.length <= FIELDS_MAX && others.every((name) => TICK.test(name));
  });
export type GrantValues = z.infer<typeof GRANT>;

/** Granting a mandate: a company names an agent, a person names a relative. */
export function addGrantRoutes(router: Router, sources: AccountCentreSources): void {
  for (const page of [RELATIVE, `${COMPANIES}/:id/grant`]) {
    router.get(page, (ctx) => show(ctx as unknown as Context, sources));
    router.post(page, (ctx) => post(ctx as unknown as Context, sources));
  }
}

/** The company of the address; undefined on the page where a person grants for themself. */
async function companyAt(ctx: Context, personId: string, sources: AccountCentreSources): Promise<Stood | undefined> {
  if (ctx.path === RELATIVE) return undefined;
  const stood = await companyOf(ctx, personId, sources);
  if (!holds(stood)) throw new Fault('unknown_page');
  return stood;
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-grant';
  const visitor = await provenVisitor(ctx, sources);
  if (!visitor) return;
  const stood = await companyAt(ctx, visitor.personId, sources);
  const days = stood === undefined ? sources.mandateDays.relative : sources.mandateDays.agent;
  await render(ctx, sources, stood, { agentName: '', agentNumber: '', until: dayAfter(days.usual) });
}

/** The form as it was filled in; ticks by their names. */
export type ShownGrant = Pick<GrantValues, 'agentName' | 'agentNumber' | 'until'> &
  Readonly<Record<string, string | undefined>>;

export const ticked = (values: ShownGrant, group: 'matter' | 'portal'): readonly string[] =>
  Object.keys(values).flatMap((name) => {
    const [, of, id] = TICK.exec(name) ?? [];
    return of === group && id !== undefined ? [id] : [];
  });

async function render(
  ctx: Context,
  sources: AccountCentreSources,
  stood: Stood | undefined,
  values: ShownGrant,
  problem?: FieldProblem,
): Promise<void> {
  ctx.state.page = 'account-grant';
  const { renderer, mandateDays } = sources;
  const { language } = renderer.preferences(ctx);
  const days = stood === undefined ? mandateDays.relative : mandateDays.agent;
  renderer.page(
    ctx,
    'account-grant',
    {
      action: ctx.path,
      formToken: accountToken(ctx, sources),
      ...(stood === undefined ? {} : { company: { id: stood.company.id, name: stood.company.name } }),
      values: shownValues(values),
      untilMin: dayAfter(0),
      untilMax: dayAfter(days.longest - 1),
      matters: matterChoices(sources, language, ticked(values, 'matter')),
      portals: await portalChoices(sources, language, ticked(values, 'portal')),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

/** What the form shows again after a refusal, cut to what its fields take. */
export const shownValues = (values: ShownGrant) => ({
  agentName: values.agentName.slice(0, 128),
  agentNumber: values.agentNumber.slice(0, 64),
  until: values.until.slice(0, 10),
  ceiling: values.ceiling ?? '',
  mayDelegate: values.mayDelegate === 'yes',
});

async function post(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-grant';
  const form = await provenForm(ctx, GRANT, sources);
  if (!form) return;
  const { personId, values } = form;
  const stood = await companyAt(ctx, personId, sources);
  const refuse = (problem: FieldProblem) => render(ctx, sources, stood, values, problem);
  const agent = await agentOf(values, stood !== undefined, sources);
  if ('code' in agent) return refuse(agent);
  const matters = ticked(values, 'matter');
  if (matters.length === 0) return refuse({ field: 'matters', code: 'no_matter' });
  const validUntil = endOfDay(values.until);
  if (validUntil === undefined) return refuse({ field: 'until', code: 'dates' });
  const portals = ticked(values, 'portal');
  const terms = { agent, matters, validUntil, ...(portals.length === 0 ? {} : { portals }) };
  const by = { personId, visit: visitOf(ctx) };
  const outcome: GrantOutcome = await sources.mandates.grant(
    stood === undefined
      ? { ...terms, kind: 'relative', representedId: personId }
      : {
          ...terms,
          kind: 'agent',
          legalPersonId: stood.company.id,
          ...(values.ceiling ? { acrMax: values.ceiling } : {}),
          mayDelegate: values.mayDelegate === 'yes',
        },
    by,
  );
  if (!outcome.ok) return refuse(problemIn(outcome.reason));
  goTo(ctx, `${stood === undefined ? COMPANIES : `${COMPANIES}/${stood.company.id}`}?done=granted`);
}

/** Who is to act, by ID number, or by code where a company may be named; or what is wrong with it. */
export async function agentOf(
  { agentName, agentNumber }: GrantValues,
  mayBeCompany: boolean,
  { legalPersons }: AccountCentreSources,
): Promise<AgentChoice | FieldProblem> {
  const details = parsePersonDetails({ name: agentName });
  if (!details.ok) return { field: 'agentName', code: 'name_empty' };
  const { name } = details.details;
  const number = parseIdNumber(agentNumber);
  if (number.ok) return { document: documentOfIdNumber(number.number), name };
  const code = mayBeCompany ? parseUscc(agentNumber) : undefined;
  if (!code?.ok) return { field: 'agentNumber', code: mayBeCompany ? 'agent_number' : `id_number_${number.reason}` };
  const found = await legalPersons.findByUscc(code.uscc);
  const company = found && (await legalPersons.profile(found.id));
  const isNamed = company !== undefined && spellingOf(company.name) === spellingOf(name);
  return isNamed ? { legalPersonId: company.id } : { field: 'agentNumber', code: 'unknown_company' };
}

const FIELD_OF: Partial<Record<GrantRefusal, string>> = {
  self: 'agentNumber',
  unknown_agent: 'agentNumber',
  no_matter: 'matters',
  unknown_matter: 'matters',
  no_portal: 'portals',
  portal_outside: 'portals',
  dates: 'until',
  too_long: 'until',
};

export const problemIn = (reason: GrantRefusal): FieldProblem => {
  const field = FIELD_OF[reason];
  return { code: reason, ...(field === undefined ? {} : { field }) };
};
