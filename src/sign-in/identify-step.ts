import type { Context } from 'koa';
import { z } from 'zod';
import type { Passage } from '../defence/gate.ts';
import { Fault } from '../shared/fault.ts';
import { registrationAddress } from '../web/ceremony-address.ts';
import type { SignInProblem } from '../web/pages.ts';
import { PASSAGE_FIELDS, passageFor, passageOf } from '../web/passage.ts';
import type { Admitted } from './admission.ts';
import { proveCertificate, renderCertificate } from './certificate-step.ts';
import { showClosing } from './closing.ts';
import type { IdentifyOutcome } from './identify.ts';
import type { PasskeyOutcome } from './identify-passkey.ts';
import type { CeremonyRequest } from './interactions.ts';
import { passkeyView, provePasskey } from './passkey-step.ts';
import { finishScan } from './scan-step.ts';
import {
  AT_ONCE,
  advance,
  faultOf,
  formOf,
  frame,
  goOn,
  localesOf,
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
  ...AT_ONCE,
  ...PASSAGE_FIELDS,
});

/** The page that asks who somebody is. */
export async function showSignIn(
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

/** Takes a name and a password. */
export async function postCredentials(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { identifier, password, at_once: atOnce, ...fields } = await formOf(ctx, CREDENTIALS, sources);
  ctx.state.showsNext = atOnce !== undefined;
  await atIdentify(ctx, request, sources);
  const passage = passageOf(fields);
  const { clientId } = request;
  const outcome = await sources.identify.withPassword(ctx, { identifier, password, clientId, passage });
  await afterProof(ctx, request, sources, { outcome, identifier, passage });
}

/** Takes what a device has signed. */
export async function postPasskey(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await atIdentify(ctx, request, sources);
  const outcome = await provePasskey(ctx, request, sources);
  await afterProof(ctx, request, sources, { outcome, identifier: '', by: 'passkey' });
}

/** Takes what a certificate has signed. */
export async function postCertificate(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await atIdentify(ctx, request, sources);
  const outcome = await proveCertificate(ctx, request, sources);
  if (outcome.state === 'refused' || outcome.state === 'expired' || outcome.state === 'too_many') {
    return renderCertificate(ctx, request, sources, outcome.state);
  }
  await afterProof(ctx, request, sources, { outcome, identifier: '' });
}

/** Takes the approval of a phone. */
export async function postScanned(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await atIdentify(ctx, request, sources);
  const outcome = await finishScan(ctx, request, sources);
  // The page of the code tells what became of it.
  if (outcome.state === 'expired') return goOn(ctx, `/interaction/${request.uid}/scan`);
  if (outcome.state === 'proven' && (await restsOnOldPassword(request, outcome, sources))) {
    const told = { personId: outcome.person.id, clientId: request.clientId, factor: outcome.proof.factor };
    await sources.admission.refuse(ctx, { ...told, reason: 'password_outdated' });
    return showSignIn(ctx, request, sources, { identifier: '', problem: 'password_outdated', status: 401 });
  }
  await afterProof(ctx, request, sources, { outcome, identifier: '' });
}

/** The session of the phone may rest on a password that would let nobody in any more: whoever stands here is told what to do. */
const restsOnOldPassword = (
  { demand: { staffOnly } }: CeremonyRequest,
  { person }: Admitted,
  { renewal }: SignInSources,
): Promise<boolean> => renewal.passwords.isOutdated(person.id, { asStaff: staffOnly });

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
  sources.interactions.lookAnew(request, person.id);
  const next = await provenBy(ctx, request, sources, outcome);
  if (next.proven.risk.verdict !== 'refuse') {
    await outcome.settle();
    await advance(ctx, request, sources, next);
    return undefined;
  }
  const refusal = { personId: person.id, clientId: request.clientId, factor: proof.factor, reason: 'risk' };
  await Promise.all([sources.gate.failed(ctx.ip), sources.admission.refuse(ctx, refusal)]);
  sources.wakeOutbox();
  return { state: 'refused' };
}
