import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { MandateView } from '../../legal-persons/mandate-views.ts';
import { shownName, switchUrl } from '../../relying-parties/relying-party.ts';
import type { CompanyCard, CompanyDone } from '../../web/pages-companies.ts';
import { accountToken, visitorOrSignIn } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { mandateCards } from './mandate-cards.ts';

export const COMPANIES = '/account/companies';
const SHOWN_MAX = 100;
const CLAIMS_SHOWN_MAX = 10;

const DONE = z.enum([
  'accept',
  'decline',
  'revoke',
  'suspend',
  'resume',
  'renew',
  'granted',
  'appointed',
  'dismissed',
  'reinstated',
  'claimed',
  'submitted',
  'withdrawn',
]);

/** What the query says has just been done. */
export const doneOf = (ctx: Context): { readonly done?: CompanyDone } => {
  const done = DONE.safeParse(ctx.query.done);
  return done.success ? { done: done.data } : {};
};

/** Codes of refusals that travel in the query, to be told on the page that follows: words of ours alone. */
const PROBLEM = z.string().regex(/^[a-z_]{1,40}$/);
export const problemOf = (ctx: Context): { readonly problem?: { readonly code: string } } => {
  const problem = PROBLEM.safeParse(ctx.query.problem);
  return problem.success ? { problem: { code: problem.data } } : {};
};

/** For whom a person acts, and who acts for them. */
export function addCompanyListRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(COMPANIES, (ctx) => showCompanies(ctx as unknown as Context, sources));
}

async function showCompanies(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-companies';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { personId } = visitor;
  const { mandates, renderer } = sources;
  const { language } = renderer.preferences(ctx);
  const page = { live: true, limit: SHOWN_MAX };
  const [companies, byDocument, held, given, claims, parties] = await Promise.all([
    companiesOf(personId, sources),
    mandates.invitations(personId),
    mandates.ofAgent(personId, page),
    mandates.ofRepresented(personId, page),
    sources.legalPersons.claimsOf(personId),
    sources.relyingParties.list(),
  ]);
  const forCompanies = await Promise.all(companies.filter(isActive).map(({ id }) => mandates.ofAgentCompany(id, page)));
  const all = [...held, ...forCompanies.flat()];
  const isInvitation = ({ status }: MandateView): boolean => status === 'invited';
  const cards = (views: readonly MandateView[], viewer: Parameters<typeof mandateCards>[1]) =>
    mandateCards(views, viewer, language, sources);
  renderer.page(ctx, 'account-companies', {
    formToken: accountToken(ctx, sources),
    invitations: await cards([...byDocument, ...all.filter(isInvitation)], () => 'agent'),
    companies,
    held: await cards(
      all.filter((view) => !isInvitation(view)),
      () => 'agent',
    ),
    given: await cards(given, ({ kind }) => (kind === 'guardian' ? 'ward' : 'principal')),
    claims: claims.filter(({ status }) => status !== 'withdrawn').slice(0, CLAIMS_SHOWN_MAX),
    switches: parties.flatMap((party) => {
      const url = switchUrl(party, sources.origin);
      return url === undefined ? [] : [{ name: shownName(party.record, language), url }];
    }),
    ...doneOf(ctx),
    ...problemOf(ctx),
  });
}

const isActive = ({ status, suspended }: CompanyCard): boolean => status === 'active' && !suspended;

/** The companies somebody stands for, by post. */
async function companiesOf(personId: string, { legalPersons }: AccountCentreSources): Promise<readonly CompanyCard[]> {
  const posts = await legalPersons.postsOf({ personId });
  const cards: CompanyCard[] = [];
  for (const { legalPersonId, role, status } of posts.slice(0, SHOWN_MAX)) {
    const profile = await legalPersons.profile(legalPersonId);
    if (profile === undefined) continue;
    const { id, name } = profile;
    cards.push({ id, name, role, status: profile.status, suspended: status === 'suspended' });
  }
  return cards;
}

/** How many invitations wait for this person: told on the overview. */
export async function invitationCount(personId: string, { mandates }: AccountCentreSources): Promise<number> {
  const [byDocument, held] = await Promise.all([
    mandates.invitations(personId),
    mandates.ofAgent(personId, { live: true, limit: SHOWN_MAX }),
  ]);
  return byDocument.length + held.filter(({ status }) => status === 'invited').length;
}
