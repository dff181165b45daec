import type { Context } from 'koa';
import { z } from 'zod';
import { ATTESTATION_FIELDS } from '../../factors/passkeys/passkey-form.ts';
import { Fault } from '../../shared/fault.ts';
import { visitOf } from '../account-form.ts';
import { describeDevice } from '../devices.ts';
import type { EnrolmentSources } from './enrolment-sources.ts';
import { boundOf, finish, ownerOf, renderPassword } from './password-step.ts';
import { refusal, STEP_FIELDS, stepForm } from './steps.ts';

const FORM = z.strictObject({ ...STEP_FIELDS, ...ATTESTATION_FIELDS });

/** The last step, for whoever chooses a passkey in place of a password: it is all the account needs. */
export async function postPasskey(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const form = await stepForm(ctx, 'password', FORM, sources);
  if (!form) return;
  const { draft, values } = form;
  const { passkeys, boundFactors, renderer } = sources;
  const offer = await passkeys.accept(boundOf(draft), values, ownerOf(draft), []);
  if (offer.state !== 'good') {
    await refusal(ctx, `passkey_${offer.state}`, sources);
    return renderPassword(ctx, draft, sources, { code: `passkey_${offer.state}` });
  }
  const { language } = renderer.preferences(ctx);
  const label = describeDevice(ctx.get('user-agent'), language);
  await finish(ctx, draft, sources, async (tx, person) => {
    const change = { ...visitOf(ctx), origin: 'registration' };
    const factor = { ...offer.factor, personId: person.id, label };
    const isTheirs = (await offer.write(tx)) && (await boundFactors.bind(tx, factor, change)).ok;
    if (!isTheirs) throw new Fault('ceremony_expired', 'the passkey was given twice, or belongs to somebody');
  });
}
