import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { ATTESTATION_FIELDS } from '../factors/passkeys/passkey-form.ts';
import type { PasskeyOwner } from '../factors/passkeys/passkeys.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import { Fault } from '../shared/fault.ts';
import type { PasskeyProblem } from '../web/pages-possession.ts';
import { accountToken, goTo, type Visitor, visitOf } from './account-form.ts';
import { describeDevice } from './devices.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm, provenVisitor } from './fresh-proof.ts';
import type { SignedIn } from './proving.ts';

export const METHODS = '/account/methods';
export const PASSKEY = `${METHODS}/passkey`;
const LABEL_CHARACTERS_MAX = 64;
const FORM = z.strictObject({
  form_token: z.string().max(128),
  label: z.string().max(LABEL_CHARACTERS_MAX),
  ...ATTESTATION_FIELDS,
});
const STATUS: Readonly<Record<PasskeyProblem, number>> = {
  refused: 400,
  expired: 400,
  model: 403,
  taken: 409,
  too_many: 409,
};

/** Adding a passkey, by somebody who has just proven who they are. */
export function addPasskeyRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PASSKEY, (ctx) => showPasskey(ctx as unknown as Context, sources));
  router.post(PASSKEY, (ctx) => postPasskey(ctx as unknown as Context, sources));
}

const boundOf = (ctx: Context, { sessionUid }: SignedIn, { formTokens }: AccountCentreSources): ChallengeBinding => ({
  purpose: 'bind',
  binding: sessionUid,
  browser: formTokens.browserOf(ctx),
});

const ownerOf = ({ personId, profile: { maskedName, maskedNumber } }: Visitor): PasskeyOwner => ({
  id: personId,
  name: maskedNumber,
  displayName: maskedName ?? maskedNumber,
});

async function showPasskey(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-passkey';
  const visitor = await provenVisitor(ctx, sources);
  if (visitor) await render(ctx, visitor, sources);
}

async function render(ctx: Context, visitor: Visitor, sources: AccountCentreSources, problem?: PasskeyProblem) {
  const { renderer, passkeys, boundFactors } = sources;
  const records = await boundFactors.records(visitor.personId, 'passkey');
  const { language } = renderer.preferences(ctx);
  renderer.page(
    ctx,
    'account-passkey',
    {
      formToken: accountToken(ctx, sources),
      passkey: {
        action: PASSKEY,
        options: passkeys.creationOptions(boundOf(ctx, visitor, sources), ownerOf(visitor), records),
      },
      label: describeDevice(ctx.get('user-agent'), language),
      backUrl: METHODS,
      ...(problem ? { problem } : {}),
    },
    { status: problem ? STATUS[problem] : 200 },
  );
}

async function postPasskey(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-passkey';
  const form = await provenForm(ctx, FORM, sources);
  if (!form) return;
  const { personId, person } = form;
  const { label, form_token: _token, ...attestation } = form.values;
  const profile = await sources.persons.profile(personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'the signed-in person may not act any more');
  const visitor = { ...person, profile };
  const { passkeys, boundFactors, database, ledger, notices } = sources;
  const records = await boundFactors.records(personId, 'passkey');
  const offer = await passkeys.accept(boundOf(ctx, person, sources), attestation, ownerOf(visitor), records);
  if (offer.state !== 'good') {
    const details = { origin: 'account', kind: 'passkey', reason: offer.reason };
    await ledger.record({ ...visitOf(ctx), type: 'factor.refused', outcome: 'failure', personId, details });
    const problem = offer.state === 'refused' && offer.reason === 'model' ? 'model' : offer.state;
    return render(ctx, visitor, sources, problem);
  }
  const { language } = sources.renderer.preferences(ctx);
  const named = label.trim() === '' ? describeDevice(ctx.get('user-agent'), language) : label;
  const bound = await database.write(async (tx) => {
    if (!(await offer.write(tx))) return 'expired';
    const change = { ...visitOf(ctx), origin: 'account' };
    const outcome = await boundFactors.bind(tx, { ...offer.factor, personId, label: named }, change);
    if (!outcome.ok) return outcome.reason;
    await notices.tell(tx, personId, 'sign-in-changed', {});
    return 'bound';
  });
  if (bound !== 'bound') return render(ctx, visitor, sources, bound);
  sources.reach.wakeOutbox();
  goTo(ctx, `${METHODS}?done=passkey`);
}
