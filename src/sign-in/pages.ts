import Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { Ledger } from '../ledger/ledger.ts';
import { maskDocument, maskName } from '../people/masking.ts';
import type { PersonProfile } from '../people/person.ts';
import type { Persons } from '../people/persons.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import { Fault } from '../shared/fault.ts';
import { registrationAddress } from '../web/ceremony-address.ts';
import type { FormTokens } from '../web/form-tokens.ts';
import { isForeignPost } from '../web/form-tokens.ts';
import { type FormOutcome, readForm } from '../web/forms.ts';
import type { PortalView, SignInProblem } from '../web/pages.ts';
import type { Renderer } from '../web/render.ts';
import { contentPolicy, formTarget } from '../web/security-headers.ts';
import { nextStep, type Step } from './ceremony.ts';
import type { Identify } from './identify.ts';
import type { CeremonyRequest, Interactions } from './interactions.ts';

export interface SignInSources {
  readonly interactions: Interactions;
  readonly identify: Identify;
  readonly persons: Persons;
  readonly relyingParties: RelyingParties;
  readonly renderer: Renderer;
  readonly formTokens: FormTokens;
  readonly ledger: Ledger;
  readonly origin: string;
  readonly registerUrl: string | undefined;
}

const DECISION = z.strictObject({
  form_token: z.string().max(128),
  decision: z.enum(['allow', 'deny', 'continue', 'switch', 'cancel']),
});
const CREDENTIALS = z.strictObject({
  form_token: z.string().max(128),
  identifier: z.string().max(256),
  // Longer than any password may be, so that the policy answers instead of the parser (D1).
  password: z.string().max(4096),
});

/**
 * The pages of one sign-in. A GET shows the step `nextStep` names; a POST proves or decides one thing and goes back to the
 * protocol, which asks again. No page sends to another.
 */
export function signInRoutes(sources: SignInSources): Router {
  const router = new Router();
  router.get('/interaction/:uid', (ctx) => showStep(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/identify', (ctx) => postCredentials(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/continue-as', (ctx) => postContinueAs(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/consent', (ctx) => postConsent(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/cancel', (ctx) => postCancel(ctx as unknown as Context, sources));
  return router;
}

const uidOf = (ctx: Context): string => String(ctx.params.uid);

async function requestOf(ctx: Context, { interactions }: SignInSources): Promise<CeremonyRequest> {
  ctx.state.page = 'interaction';
  const found = await interactions.find(ctx, uidOf(ctx));
  if (found === 'expired') throw new Fault('ceremony_expired');
  if (found === 'elsewhere') throw new Fault('ceremony_elsewhere');
  return found;
}

const ceremonyOf = ({ prompt, requestedPrompts, reasons, startedBy }: CeremonyRequest) => ({
  prompt,
  requestedPrompts,
  reasons,
  startedBy,
});

async function stepOf(
  ctx: Context,
  request: CeremonyRequest,
  { interactions }: SignInSources,
  wantsSwitch: boolean,
): Promise<{ readonly step: Step; readonly personId: string | undefined }> {
  const signedIn = await interactions.currentPerson(ctx);
  const step = nextStep({ ...ceremonyOf(request), signedIn: signedIn?.personId, wantsSwitch });
  return { step, personId: signedIn?.personId };
}

async function showStep(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { step, personId } = await stepOf(ctx, request, sources, ctx.query.switch === '1');
  if (typeof step === 'object') throw new Fault('ceremony_expired', `the ceremony cannot go on: ${step.refuse}`);
  if (step === 'identify') return showSignIn(ctx, request, sources, { identifier: request.loginHint ?? '' });
  if (personId === undefined) throw new Fault('ceremony_expired');
  if (step === 'continue_as') return showContinueAs(ctx, request, sources, personId);
  return showConsent(ctx, request, sources, personId);
}

/** What every page of the ceremony has: the portal, a form token for this browser, and a policy that lets the answer go there. */
async function frame(ctx: Context, request: CeremonyRequest, { relyingParties, formTokens, renderer }: SignInSources) {
  const party = await relyingParties.find(request.clientId);
  const target = request.redirectUri === undefined ? undefined : formTarget(request.redirectUri);
  if (target) ctx.set('content-security-policy', contentPolicy([target]));
  const portal: PortalView = {
    name: party ? shownName(party.record, renderer.preferences(ctx, request.uiLocales).language) : request.clientId,
    host: URL.parse(request.redirectUri ?? '')?.host ?? '',
  };
  return { portal, formToken: formTokens.issue(formTokens.browserOf(ctx), request.uid), party };
}

const localesOf = (request: CeremonyRequest): { uiLocales: string } | Record<string, never> =>
  request.uiLocales === undefined ? {} : { uiLocales: request.uiLocales };

async function showSignIn(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  { identifier, problem, status = 200 }: { identifier: string; problem?: SignInProblem; status?: number },
): Promise<void> {
  const { portal, formToken } = await frame(ctx, request, sources);
  sources.renderer.page(
    ctx,
    'sign-in',
    {
      action: `/interaction/${request.uid}/identify`,
      cancelAction: `/interaction/${request.uid}/cancel`,
      formToken,
      portal,
      identifier: identifier.slice(0, 64),
      ...(problem ? { problem } : {}),
      ...(sources.registerUrl ? { registerUrl: registrationAddress(sources.registerUrl, request.uid) } : {}),
    },
    { status, ...localesOf(request) },
  );
}

async function profileOf(personId: string, { persons }: SignInSources): Promise<PersonProfile> {
  const profile = await persons.profile(personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'the signed-in person may not act any more');
  return profile;
}

async function showContinueAs(ctx: Context, request: CeremonyRequest, sources: SignInSources, personId: string) {
  const { portal, formToken } = await frame(ctx, request, sources);
  const profile = await profileOf(personId, sources);
  sources.renderer.page(
    ctx,
    'continue-as',
    {
      action: `/interaction/${request.uid}/continue-as`,
      formToken,
      portal,
      ...(profile.name === undefined ? {} : { maskedName: maskName(profile.name) }),
      maskedIdNumber: maskDocument(profile.document),
    },
    localesOf(request),
  );
}

async function showConsent(ctx: Context, request: CeremonyRequest, sources: SignInSources, personId: string) {
  const { portal, formToken } = await frame(ctx, request, sources);
  const profile = await profileOf(personId, sources);
  sources.renderer.page(
    ctx,
    'consent',
    {
      action: `/interaction/${request.uid}/consent`,
      formToken,
      portal,
      ...(profile.name === undefined ? {} : { maskedName: maskName(profile.name) }),
      items: request.missingScopes.map((scope) => ({ scope, sensitive: scope === 'id_number' })),
      claims: [...request.missingClaims],
    },
    localesOf(request),
  );
}

/** Reads a form of this ceremony: from our own page, shown to this browser, for this request (E2). */
async function formOf<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  { formTokens, origin }: SignInSources,
): Promise<Values> {
  if (isForeignPost(ctx.headers, origin)) throw new Fault('foreign_origin');
  const form: FormOutcome<Values> = await readForm(ctx.req, schema);
  if (form.state === 'too_large') throw new Fault('body_too_large');
  if (form.state !== 'read') {
    throw new Fault(
      'malformed_request',
      form.state === 'malformed' ? `form fields: ${form.fields.join(', ')}` : form.state,
    );
  }
  if (!formTokens.accepts(form.values.form_token, formTokens.knownBrowserOf(ctx), uidOf(ctx))) {
    throw new Fault('form_token_refused');
  }
  return form.values;
}

/** 303, never 307: the browser must not repeat a password to the next address (A23). */
function goOn(ctx: Context, address: string): void {
  ctx.status = 303;
  ctx.set('location', address);
  ctx.body = '';
}

async function postCredentials(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { identifier, password } = await formOf(ctx, CREDENTIALS, sources);
  // Whoever may be signed in already, somebody says now who they are: the session is not asked.
  const step = nextStep({ ...ceremonyOf(request), signedIn: undefined, wantsSwitch: true });
  if (step !== 'identify') throw new Fault('ceremony_expired');
  const outcome = await sources.identify.withPassword(ctx, { identifier, password, clientId: request.clientId });
  if (outcome.state === 'proven')
    return goOn(ctx, await sources.interactions.signedIn(request, outcome.login, outcome.write));
  if (outcome.state === 'busy') ctx.set('retry-after', '3');
  if (outcome.state === 'too_many') ctx.set('retry-after', '60');
  const status = { refused: 401, identifier_form: 400, too_many: 429, busy: 503 }[outcome.state];
  await showSignIn(ctx, request, sources, { identifier, problem: outcome.state, status });
}

async function postContinueAs(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { decision } = await formOf(ctx, DECISION, sources);
  if (decision === 'switch') return goOn(ctx, `/interaction/${request.uid}?switch=1`);
  const signedIn = await sources.interactions.currentPerson(ctx);
  const { step } = await stepOf(ctx, request, sources, false);
  if (decision !== 'continue' || step !== 'continue_as' || !signedIn) throw new Fault('ceremony_expired');
  if (request.prompt === 'select_account') return goOn(ctx, await sources.interactions.chose(request));
  const { personId, amr, acr, at } = signedIn;
  goOn(ctx, await sources.interactions.signedIn(request, { personId, amr, acr: acr ?? '', at }));
}

async function postConsent(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { decision } = await formOf(ctx, DECISION, sources);
  const { step, personId } = await stepOf(ctx, request, sources, false);
  if (step !== 'consent' || personId === undefined) throw new Fault('ceremony_expired');
  const event = { personId, ...originOf(ctx, request) };
  if (decision === 'allow') {
    const details = { scopes: [...request.missingScopes], claims: [...request.missingClaims] };
    return goOn(
      ctx,
      await sources.interactions.consented(request, personId, { ...event, type: 'consent.given', details }),
    );
  }
  await sources.ledger.record({
    ...event,
    type: 'consent.denied',
    outcome: 'failure',
    details: { scopes: [...request.missingScopes] },
  });
  goOn(ctx, await sources.interactions.refused(request, 'access_denied', 'the citizen did not allow the request'));
}

async function postCancel(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await formOf(ctx, DECISION, sources);
  await sources.ledger.record({
    ...originOf(ctx, request),
    type: 'sign-in.cancelled',
    outcome: 'failure',
    actor: 'anonymous',
  });
  goOn(ctx, await sources.interactions.refused(request, 'access_denied', 'the citizen did not sign in'));
}

/** Where a step of the ceremony comes from, for the ledger. */
const originOf = (ctx: Context, { clientId }: CeremonyRequest) => ({
  clientId,
  address: ctx.ip,
  userAgent: ctx.get('user-agent'),
  correlation: String(ctx.state.requestId),
});
