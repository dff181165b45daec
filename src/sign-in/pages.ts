import Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { Passage } from '../defence/gate.ts';
import { Fault } from '../shared/fault.ts';
import { registrationAddress } from '../web/ceremony-address.ts';
import type { SignInProblem } from '../web/pages.ts';
import { PASSAGE_FIELDS, passageFor, passageOf } from '../web/passage.ts';
import type { Admitted } from './admission.ts';
import { proveCertificate, renderCertificate, showCertificate } from './certificate-step.ts';
import { postSubject, showChooseSubject, subjectOfConsent } from './choose-subject.ts';
import { postKeep, showClosing } from './closing.ts';
import { noticeOf, termsShown } from './consent-notice.ts';
import type { IdentifyOutcome } from './identify.ts';
import type { PasskeyOutcome } from './identify-passkey.ts';
import type { CeremonyRequest } from './interactions.ts';
import { passkeyView, provePasskey } from './passkey-step.ts';
import { showProveIdentity } from './prove-identity.ts';
import { finishScan, postScan, scanState, showScan } from './scan-step.ts';
import { postBegin, postSecondFactor, postWithout, showSecondFactor } from './second-factor.ts';
import {
  advance,
  DECISION,
  faultOf,
  formOf,
  frame,
  goOn,
  localesOf,
  originOf,
  profileOf,
  provenBy,
  requestOf,
  type SignInSources,
  standingOf,
} from './step.ts';

const CREDENTIALS = z.strictObject({
  form_token: z.string().max(128),
  identifier: z.string().max(256),
  // Longer than any password may be, so that the policy answers instead of the parser (D1).
  password: z.string().max(4096),
  ...PASSAGE_FIELDS,
});

/**
 * The pages of one sign-in. A GET shows the step `nextStep` names; a POST proves or decides one thing and goes back to the
 * protocol, which asks again. No page sends to another.
 */
export function signInRoutes(sources: SignInSources): Router {
  const router = new Router();
  router.get('/interaction/:uid', (ctx) => showStep(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/identify', (ctx) => postCredentials(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/passkey', (ctx) => postPasskey(ctx as unknown as Context, sources));
  router.get('/interaction/:uid/certificate', (ctx) => showCertificate(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/certificate', (ctx) => postCertificate(ctx as unknown as Context, sources));
  router.get('/interaction/:uid/scan', (ctx) => showScan(ctx as unknown as Context, sources));
  router.get('/interaction/:uid/scan/state', (ctx) => scanState(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/scan', (ctx) => postScan(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/scan/finish', (ctx) => postScanned(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/second-factor', (ctx) => postSecondFactor(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/send-code', (ctx) => postBegin(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/without', (ctx) => postWithout(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/continue-as', (ctx) => postContinueAs(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/choose-subject', (ctx) => postSubject(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/consent', (ctx) => postConsent(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/keep', (ctx) => postKeep(ctx as unknown as Context, sources));
  router.post('/interaction/:uid/cancel', (ctx) => postCancel(ctx as unknown as Context, sources));
  return router;
}

async function showStep(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const standing = await standingOf(ctx, request, sources, { wantsSwitch: ctx.query.switch === '1' });
  const { step, climber } = standing;
  if (step.state === 'refuse') throw new Fault(faultOf(step.reason), `the ceremony cannot go on: ${step.reason}`);
  if (step.state === 'identify') {
    const kept = ctx.query.kept === '1';
    return showSignIn(ctx, request, sources, { identifier: request.loginHint ?? '', kept });
  }
  if (climber === undefined) throw new Fault('ceremony_expired');
  const { personId } = climber;
  switch (step.state) {
    case 'second_factor':
      return showSecondFactor(ctx, request, sources, { step, climber });
    case 'prove_identity':
      return showProveIdentity(ctx, request, sources, { ial: step.ial, climber });
    case 'choose_subject':
      return showChooseSubject(ctx, request, sources, personId);
    case 'consent':
      return showConsent(ctx, request, sources, personId);
    default:
      // Nothing is missing any more, by another window perhaps: whoever is there says so.
      return showContinueAs(ctx, request, sources, personId);
  }
}

async function showSignIn(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  {
    identifier,
    problem,
    kept,
    passage,
    status = 200,
  }: { identifier: string; problem?: SignInProblem; kept?: boolean; passage?: Passage; status?: number },
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
      passkey: passkeyView(ctx, request, sources),
      scanAction: `/interaction/${request.uid}/scan`,
      ...(sources.certificates.offered ? { certificateUrl: `/interaction/${request.uid}/certificate` } : {}),
      ...(problem ? { problem } : {}),
      ...(kept ? { kept } : {}),
      ...(await passageFor(ctx, sources.gate, `/interaction/${request.uid}`, passage)),
      ...(sources.registerUrl ? { registerUrl: registrationAddress(sources.registerUrl, request.uid) } : {}),
      ...(sources.recoverUrl ? { recoverUrl: registrationAddress(sources.recoverUrl, request.uid) } : {}),
    },
    { status, ...localesOf(request) },
  );
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
      ...(profile.maskedName === undefined ? {} : { maskedName: profile.maskedName }),
      maskedIdNumber: profile.maskedNumber,
    },
    localesOf(request),
  );
}

async function showConsent(ctx: Context, request: CeremonyRequest, sources: SignInSources, personId: string) {
  const { portal, formToken, party } = await frame(ctx, request, sources);
  const profile = await profileOf(personId, sources);
  sources.renderer.page(
    ctx,
    'consent',
    {
      action: `/interaction/${request.uid}/consent`,
      formToken,
      portal,
      maskedName: profile.maskedName ?? profile.maskedNumber,
      ...(await subjectOfConsent(ctx, request, sources, personId)),
      items: request.missingScopes.map((scope) => ({ scope, sensitive: scope === 'id_number' })),
      claims: [...request.missingClaims],
      ...termsShown(party?.record, sources.renderer.preferences(ctx, request.uiLocales).language),
    },
    localesOf(request),
  );
}

async function postCredentials(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { identifier, password, ...fields } = await formOf(ctx, CREDENTIALS, sources);
  await atIdentify(ctx, request, sources);
  const passage = passageOf(fields);
  const { clientId } = request;
  const outcome = await sources.identify.withPassword(ctx, { identifier, password, clientId, passage });
  await afterProof(ctx, request, sources, { outcome, identifier, passage });
}

async function postPasskey(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await atIdentify(ctx, request, sources);
  const outcome = await provePasskey(ctx, request, sources);
  await afterProof(ctx, request, sources, { outcome, identifier: '', by: 'passkey' });
}

async function postCertificate(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await atIdentify(ctx, request, sources);
  const outcome = await proveCertificate(ctx, request, sources);
  if (outcome.state === 'refused' || outcome.state === 'expired' || outcome.state === 'too_many') {
    return renderCertificate(ctx, request, sources, outcome.state);
  }
  await afterProof(ctx, request, sources, { outcome, identifier: '' });
}

async function postScanned(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await atIdentify(ctx, request, sources);
  const outcome = await finishScan(ctx, request, sources);
  // The page of the code tells what became of it.
  if (outcome.state === 'expired') return goOn(ctx, `/interaction/${request.uid}/scan`);
  await afterProof(ctx, request, sources, { outcome, identifier: '' });
}

/** Whoever may be signed in already, somebody says now who they are: the session is not asked. */
async function atIdentify(ctx: Context, request: CeremonyRequest, sources: SignInSources): Promise<void> {
  const { step } = await standingOf(ctx, request, sources, { wantsSwitch: true });
  if (step.state === 'refuse') throw new Fault(faultOf(step.reason), `the ceremony cannot go on: ${step.reason}`);
  if (step.state !== 'identify') throw new Fault('ceremony_expired');
}

const STATUS = {
  needs_guardian: 403,
  refused: 401,
  expired: 401,
  identifier_form: 400,
  unproven: 429,
  too_many: 429,
  busy: 503,
} as const;

/** Goes on with whoever has proven who they are; everybody else sees the page again. */
async function afterProof(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  {
    outcome,
    identifier,
    by,
    passage,
  }: { outcome: IdentifyOutcome | PasskeyOutcome; identifier: string; by?: 'passkey'; passage?: Passage },
): Promise<void> {
  const refused = outcome.state === 'proven' ? await goesOn(ctx, request, sources, outcome) : outcome;
  if (refused === undefined) return;
  if (refused.state === 'closing') return showClosing(ctx, request, sources, refused.personId);
  if (refused.state === 'busy') ctx.set('retry-after', '3');
  if (refused.state === 'too_many') ctx.set('retry-after', '60');
  if (refused.state === 'unproven') ctx.set('retry-after', '1');
  const problem = by === 'passkey' && refused.state === 'refused' ? 'passkey_refused' : refused.state;
  await showSignIn(ctx, request, sources, { identifier, problem, status: STATUS[refused.state], passage });
}

/**
 * Goes on after a right proof. Where the circumstances forbid it, the answer is that to a wrong one, and counts as one: whoever tries a stolen
 * password from afar must not learn that it is right (D9). Its owner is told where nobody else reads it.
 */
async function goesOn(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  outcome: Admitted,
): Promise<{ readonly state: 'refused' } | undefined> {
  const { person, proof } = outcome;
  const next = await provenBy(ctx, request, sources, outcome);
  if (next.proven.risk.verdict !== 'refuse') {
    await advance(ctx, request, sources, next);
    return undefined;
  }
  const refusal = { personId: person.id, clientId: request.clientId, factor: proof.factor, reason: 'risk' };
  await Promise.all([sources.gate.failed(ctx.ip), sources.admission.refuse(ctx, refusal)]);
  sources.wakeOutbox();
  return { state: 'refused' };
}

async function postContinueAs(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { decision } = await formOf(ctx, DECISION, sources);
  if (decision === 'switch') return goOn(ctx, `/interaction/${request.uid}?switch=1`);
  const { step, signedIn } = await standingOf(ctx, request, sources);
  const isOffered = step.state === 'continue_as' || step.state === 'done';
  if (decision !== 'continue' || !isOffered || !signedIn) throw new Fault('ceremony_expired');
  if (request.prompt === 'select_account') return goOn(ctx, await sources.interactions.chose(request));
  const { personId, at } = signedIn;
  goOn(ctx, await sources.interactions.signedIn(request, { personId, proofs: [], at }));
}

async function postConsent(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { decision } = await formOf(ctx, DECISION, sources);
  const { step, climber } = await standingOf(ctx, request, sources);
  const personId = climber?.personId;
  if (step.state !== 'consent' || personId === undefined) throw new Fault('ceremony_expired');
  const event = { personId, ...originOf(ctx, request) };
  if (decision === 'allow') {
    const details = { scopes: [...request.missingScopes], claims: [...request.missingClaims] };
    const given = { ...event, type: 'consent.given', details } as const;
    return goOn(
      ctx,
      await sources.interactions.consented(request, personId, given, await noticeOf(ctx, request, sources)),
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
