import type { Context } from 'koa';
import type { Attempt, Attempts } from '../factors/attempts.ts';
import type { CheckOutcome, CodeBinding, OneTimeCodes } from '../factors/one-time-code.ts';
import { Fault } from '../shared/fault.ts';

const WAIT_SECONDS = 60;

/**
 * Checks a sent code under the limits of everything that is guessed at (D6, V31): one attempt is taken from the account, the address and its
 * network before the code is looked at, so that a new code is no new allowance. `account` is whoever the code was asked for, or what stands
 * for nobody. Throws `Fault('too_many_requests')` when the address must wait, after `refused` was told.
 */
export async function checkSentCode(
  ctx: Context,
  { attempts, codes }: { readonly attempts: Attempts; readonly codes: Pick<OneTimeCodes, 'check'> },
  {
    bound,
    entered,
    account,
    knownDeviceDigest,
  }: { readonly bound: CodeBinding; readonly entered: string } & Pick<Attempt, 'account' | 'knownDeviceDigest'>,
  refused: (reason: string) => Promise<void> = async () => undefined,
): Promise<CheckOutcome> {
  const attempt = { account, address: ctx.ip, knownDeviceDigest, kind: 'sent_code' } as const;
  const allowance = await attempts.take(attempt);
  if (allowance === 'address_exhausted') {
    await refused('address_limit');
    throw new Fault('too_many_requests', undefined, { retryAfterSeconds: WAIT_SECONDS });
  }
  if (allowance === 'account_exhausted') return { state: 'exhausted' };
  const outcome = await codes.check(bound, entered);
  if (outcome.state === 'match') await attempts.succeeded(attempt);
  return outcome;
}
