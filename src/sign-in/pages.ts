import Router from '@koa/router';
import type { Context } from 'koa';
import { Fault } from '../shared/fault.ts';
import { showCertificate } from './certificate-step.ts';
import { postSubject, showChooseSubject, subjectOfConsent } from './choose-subject.ts';
import { postKeep } from './closing.ts';
import { noticeOf, termsShown } from './consent-notice.ts';
import { postCertificate, postCredentials, postPasskey, postScanned, showSignIn } from './identify-step.ts';
import type { CeremonyRequest } from './interactions.ts';
import { takeStep } from './misplaced.ts';
import { showProveIdentity } from './prove-identity.ts';
import { postRenewPassword, showRenewPassword } from './renew-password.ts';
import { postScan, scanState, showScan } from './scan-step.ts';
import { postBegin, postSecondFactor, postWithout, showSecondFactor } from './second-factor.ts';
import {
  DECISION,
  faultOf,
  formOf,
  frame,
  goOn,
  localesOf,
  originOf,
  profileOf,
  requestOf,
  type SignInSources,
  standingOf,
} from './step.ts';

type Step = (ctx: Context, sources: SignInSources) => Promise<void>;

const BASE = '/interaction/:uid';

/** What of the ceremony can be looked at, by the end of its address; nothing is the step it stands at. */
const SHOWS: ReadonlyMap<string, Step> = new Map([
  ['', showStep],
  ['certificate', showCertificate],
  ['scan', showScan],
  ['scan/state', scanState],
]);

/** What a page of the ceremony can send, by the end of its address. */
const STEPS: ReadonlyMap<string, Step> = new Map([
  ['identify', postCredentials],
  ['passkey', postPasskey],
  ['certificate', postCertificate],
  ['scan', postScan],
  ['scan/finish', postScanned],
  ['second-factor', postSecondFactor],
  ['send-code', postBegin],
  ['without', postWithout],
  ['new-password', postRenewPassword],
  ['continue-as', postContinueAs],
  ['choose-subject', postSubject],
  ['consent', postConsent],
  ['keep', postKeep],
  ['cancel', postCancel],
]);

/**
 * The pages of one sign-in. A GET shows the step `nextStep` names; a POST proves or decides one thing and goes back to the
 * protocol, which asks again. No page sends to another.
 */
export function signInRoutes(sources: SignInSources): Router {
  const router = new Router();
  // One pattern each: the router would try one for every step, with each request of every sign-in.
  router.get(`${BASE}{/*step}`, (routed, next) => {
    const ctx = routed as unknown as Context;
    const show = SHOWS.get(endOf(ctx));
    return show === undefined ? next() : show(ctx, sources);
  });
  router.post(`${BASE}/*step`, (routed, next) => {
    const ctx = routed as unknown as Context;
    const name = endOf(ctx);
    const step = STEPS.get(name);
    return step === undefined ? next() : takeStep(ctx, name, () => step(ctx, sources), sources);
  });
  return router;
}

/** What follows the id in the address, as it was written: another spelling of a step is none. */
const endOf = ({ captures }: Context): string => (captures as readonly (string | undefined)[])[1] ?? '';

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
    case 'renew_password':
      return showRenewPassword(ctx, request, sources);
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
