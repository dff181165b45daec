import type { Context } from 'koa';
import { z } from 'zod';
import type { Passage } from '../../defence/gate.ts';
import { Fault } from '../../shared/fault.ts';
import type { FormProblem } from '../../web/pages-enrol.ts';
import { PASSAGE_FIELDS, passageFor, passageOf } from '../../web/passage.ts';
import { goTo, visitOf } from '../account-form.ts';
import { RECOVER } from '../entrances.ts';
import { atAddress, strangerForm } from '../stranger-form.ts';
import type { RecoverySources } from './recovery-sources.ts';
import {
  deviceOf,
  FIELDS,
  isUnproven,
  keepRecovery,
  PURPOSE,
  pageAfterProof,
  prove,
  queryOf,
  refusal,
  STEPS,
  signInAfter,
  to,
  tokenFor,
  waitingIn,
} from './steps.ts';

const FORM = z.strictObject({
  ...FIELDS,
  ...PASSAGE_FIELDS,
  identifier: z.string().max(320),
  recoveryCode: z.string().max(64),
});
const ROUTE = 'code';
/** No person has this id. */
const NOBODY = '';

export async function showWithCode(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover-with-code';
  await render(ctx, '', waitingIn(ctx), sources);
}

async function render(
  ctx: Context,
  identifier: string,
  waiting: string | undefined,
  sources: RecoverySources,
  problem?: FormProblem,
  passage?: Passage,
): Promise<void> {
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, STEPS.withCode, queryOf(waiting)) : ctx,
    'recover-with-code',
    {
      action: STEPS.withCode,
      formToken: tokenFor(ctx, sources),
      identifier: identifier.slice(0, 64),
      proofUrl: to(RECOVER, waiting),
      signInUrl: signInAfter(waiting),
      ...(waiting === undefined ? {} : { continueWith: waiting }),
      ...(problem ? { problem } : {}),
      ...(await passageFor(ctx, sources.gate, to(STEPS.withCode, waiting), passage)),
    },
    { status: problem?.code === 'unproven' ? 429 : problem ? 400 : 200 },
  );
}

/**
 * A recovery code stands in for the password once. Attempts are those of sign-in: a stranger who tries codes draws on the same
 * allowance as one who tries passwords (D6, V31). Unknown, wrong, used, locked and shut have one answer (D9).
 */
export async function postWithCode(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover-with-code';
  const { values } = await strangerForm(ctx, FORM, PURPOSE, sources);
  const { identifier, recoveryCode, continue: waiting } = values;
  const resolved = await sources.identifiers.resolve(identifier);
  if (resolved === undefined)
    return render(ctx, identifier, waiting, sources, { field: 'identifier', code: 'identifier' });
  const { person, account } = resolved;
  const device = await deviceOf(ctx, person?.id, sources);
  const attempt = { account, address: ctx.ip, ...(device === undefined ? {} : { knownDeviceDigest: device }) };
  const refuse = async (reason: string): Promise<void> => {
    await refusal(ctx, { route: ROUTE, reason, personId: person?.id }, sources);
    await render(ctx, identifier, waiting, sources, { code: 'recovery_code' });
  };
  const passage = passageOf(values);
  if (await isUnproven(ctx, person?.id, passage, sources))
    return render(ctx, identifier, waiting, sources, { code: 'unproven' }, passage);
  const allowance = await sources.attempts.take(attempt);
  if (allowance === 'address_exhausted') {
    await refusal(ctx, { route: ROUTE, reason: 'address_limit', personId: person?.id }, sources);
    throw new Fault('too_many_requests', undefined, { retryAfterSeconds: 60 });
  }
  // Nobody costs the same look-ups (D9).
  if ((await sources.secondFactorsOf(person?.id ?? NOBODY)).length > 0) return refuse('second_factor');
  // A frozen account opens by proving again who one is, and by nothing less.
  const isOpen = allowance === 'allowed' && person?.status === 'active';
  const begun = await begin(ctx, isOpen ? person.id : undefined, recoveryCode, sources);
  if (begun === undefined) {
    if (allowance === 'account_exhausted') return refuse('locked');
    if (person === undefined) return refuse('unknown');
    return refuse(person.status === 'active' ? 'mismatch' : person.status);
  }
  await sources.attempts.succeeded(attempt);
  sources.wakeOutbox();
  keepRecovery(ctx, begun, sources);
  goTo(ctx, to(pageAfterProof(sources), waiting));
}

/** Spends the code and begins the recovery with it, or does nothing; resolves with the secret of the recovery. */
const begin = (
  ctx: Context,
  personId: string | undefined,
  recoveryCode: string,
  sources: RecoverySources,
): Promise<string | undefined> =>
  sources.database.write(async (tx) => {
    const { recoveries, recoveryCodes, ledger } = sources;
    if (!(await recoveryCodes.redeem(tx, personId, recoveryCode)) || personId === undefined) return undefined;
    const { id, secret } = await recoveries.begin(tx, { personId, account: personId, route: ROUTE });
    const event = { ...visitOf(ctx), personId };
    await ledger.append(tx, { ...event, type: 'recovery.begun', details: { route: ROUTE } });
    await ledger.append(tx, { ...event, type: 'recovery-code.used' });
    await prove(ctx, tx, { id, personId, route: ROUTE }, sources);
    return secret;
  });
