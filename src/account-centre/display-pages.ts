import type Router from '@koa/router';
import type { Context } from 'koa';
import { visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';

const PAGE = '/account/display';

/** Language and type size. The form is sent by GET: every page understands these choices in its query and remembers them. */
export function addDisplayRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, async (koaCtx) => {
    const ctx = koaCtx as unknown as Context;
    ctx.state.page = 'account-display';
    if (!(await visitorOrSignIn(ctx, sources))) return;
    const saved = ctx.query.lang !== undefined && ctx.query.text !== undefined;
    sources.renderer.page(ctx, 'account-display', { action: PAGE, saved });
  });
}
