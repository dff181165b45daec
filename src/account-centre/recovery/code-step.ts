import type { Context } from 'koa';
import { z } from 'zod';
import { addressGroup } from '../../defence/networks.ts';
import type { ReachableAt } from '../../delivery/notices.ts';
import type { MessageLanguage } from '../../delivery/texts/texts.ts';
import type { CodeBinding } from '../../factors/one-time-code.ts';
import { randomSecret } from '../../shared/random.ts';
import type { Transaction } from '../../storage/database.ts';
import type { FormProblem } from '../../web/pages-enrol.ts';
import { goTo } from '../account-form.ts';
import { RECOVER } from '../entrances.ts';
import { checkSentCode } from '../sent-code.ts';
import { atAddress, strangerForm } from '../stranger-form.ts';
import type { RecoverySources } from './recovery-sources.ts';
import {
  deviceOf,
  FIELDS,
  PURPOSE,
  pageAfterProof,
  prove,
  queryOf,
  recoveryAt,
  refusal,
  STEPS,
  stop,
  to,
  tokenFor,
  waitingIn,
} from './steps.ts';

const CODE = z.strictObject({ ...FIELDS, code: z.string().max(64) });
const AGAIN = z.strictObject(FIELDS);

/** Whom a code is sent to, and where. */
export interface RecoveryTarget extends ReachableAt {
  readonly personId: string;
}

const boundOf = (id: string, browser: string): CodeBinding => ({ purpose: 'recover', binding: id, browser });

/**
 * Makes the code of a recovery and posts it, as far as the quota has admitted it. Where nobody was found a code is made and posted as well,
 * which nobody ever gets: attempts, their number and their end are then the same, and so is the time it takes (D9).
 */
export async function issueTo(
  tx: Transaction,
  to: {
    readonly id: string;
    readonly browser: string;
    readonly language: MessageLanguage;
    readonly at: RecoveryTarget | undefined;
    readonly isAdmitted: boolean;
  },
  { codes, messages, codeMinutes }: RecoverySources,
): Promise<void> {
  const issued = await codes.issue(tx, boundOf(to.id, to.browser));
  if (issued.state !== 'issued' || !to.isAdmitted) return;
  const { code, minutes } = issued;
  const message = {
    template: 'code-recover',
    values: { code, minutes },
    language: to.language,
    lifetimeSeconds: codeMinutes * 60,
    // A moment later, not always the same: delivering it must not slow down the very next thing the asker asks.
    delaySeconds: 1 + (randomSecret(1).readUInt8() % 2),
  } as const;
  await (to.at === undefined
    ? messages.postToNobody(tx, message)
    : messages.post(tx, {
        ...message,
        channel: to.at.channel,
        address: to.at.address,
        personId: to.at.personId,
      }));
}

export async function showCode(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover-code';
  const waiting = waitingIn(ctx);
  if (await recoveryAt(ctx, 'code', waiting, sources)) render(ctx, waiting, sources);
}

function render(ctx: Context, waiting: string | undefined, sources: RecoverySources, problem?: FormProblem): void {
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, STEPS.code, queryOf(waiting)) : ctx,
    'recover-code',
    {
      action: STEPS.code,
      againAction: `${STEPS.code}/again`,
      formToken: tokenFor(ctx, sources),
      minutes: sources.codeMinutes,
      restartUrl: to(RECOVER, waiting),
      withCodeUrl: to(STEPS.withCode, waiting),
      ...(waiting === undefined ? {} : { continueWith: waiting }),
      ...(sources.mailboxUrl === undefined ? {} : { mailboxUrl: sources.mailboxUrl }),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

export async function postCode(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover-code';
  const { values, browser } = await strangerForm(ctx, CODE, PURPOSE, sources);
  const { continue: waiting } = values;
  const recovery = await recoveryAt(ctx, 'code', waiting, sources);
  if (!recovery) return;
  const { id, personId, route, account } = recovery;
  const outcome = await checkSentCode(
    ctx,
    sources,
    {
      bound: boundOf(id, browser),
      entered: values.code,
      account,
      knownDeviceDigest: await deviceOf(ctx, personId, sources),
    },
    (reason) => refusal(ctx, { route, reason, personId }, sources),
  );
  if (outcome.state !== 'match' || personId === undefined) {
    await refusal(ctx, { route, reason: `code_${outcome.state}`, personId }, sources);
    const code = outcome.state === 'match' ? 'code_expired' : `code_${outcome.state}`;
    return render(ctx, waiting, sources, { field: 'code', code });
  }
  if ((await sources.secondFactorsOf(personId)).length > 0) {
    await refusal(ctx, { route, reason: 'second_factor', personId }, sources);
    return stop(ctx, 'second_factor', waiting, sources);
  }
  const isProven = await sources.database.write(
    async (tx) => (await outcome.consume(tx)) && (await prove(ctx, tx, { id, personId, route }, sources)),
  );
  if (!isProven) {
    await refusal(ctx, { route, reason: 'out_of_order', personId }, sources);
    return render(ctx, waiting, sources, { field: 'code', code: 'code_expired' });
  }
  sources.wakeOutbox();
  goTo(ctx, to(pageAfterProof(sources), waiting));
}

/** Another code, if there is somebody to send it to; the answer is the same either way. */
export async function postCodeAgain(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover-code';
  const { values, browser } = await strangerForm(ctx, AGAIN, PURPOSE, sources);
  const recovery = await recoveryAt(ctx, 'code', values.continue, sources);
  if (!recovery) return;
  const { id, personId } = recovery;
  const at = await reachableTarget(personId, sources);
  const isAdmitted = await admit(ctx, at, personId ?? id, sources);
  const { language } = sources.renderer.preferences(ctx);
  await sources.database.write((tx) => issueTo(tx, { id, browser, language, at, isAdmitted }, sources));
  sources.wakeOutbox();
  goTo(ctx, to(STEPS.code, values.continue));
}

/** Where the code goes, if there is a person and a way to them. */
export async function reachableTarget(
  personId: string | undefined,
  { reachableAt }: RecoverySources,
): Promise<RecoveryTarget | undefined> {
  const at = await reachableAt(personId);
  return at && personId !== undefined ? { ...at, personId } : undefined;
}

/** Takes one message from every quota; the same is taken, at the same price, where there is nobody to send it to. */
export const admit = async (
  ctx: Context,
  target: RecoveryTarget | undefined,
  account: string,
  { messageQuota }: RecoverySources,
): Promise<boolean> =>
  (await messageQuota.admit({
    address: target?.address ?? `nobody ${account}`,
    account,
    network: addressGroup(ctx.ip),
  })) === 'admitted';
