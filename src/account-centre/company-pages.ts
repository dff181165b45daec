import type Router from '@koa/router';
import type { Context } from 'koa';
import { visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';

/** The companies a person acts for. */
export function addCompanyRoutes(router: Router, sources: AccountCentreSources): void {
  router.get('/account/companies', (ctx) => showCompanies(ctx as unknown as Context, sources));
}

async function showCompanies(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-companies';
  if (!(await visitorOrSignIn(ctx, sources))) return;
  sources.renderer.page(ctx, 'account-companies', {});
}
