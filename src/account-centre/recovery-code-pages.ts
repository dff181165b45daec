import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { accountToken, visitOf, visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm } from './fresh-proof.ts';

export const RECOVERY_CODES = '/account/recovery-codes';
const FORM = z.strictObject({ form_token: z.string().max(128) });

/** Codes on paper for the day when nothing else works: how many are left, and new ones in their place. */
export function addRecoveryCodeRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(RECOVERY_CODES, (ctx) => showCodes(ctx as unknown as Context, sources));
  router.post(RECOVERY_CODES, (ctx) => postCodes(ctx as unknown as Context, sources));
}

async function showCodes(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-recovery-codes';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (visitor) await render(ctx, visitor.personId, [], sources);
}

async function render(
  ctx: Context,
  personId: string,
  codes: readonly string[],
  sources: AccountCentreSources,
): Promise<void> {
  const stock = await sources.recoveryCodes.stock(personId);
  sources.renderer.page(ctx, 'account-recovery-codes', {
    action: RECOVERY_CODES,
    formToken: accountToken(ctx, sources),
    codes,
    ...(stock === undefined ? {} : { left: stock.left, madeAt: stock.madeAt }),
  });
}

/** The codes stand on this one answer, which no cache keeps; the page that is asked for again shows none. */
async function postCodes(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-recovery-codes';
  const form = await provenForm(ctx, FORM, sources);
  if (!form) return;
  const { personId } = form;
  const codes = await sources.database.write(async (tx) => {
    const made = await sources.recoveryCodes.make(tx, personId);
    const details = { count: made.length };
    await sources.ledger.append(tx, { ...visitOf(ctx), type: 'recovery-codes.made', personId, details });
    await sources.notices.tell(tx, personId, 'recovery-codes-made', {});
    return made;
  });
  sources.reach.wakeOutbox();
  await render(ctx, personId, codes, sources);
}
