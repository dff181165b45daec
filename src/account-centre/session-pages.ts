import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { shownName } from '../relying-parties/relying-party.ts';
import type { Language } from '../web/language.ts';
import type { SessionView } from '../web/pages-account.ts';
import {
  ACCOUNT_PURPOSE,
  accountForm,
  accountToken,
  goTo,
  type Visitor,
  visitOf,
  visitorOrSignIn,
} from './account-form.ts';
import { describeAddress, describeDevice } from './devices.ts';
import type { AccountCentreSources } from './doors.ts';

const PAGE = '/account/sessions';
const END = z.strictObject({
  form_token: z.string().max(128),
  id: z.string().min(1).max(64),
  from: z.literal('sessions').optional(),
});
const DISTRUST = z.strictObject({ form_token: z.string().max(128), id: z.string().min(1).max(64) });
const END_OTHERS = z.strictObject({ form_token: z.string().max(128) });

/** Where a person is signed in, and how they end it: one by one, or everywhere but here (E9). */
export function addSessionRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showSessions(ctx as unknown as Context, sources));
  router.post(`${PAGE}/end`, (ctx) => postEnd(ctx as unknown as Context, sources));
  router.post(`${PAGE}/end-others`, (ctx) => postEndOthers(ctx as unknown as Context, sources));
  router.post(`${PAGE}/distrust`, (ctx) => postDistrust(ctx as unknown as Context, sources));
}

/** The sessions of the visitor: this one first, then the one used last. */
export async function sessionsShown(
  { personId, sessionUid }: Visitor,
  language: Language,
  { doors, relyingParties }: AccountCentreSources,
): Promise<readonly SessionView[]> {
  const sessions = await doors.sessions(personId);
  const views = await Promise.all(
    sessions.map(async (session) => {
      const parties = await Promise.all(session.clientIds.map((clientId) => relyingParties.inspect(clientId)));
      return {
        id: session.uid,
        device: describeDevice(session.userAgent ?? '', language),
        address: describeAddress(session.address ?? ''),
        startedAt: session.startedAt,
        seenAt: session.seenAt,
        current: session.uid === sessionUid,
        portals: parties.flatMap((party) =>
          party === undefined || party.record.first_party ? [] : [shownName(party.record, language)],
        ),
      };
    }),
  );
  return views.sort((a, b) => Number(b.current) - Number(a.current));
}

async function showSessions(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-sessions';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { renderer } = sources;
  const { language } = renderer.preferences(ctx);
  renderer.page(ctx, 'account-sessions', {
    formToken: accountToken(ctx, sources),
    sessions: await sessionsShown(visitor, language, sources),
    trusted: (await sources.trustedDevices.list(visitor.personId)).map((device) => ({
      id: device.id,
      device: describeDevice(device.userAgent, language),
      address: describeAddress(device.address),
      trustedAt: device.trustedAt,
      expiresAt: device.expiresAt,
    })),
  });
}

async function postDistrust(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-sessions';
  const { values, personId } = await accountForm(ctx, DISTRUST, ACCOUNT_PURPOSE, sources);
  // One that is not theirs, or gone already, is simply not on the page that follows (V39).
  await sources.trustedDevices.revoke(personId, values.id, visitOf(ctx));
  goTo(ctx, PAGE);
}

async function postEnd(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-sessions';
  const { values, personId } = await accountForm(ctx, END, ACCOUNT_PURPOSE, sources);
  // A session that is not theirs, or over already, is simply not on the page that follows (V39).
  await sources.doors.endSession(personId, values.id, visitOf(ctx));
  goTo(ctx, values.from === 'sessions' ? PAGE : '/account');
}

async function postEndOthers(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-sessions';
  const { person } = await accountForm(ctx, END_OTHERS, ACCOUNT_PURPOSE, sources);
  await sources.doors.endOtherSessions(person.personId, person.sessionUid, visitOf(ctx));
  goTo(ctx, PAGE);
}
