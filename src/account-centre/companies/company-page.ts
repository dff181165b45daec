import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { CATEGORIES } from '../../legal-persons/categories.ts';
import type { LegalPersonProfile } from '../../legal-persons/companies.ts';
import type { Post } from '../../legal-persons/posts.ts';
import { documentOfIdNumber, parseIdNumber } from '../../people/id-number.ts';
import { spellingOf } from '../../proofing/spelling.ts';
import { Fault } from '../../shared/fault.ts';
import type { FieldProblem, StandingView } from '../../web/pages-companies.ts';
import { accountToken, goTo, type Visitor, visitOf, visitorOrSignIn } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenForm } from '../fresh-proof.ts';
import { COMPANIES, doneOf, problemOf } from './list-page.ts';
import { mandateCards } from './mandate-cards.ts';

const MANDATES_PER_PAGE = 50;
const APPOINT = z.strictObject({
  form_token: z.string().max(128),
  name: z.string().max(256),
  idNumber: z.string().max(256),
});
const POST = z.strictObject({ form_token: z.string().max(128), post: z.string().min(1).max(64) });
const ID = z.string().regex(/^mdt_[\w-]{10,40}$/);
/** Names of people somebody may look for by appointing them. */
const TRIES_DAILY = 20;
const DAY_SECONDS = 86_400;

/** The page of one company, for those who stand for it: who else does, who acts under a mandate, and how both change. */
export function addCompanyRoutes(router: Router, sources: AccountCentreSources): void {
  const page = `${COMPANIES}/:id`;
  router.get(page, (ctx) => show(ctx as unknown as Context, sources));
  router.post(`${page}/appoint`, (ctx) => postAppoint(ctx as unknown as Context, sources));
  router.post(`${page}/dismiss`, (ctx) => postDismiss(ctx as unknown as Context, sources, 'dismiss'));
  router.post(`${page}/reinstate`, (ctx) => postDismiss(ctx as unknown as Context, sources, 'reinstate'));
}

/** A company and the post by which somebody may look at it. */
export interface Stood {
  readonly company: LegalPersonProfile;
  readonly post: Post;
  readonly posts: readonly Post[];
}

/** The company of the address. Throws `Fault('unknown_page')` unless this person stands for it (V39). */
export async function companyOf(
  ctx: Context,
  personId: string,
  { legalPersons }: AccountCentreSources,
): Promise<Stood> {
  const id = String(ctx.params.id);
  const posts = await legalPersons.postsOf({ legalPersonId: id });
  const post = posts.find((one) => one.personId === personId);
  const company = post && (await legalPersons.profile(id));
  if (post === undefined || company === undefined) throw new Fault('unknown_page');
  return { company, post, posts };
}

/** Whether the post holds at this moment. */
export const holds = ({ company, post }: Stood): boolean => company.status === 'active' && post.status === 'active';

interface Shown {
  readonly appoint?: { readonly name: string; readonly idNumber: string };
  readonly problem?: FieldProblem;
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-company';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (visitor) await render(ctx, visitor, sources, problemOf(ctx));
}

async function render(
  ctx: Context,
  { personId }: Pick<Visitor, 'personId'>,
  sources: AccountCentreSources,
  { appoint, problem }: Shown,
): Promise<void> {
  const stood = await companyOf(ctx, personId, sources);
  const { company, post } = stood;
  const { language } = sources.renderer.preferences(ctx);
  const before = ID.safeParse(ctx.query.before);
  const views = await sources.mandates.ofCompany(company.id, {
    limit: MANDATES_PER_PAGE,
    ...(before.success ? { before: before.data } : {}),
  });
  const last = views.length === MANDATES_PER_PAGE ? views.at(-1)?.id : undefined;
  const category = CATEGORIES.get(company.category);
  const page = `${COMPANIES}/${company.id}`;
  sources.renderer.page(
    ctx,
    'account-company',
    {
      id: company.id,
      name: company.name,
      uscc: company.uscc,
      category: category?.[language === 'en' ? 'en' : 'zh'] ?? company.category,
      status: company.status,
      ...(company.suspendedCause === undefined ? {} : { suspendedCause: company.suspendedCause }),
      role: post.role,
      formToken: accountToken(ctx, sources),
      standing: await standingOf(stood, personId, sources),
      mayAppoint: holds(stood) && post.role === 'legal_representative',
      mayGrant: holds(stood),
      appoint: { name: (appoint?.name ?? '').slice(0, 64), idNumber: (appoint?.idNumber ?? '').slice(0, 64) },
      mandates: await mandateCards(views, () => (holds(stood) ? 'principal' : 'ward'), language, sources),
      ...(last === undefined ? {} : { olderUrl: `${page}?before=${last}` }),
      ...doneOf(ctx),
      ...(problem ? { problem } : {}),
    },
    { status: ctx.method === 'POST' && problem ? (problem.code === 'too_many_tries' ? 429 : 400) : 200 },
  );
}

async function standingOf(stood: Stood, personId: string, { persons }: AccountCentreSources) {
  const { posts, post: own } = stood;
  const views: StandingView[] = [];
  for (const { id, personId: holder, role, status } of posts) {
    const isVisitor = holder === personId;
    const mayChange = holds(stood) && own.role === 'legal_representative' && role === 'administrator';
    views.push({
      id,
      name: (await persons.profile(holder))?.name ?? '',
      role,
      suspended: status === 'suspended',
      isVisitor,
      acts: [
        ...(mayChange && status === 'suspended' ? (['reinstate'] as const) : []),
        ...(mayChange ? (['dismiss'] as const) : []),
        ...(isVisitor && role === 'administrator' ? (['resign'] as const) : []),
      ],
    });
  }
  return views;
}

async function postAppoint(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-company';
  const form = await provenForm(ctx, APPOINT, sources);
  if (!form) return;
  const { personId, values } = form;
  const { company } = await companyOf(ctx, personId, sources);
  const refuse = (problem: FieldProblem) => render(ctx, { personId }, sources, { appoint: values, problem });
  const number = parseIdNumber(values.idNumber);
  if (!number.ok) return refuse({ field: 'idNumber', code: `id_number_${number.reason}` });
  if (values.name.trim() === '') return refuse({ field: 'name', code: 'name_empty' });
  if ((await sources.counters.take(`appoint:${personId}`, DAY_SECONDS)) > TRIES_DAILY) {
    return refuse({ code: 'too_many_tries' });
  }
  const person = await sources.persons.findByDocument(documentOfIdNumber(number.number));
  const name = person && (await sources.persons.profile(person.id))?.name;
  // Nobody has this number, or they are called otherwise: one answer, so that who is here is not to be found out (D9).
  if (person === undefined || name === undefined || spellingOf(name) !== spellingOf(values.name)) {
    return refuse({ code: 'nobody' });
  }
  const outcome = await sources.legalPersons.appoint(company.id, person.id, { personId, visit: visitOf(ctx) });
  if (outcome.ok) return goTo(ctx, `${COMPANIES}/${company.id}?done=appointed`);
  return refuse({ code: `appoint_${outcome.reason}` });
}

async function postDismiss(ctx: Context, sources: AccountCentreSources, act: 'dismiss' | 'reinstate'): Promise<void> {
  ctx.state.page = 'account-company';
  const form = await provenForm(ctx, POST, sources);
  if (!form) return;
  const { personId, values } = form;
  const { company, posts } = await companyOf(ctx, personId, sources);
  const post = posts.find(({ id }) => id === values.post);
  if (post === undefined) throw new Fault('unknown_page');
  const by = { personId, visit: visitOf(ctx) };
  const outcome = await sources.legalPersons[act](company.id, post.personId, by);
  if (!outcome.ok) return render(ctx, { personId }, sources, { problem: { code: `appoint_${outcome.reason}` } });
  // Who has resigned does not see this page any more.
  if (post.personId === personId) return goTo(ctx, `${COMPANIES}?done=dismissed`);
  goTo(ctx, `${COMPANIES}/${company.id}?done=${act === 'dismiss' ? 'dismissed' : 'reinstated'}`);
}
