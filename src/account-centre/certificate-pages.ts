import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { CERTIFICATE_FIELDS } from '../factors/certificates/certificate-factor.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import { Fault } from '../shared/fault.ts';
import type { CertificateProblem } from '../web/pages-possession.ts';
import { accountToken, goTo, visitOf } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm, provenVisitor } from './fresh-proof.ts';
import { METHODS } from './passkey-pages.ts';
import type { SignedIn } from './proving.ts';

export const CERTIFICATE = `${METHODS}/certificate`;
const FORM = z.strictObject({ form_token: z.string().max(128), label: z.string().max(64), ...CERTIFICATE_FIELDS });
const FINGERPRINT_SHOWN = 8;

/** Binding a certificate, by somebody who has just proven who they are, and who holds its key now. */
export function addCertificateRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(CERTIFICATE, (ctx) => showCertificate(ctx as unknown as Context, sources));
  router.post(CERTIFICATE, (ctx) => postCertificate(ctx as unknown as Context, sources));
}

const boundOf = (ctx: Context, { sessionUid }: SignedIn, { formTokens }: AccountCentreSources): ChallengeBinding => ({
  purpose: 'bind',
  binding: `${sessionUid} certificate`,
  browser: formTokens.browserOf(ctx),
});

async function showCertificate(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-certificate';
  if (!sources.certificates.offered) throw new Fault('unknown_page');
  const visitor = await provenVisitor(ctx, sources);
  if (visitor) render(ctx, visitor, sources);
}

function render(ctx: Context, person: SignedIn, sources: AccountCentreSources, problem?: CertificateProblem): void {
  sources.renderer.page(
    ctx,
    'account-certificate',
    {
      action: CERTIFICATE,
      formToken: accountToken(ctx, sources),
      ...sources.certificates.request(boundOf(ctx, person, sources)),
      backUrl: METHODS,
      ...(problem ? { problem } : {}),
    },
    { status: problem ? (problem === 'taken' || problem === 'too_many' ? 409 : 400) : 200 },
  );
}

async function postCertificate(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-certificate';
  const form = await provenForm(ctx, FORM, sources);
  if (!form) return;
  const { values, person, personId } = form;
  const { certificates, boundFactors, database, notices } = sources;
  const verdict = certificates.judge(boundOf(ctx, person, sources), values.challenge, values.answer);
  if (verdict.state !== 'good') return render(ctx, person, sources, verdict.state);
  const { fingerprint, validTo, spend } = verdict;
  const label = values.label.trim() === '' ? fingerprint.slice(0, FINGERPRINT_SHOWN) : values.label;
  const bound = await database.write(async (tx) => {
    if (!(await spend(tx))) return 'expired';
    const factor = { kind: 'certificate', personId, label, secret: String(validTo), state: '0' } as const;
    const change = { ...visitOf(ctx), origin: 'account' };
    const outcome = await boundFactors.bind(tx, { ...factor, externalKey: fingerprint }, change);
    if (!outcome.ok) return outcome.reason;
    await notices.tell(tx, personId, 'factor-added', {});
    return 'bound';
  });
  if (bound !== 'bound') return render(ctx, person, sources, bound);
  sources.reach.wakeOutbox();
  goTo(ctx, `${METHODS}?done=certificate`);
}
