import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { shownName } from '../../relying-parties/relying-party.ts';
import { visitorOrSignIn } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { companyOf } from './company-page.ts';
import { COMPANIES } from './list-page.ts';

const USES_PER_PAGE = 50;
const ID = z.string().regex(/^use_[\w-]{10,40}$/);

/** Who acted for a company, when, and at which portal. */
export function addHistoryRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(`${COMPANIES}/:id/history`, (ctx) => show(ctx as unknown as Context, sources));
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-company-history';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { company } = await companyOf(ctx, visitor.personId, sources);
  const { legalPersons, persons, relyingParties, renderer } = sources;
  const { language } = renderer.preferences(ctx);
  const before = ID.safeParse(ctx.query.before);
  const records = await legalPersons.uses(
    { legalPersonId: company.id },
    { limit: USES_PER_PAGE, ...(before.success ? { before: before.data } : {}) },
  );
  const uses = await Promise.all(
    records.map(async ({ at, personId, role, clientId }) => {
      const [person, party] = await Promise.all([persons.profile(personId), relyingParties.inspect(clientId)]);
      return { at, role, name: person?.name ?? '', portal: party ? shownName(party.record, language) : clientId };
    }),
  );
  const page = `${COMPANIES}/${company.id}/history`;
  const last = records.length === USES_PER_PAGE ? records.at(-1)?.id : undefined;
  renderer.page(ctx, 'account-company-history', {
    id: company.id,
    name: company.name,
    uses,
    ...(before.success ? { newerUrl: page } : {}),
    ...(last === undefined ? {} : { olderUrl: `${page}?before=${last}` }),
  });
}
