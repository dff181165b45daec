import type Router from '@koa/router';
import type { Context } from 'koa';
import { visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';

/** What is kept about a person, and their rights over it. */
export function addDataRoutes(router: Router, sources: AccountCentreSources): void {
  router.get('/account/data', (ctx) => showData(ctx as unknown as Context, sources));
}

async function showData(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-data';
  if (!(await visitorOrSignIn(ctx, sources))) return;
  sources.renderer.page(ctx, 'account-data', {});
}
