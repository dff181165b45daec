import type Router from '@koa/router';
import type { Context } from 'koa';
import { accountToken, goTo, visitorOrSignIn } from './account-form.ts';
import { invitationCount } from './companies/list-page.ts';
import type { AccountCentreSources } from './doors.ts';
import { portalsShown } from './portal-pages.ts';
import { sessionsShown } from './session-pages.ts';
import { newestDays } from './trail-pages.ts';
import { ownPage } from './waiting-form.ts';

/** Of each list the overview shows the newest; the rest is on the page of its own. */
const SHOWN_MAX = 5;

/** The first page of the account: who one is here, where one is signed in, which portals see what, and what happened last. */
export function addOverviewRoutes(router: Router, sources: AccountCentreSources): void {
  router.get('/account', (ctx) => showOverview(ctx as unknown as Context, sources));
  // The code of this authorization request is of no use to us: the session it proves is our own. It expires unredeemed.
  router.get('/account/entered', (ctx) => goTo(ctx as unknown as Context, ownPage(ctx.query.state)));
}

async function showOverview(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { profile } = visitor;
  const { renderer } = sources;
  const { language } = renderer.preferences(ctx);
  const [sessions, portals, days, invitations] = await Promise.all([
    sessionsShown(visitor, language, sources),
    portalsShown(visitor.personId, language, sources),
    newestDays(visitor.personId, language, sources),
    invitationCount(visitor.personId, sources),
  ]);
  renderer.page(ctx, 'account', {
    ...(profile.maskedName === undefined ? {} : { maskedName: profile.maskedName }),
    maskedIdNumber: profile.maskedNumber,
    ial: profile.ial,
    formToken: accountToken(ctx, sources),
    sessions: sessions.slice(0, SHOWN_MAX),
    sessionsMore: Math.max(0, sessions.length - SHOWN_MAX),
    portals: portals.slice(0, SHOWN_MAX),
    portalsMore: Math.max(0, portals.length - SHOWN_MAX),
    days,
    invitations,
    signOutUrl: '/session/end',
  });
}
