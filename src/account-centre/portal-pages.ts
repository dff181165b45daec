import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { shownName } from '../relying-parties/relying-party.ts';
import type { Language } from '../web/language.ts';
import type { AllowedPortalView } from '../web/pages-account.ts';
import { ACCOUNT_PURPOSE, accountForm, accountToken, goTo, visitOf, visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';

const PAGE = '/account/portals';
const WITHDRAW = z.strictObject({
  form_token: z.string().max(128),
  client_id: z.string().min(1).max(128),
  from: z.literal('portals').optional(),
});

/** Which portals a person has allowed to see what, and how they take it back. */
export function addPortalRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showPortals(ctx as unknown as Context, sources));
  router.get(`${PAGE}/history`, (ctx) => showHistory(ctx as unknown as Context, sources));
  router.post(`${PAGE}/withdraw`, (ctx) => postWithdraw(ctx as unknown as Context, sources));
}

/** The portals a person has allowed something, the newest consent first. */
export async function portalsShown(
  personId: string,
  language: Language,
  { doors, relyingParties }: AccountCentreSources,
): Promise<readonly AllowedPortalView[]> {
  const [consents, sessions] = await Promise.all([doors.consents(personId), doors.sessions(personId)]);
  const open = new Set(sessions.flatMap(({ clientIds }) => clientIds));
  return Promise.all(
    consents.map(async ({ clientId, scopes, claims, grantedAt }) => {
      const party = await relyingParties.inspect(clientId);
      return {
        clientId,
        name: party ? shownName(party.record, language) : clientId,
        host: URL.parse(party?.record.redirect_uris[0] ?? '')?.host ?? '',
        description: party?.record.description ?? '',
        scopes: [...scopes],
        claims: [...claims],
        grantedAt,
        signedIn: open.has(clientId),
      };
    }),
  );
}

async function showPortals(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-portals';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { renderer } = sources;
  const { language } = renderer.preferences(ctx);
  renderer.page(ctx, 'account-portals', {
    formToken: accountToken(ctx, sources),
    portals: await portalsShown(visitor.personId, language, sources),
  });
}

/** Everything the person agreed to and took back: what the portals they left behind were allowed, too. */
async function showHistory(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-consents';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { renderer, relyingParties, doors } = sources;
  const { language } = renderer.preferences(ctx);
  const records = await doors.consentHistory(visitor.personId);
  const lines = await Promise.all(
    records.map(async ({ clientId, act, at, scopes, claims, purpose, legalBasis, noticeVersion, noticeHash }) => {
      const party = await relyingParties.inspect(clientId);
      return {
        act,
        at,
        portal: party ? shownName(party.record, language) : clientId,
        scopes,
        claims,
        legalBasis,
        ...(purpose === undefined ? {} : { purpose }),
        ...(noticeVersion === undefined ? {} : { noticeVersion }),
        ...(noticeHash === undefined ? {} : { noticeHash }),
      };
    }),
  );
  renderer.page(ctx, 'account-consents', { lines });
}

async function postWithdraw(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-portals';
  const { values, personId } = await accountForm(ctx, WITHDRAW, ACCOUNT_PURPOSE, sources);
  await sources.doors.withdraw(personId, values.client_id, visitOf(ctx));
  goTo(ctx, values.from === 'portals' ? PAGE : '/account');
}
