import Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { Ledger } from '../ledger/ledger.ts';
import { maskIdNumber, maskName } from '../people/masking.ts';
import type { Persons } from '../people/persons.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import type { FormTokens } from '../web/form-tokens.ts';
import type { Renderer } from '../web/render.ts';
import { accountForm, goTo, type Visit, visitOf, visitorOrSignIn } from './account-form.ts';
import { describeAddress, describeDevice } from './devices.ts';
import { addTrailRoutes, newestDays } from './trail-pages.ts';
import type { TrailSource } from './trail-reading.ts';

/** A session as this page shows it. */
export interface AccountSession {
  readonly uid: string;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly address: string | null;
  readonly userAgent: string | null;
}

/** What a person says was not their doing: an entry of theirs, and where they say so from. */
export interface NotMeReport extends Visit {
  readonly personId: string;
  readonly seq: number;
  /** The portal the entry tells of. */
  readonly clientId: string | undefined;
}

/** What the account centre asks of the protocol room and the ledger; `app.ts` hands it in. */
export interface AccountDoors {
  /** Whose session this browser holds; undefined when nobody is signed in. */
  currentPerson(ctx: Context): Promise<{ readonly personId: string; readonly sessionUid: string } | undefined>;
  sessions(personId: string): Promise<readonly AccountSession[]>;
  endSession(personId: string, uid: string, visit: Visit): Promise<boolean>;
  consents(
    personId: string,
  ): Promise<readonly { readonly clientId: string; readonly scopes: readonly string[]; readonly grantedAt: number }[]>;
  withdraw(personId: string, clientId: string, visit: Visit): Promise<void>;
  /** What the ledger says about a person, to be shown to that person alone. */
  readonly ledgerReader: TrailSource;
  /** Freezes the account and ends everything opened with it; resolves with the number of the case. May be asked again. */
  reportNotMe(report: NotMeReport): Promise<string>;
  /** Where a browser without a session is sent: an authorization request of the account centre itself. */
  signInUrl(): string;
}

export interface AccountCentreSources {
  readonly doors: AccountDoors;
  readonly persons: Persons;
  readonly relyingParties: RelyingParties;
  readonly renderer: Renderer;
  readonly formTokens: FormTokens;
  readonly ledger: Ledger;
  readonly origin: string;
}

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
    maskedName: maskName(profile.name),
    maskedIdNumber: maskIdNumber(profile.idNumber),
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
