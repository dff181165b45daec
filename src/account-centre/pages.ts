import Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { EventType } from '../ledger/events.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { maskIdNumber, maskName } from '../people/masking.ts';
import type { Persons } from '../people/persons.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import { Fault } from '../shared/fault.ts';
import { type FormTokens, isForeignPost } from '../web/form-tokens.ts';
import { readForm } from '../web/forms.ts';
import type { Renderer } from '../web/render.ts';
import { describeDevice } from './devices.ts';

/** A session as this page shows it. */
export interface AccountSession {
  readonly uid: string;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly address: string | null;
  readonly userAgent: string | null;
}

export interface AccountEvent {
  readonly at: number;
  readonly type: EventType;
  readonly outcome: 'success' | 'failure';
}

/** What the account centre asks of the protocol room and the ledger; `app.ts` hands it in. */
export interface AccountDoors {
  /** Whose session this browser holds; undefined when nobody is signed in. */
  currentPerson(ctx: Context): Promise<{ readonly personId: string; readonly sessionUid: string } | undefined>;
  sessions(personId: string): Promise<readonly AccountSession[]>;
  endSession(personId: string, uid: string): Promise<boolean>;
  consents(
    personId: string,
  ): Promise<readonly { readonly clientId: string; readonly scopes: readonly string[]; readonly grantedAt: number }[]>;
  withdraw(personId: string, clientId: string, correlation: string): Promise<void>;
  recentEvents(personId: string): Promise<readonly AccountEvent[]>;
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
  return router;
}

async function showAccount(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account';
  const { doors, persons, relyingParties, renderer, formTokens } = sources;
  const person = await doors.currentPerson(ctx);
  const profile = person && (await persons.profile(person.personId));
  if (!person || profile?.status !== 'active') return goTo(ctx, doors.signInUrl());
  const { personId } = person;
  const [sessions, consents, events] = await Promise.all([
    doors.sessions(personId),
    doors.consents(personId),
    doors.recentEvents(personId),
  ]);
  const { language } = renderer.preferences(ctx);
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
      address: session.address ?? '',
      startedAt: session.startedAt,
      seenAt: session.seenAt,
      current: session.uid === person.sessionUid,
    })),
    portals,
    events: [...events],
    signOutUrl: '/session/end',
  });
}

async function accountForm<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  { doors, formTokens, origin }: AccountCentreSources,
): Promise<{ readonly values: Values; readonly personId: string }> {
  ctx.state.page = 'account';
  if (isForeignPost(ctx.headers, origin)) throw new Fault('foreign_origin');
  const person = await doors.currentPerson(ctx);
  if (!person) throw new Fault('ceremony_expired');
  const form = await readForm(ctx.req, schema);
  if (form.state === 'too_large') throw new Fault('body_too_large');
  if (form.state !== 'read') throw new Fault('malformed_request');
  if (!formTokens.accepts(form.values.form_token, formTokens.knownBrowserOf(ctx), PURPOSE)) {
    throw new Fault('form_token_refused');
  }
  return { values: form.values, personId: person.personId };
}

async function postEndSession(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const { values, personId } = await accountForm(ctx, END_SESSION, sources);
  // A session that is not theirs, or over already, is simply not on the page that follows (V39).
  await sources.doors.endSession(personId, values.id);
  goTo(ctx, '/account');
}

async function postWithdraw(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const { values, personId } = await accountForm(ctx, WITHDRAW, sources);
  await sources.doors.withdraw(personId, values.client_id, String(ctx.state.requestId));
  goTo(ctx, '/account');
}

function goTo(ctx: Context, address: string): void {
  ctx.status = 303;
  ctx.set('location', address);
  ctx.body = '';
}
