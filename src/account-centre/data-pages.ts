import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { nowSeconds } from '../shared/clock.ts';
import { accountToken, visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';

/** Why an undo that was tried came to nothing; anything else in the address is nobody's. */
const UNDO_REFUSALS = z.enum(['late', 'changed', 'document_gone', 'identifier_gone', 'post_gone', 'mandate_gone']);

/** What is kept about a person, and their rights over it. */
export function addDataRoutes(router: Router, sources: AccountCentreSources): void {
  router.get('/account/data', (ctx) => showData(ctx as unknown as Context, sources));
}

async function showData(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-data';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { personId } = visitor;
  const merges = (await sources.merges.of(personId)).filter(
    ({ keptId, state, undoUntil }) => keptId === personId && state === 'open' && undoUntil > nowSeconds(),
  );
  const undo = UNDO_REFUSALS.safeParse(ctx.query.undo);
  sources.renderer.page(ctx, 'account-data', {
    formToken: accountToken(ctx, sources),
    merges: merges.map(({ id, mergedAt, undoUntil }) => ({ id, mergedAt, undoUntil })),
    ...(undo.success ? { undoProblem: undo.data } : {}),
  });
}
