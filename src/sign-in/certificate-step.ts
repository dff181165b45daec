import type { Context } from 'koa';
import { z } from 'zod';
import { CERTIFICATE_FIELDS } from '../factors/certificates/certificate-factor.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import { Fault } from '../shared/fault.ts';
import type { CertificateProblem } from '../web/pages-possession.ts';
import type { CertificateOutcome } from './identify-certificate.ts';
import type { CeremonyRequest } from './interactions.ts';
import { formOf, frame, localesOf, requestOf, type SignInSources } from './step.ts';

const FORM = z.strictObject({ form_token: z.string().max(128), ...CERTIFICATE_FIELDS });

const pageOf = (uid: string): string => `/interaction/${uid}/certificate`;
const boundOf = (uid: string, browser: string): ChallengeBinding => ({
  purpose: 'sign-in',
  binding: `${uid} certificate`,
  browser,
});

/** Where somebody signs in with the key of a certificate. */
export async function showCertificate(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await renderCertificate(ctx, request, sources);
}

export async function renderCertificate(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  problem?: CertificateProblem,
): Promise<void> {
  const { certificates, formTokens, renderer } = sources;
  if (!certificates.offered) throw new Fault('unknown_page');
  const { portal, formToken } = await frame(ctx, request, sources);
  renderer.page(
    ctx,
    'certificate',
    {
      action: pageOf(request.uid),
      formToken,
      portal,
      ...certificates.request(boundOf(request.uid, formTokens.browserOf(ctx))),
      backUrl: `/interaction/${request.uid}`,
      ...(problem ? { problem } : {}),
    },
    { status: problem ? (problem === 'too_many' ? 429 : 401) : 200, ...localesOf(request) },
  );
}

/** Takes what a key has signed. */
export async function proveCertificate(
  ctx: Context,
  { uid, clientId }: CeremonyRequest,
  sources: SignInSources,
): Promise<CertificateOutcome> {
  const { challenge, answer } = await formOf(ctx, FORM, sources);
  const bound = boundOf(uid, sources.formTokens.browserOf(ctx));
  return sources.identifyCertificate.withCertificate(ctx, { bound, challenge, answer, clientId });
}
