import Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { maskDocument, maskName } from '../people/masking.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import { accountForm, goTo, visitOf, visitorOrSignIn } from './account-form.ts';
import { describeAddress, describeDevice } from './devices.ts';
import type { AccountCentreSources } from './doors.ts';
import { addTrailRoutes, newestDays } from './trail-pages.ts';

const PURPOSE = 'account';
const END_SESSION = z.strictObject({ form_token: z.string().max(128), id: z.string().min(1).max(64) });
const WITHDRAW = z.strictObject({ form_token: z.string().max(128), client_id: z.string().min(1).max(128) });

/** The pages where a person sees where they are signed in and which portals see what, and ends any of it (E9). */
export function accountRoutes(sources: AccountCentreSources): Router {
  const router = new Router();
  router.get('/account', (ctx) => showAccount(ctx as unknown as Context, sources));
  router.get('/account/entered', (ctx) => {
    // The code of this authorization request is of no use to us: the session it proves is our own. It expires unredeemed.
    ctx.status = 303;
    ctx.set('location', '/account');
    ctx.body = '';
  });
  router.post('/account/sessions/end', (ctx) => postEndSession(ctx as unknown as Context, sources));
  router.post('/account/portals/withdraw', (ctx) => postWithdraw(ctx as unknown as Context, sources));
  addTrailRoutes(router, sources);
  return router;
}

async function showAccount(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account';
  const { doors, relyingParties, renderer, formTokens } = sources;
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { personId, profile } = visitor;
  const { language } = renderer.preferences(ctx);
  const [sessions, consents, days] = await Promise.all([
    doors.sessions(personId),
    doors.consents(personId),
    newestDays(personId, language, sources),
  ]);
  const portals = await Promise.all(
    consents.map(async ({ clientId, scopes, grantedAt }) => {
      const party = await relyingParties.inspect(clientId);
      return {
        clientId,
        name: party ? shownName(party.record, language) : clientId,
        host: URL.parse(party?.record.redirect_uris[0] ?? '')?.host ?? '',
        scopes: [...scopes],
        grantedAt,
      };
    }),
  );
  renderer.page(ctx, 'account', {
    ...(profile.name === undefined ? {} : { maskedName: maskName(profile.name) }),
    maskedIdNumber: maskDocument(profile.document),
    ial: profile.ial,
    formToken: formTokens.issue(formTokens.browserOf(ctx), PURPOSE),
    sessions: sessions.map((session) => ({
      id: session.uid,
      device: describeDevice(session.userAgent ?? '', language),
      address: describeAddress(session.address ?? ''),
      startedAt: session.startedAt,
      seenAt: session.seenAt,
      current: session.uid === visitor.sessionUid,
    })),
    portals,
    days,
    signOutUrl: '/session/end',
  });
}

async function postEndSession(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account';
  const { values, personId } = await accountForm(ctx, END_SESSION, PURPOSE, sources);
  // A session that is not theirs, or over already, is simply not on the page that follows (V39).
  await sources.doors.endSession(personId, values.id, visitOf(ctx));
  goTo(ctx, '/account');
}

async function postWithdraw(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account';
  const { values, personId } = await accountForm(ctx, WITHDRAW, PURPOSE, sources);
  await sources.doors.withdraw(personId, values.client_id, visitOf(ctx));
  goTo(ctx, '/account');
}
