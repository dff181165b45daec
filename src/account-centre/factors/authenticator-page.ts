import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { factorLabel } from '../../factors/bound-factors.ts';
import { totpAddress } from '../../factors/totp.ts';
import type { TotpPlace } from '../../factors/totp-enrolment.ts';
import type { AuthenticatorProblem } from '../../web/pages-factors.ts';
import { qrCode } from '../../web/qr-code.ts';
import { accountToken, goTo, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenForm, provenVisitor } from '../fresh-proof.ts';
import type { SignedIn } from '../proving.ts';

const METHODS = '/account/methods';
export const AUTHENTICATOR = `${METHODS}/authenticator`;
const FORM = z.strictObject({
  form_token: z.string().max(128),
  label: z.string().max(256),
  code: z.string().max(64),
});
const STATUS: Readonly<Record<AuthenticatorProblem, number>> = { mismatch: 400, expired: 400, too_many: 409 };

/** Binding an authenticator app: a picture for its camera, the same to be typed, and the first code that comes out. */
export function addAuthenticatorRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(AUTHENTICATOR, (ctx) => show(ctx as unknown as Context, sources));
  router.post(AUTHENTICATOR, (ctx) => post(ctx as unknown as Context, sources));
}

/** The secret belongs to this person, this sign-in session and this browser (V12). */
const placeOf = (
  ctx: Context,
  { personId, sessionUid }: SignedIn,
  { formTokens }: AccountCentreSources,
): TotpPlace => ({
  personId,
  binding: sessionUid,
  browser: formTokens.browserOf(ctx),
});

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-authenticator';
  const visitor = await provenVisitor(ctx, sources);
  if (visitor) await render(ctx, visitor, '', sources);
}

async function render(
  ctx: Context,
  person: SignedIn,
  label: string,
  sources: AccountCentreSources,
  problem?: AuthenticatorProblem,
): Promise<void> {
  const profile = await sources.persons.profile(person.personId);
  const secret = await sources.totpEnrolment.secretFor(placeOf(ctx, person, sources));
  const { language } = sources.renderer.preferences(ctx);
  const issuer = sources.serviceName[language];
  // Masked: an app on a phone shows it to whoever looks over a shoulder.
  const account = profile?.maskedName ?? profile?.maskedNumber ?? '';
  sources.renderer.page(
    ctx,
    'account-authenticator',
    {
      action: AUTHENTICATOR,
      formToken: accountToken(ctx, sources),
      code: qrCode(totpAddress(secret, issuer, account)),
      secret: secret.match(/.{4}/g) ?? [],
      label: label.slice(0, 64),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? STATUS[problem] : 200 },
  );
}

async function post(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-authenticator';
  const form = await provenForm(ctx, FORM, sources);
  if (!form) return;
  const { person, personId, values } = form;
  const { totpEnrolment, notices, ledger, reach } = sources;
  const change = { ...visitOf(ctx), origin: 'account' };
  const outcome = await totpEnrolment.confirm(
    placeOf(ctx, person, sources),
    { code: values.code, label: factorLabel(values.label) },
    change,
    (tx) => notices.tell(tx, personId, 'factor-added', {}),
  );
  if (outcome.ok) {
    reach.wakeOutbox();
    return goTo(ctx, `${METHODS}?done=factor`);
  }
  const reason = outcome.reason === 'taken' ? 'expired' : outcome.reason;
  const details = { origin: 'account', kind: 'totp', reason };
  await ledger.record({ ...visitOf(ctx), type: 'factor.refused', outcome: 'failure', personId, details });
  await render(ctx, person, values.label, sources, reason);
}
