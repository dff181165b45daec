import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { normalSerial } from '../../factors/token-stock.ts';
import type { TokenProblem } from '../../web/pages-factors.ts';
import { accountToken, goTo, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenForm, provenVisitor } from '../fresh-proof.ts';

const METHODS = '/account/methods';
export const TOKEN = `${METHODS}/token`;
const FORM = z.strictObject({
  form_token: z.string().max(128),
  serial: z.string().max(64),
  first: z.string().max(64),
  second: z.string().max(64),
});
const STATUS: Readonly<Record<TokenProblem, number>> = { refused: 400, exhausted: 429, too_many: 409 };

/** Binding a hardware token by the serial on its back and two codes in a row. */
export function addTokenRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(TOKEN, (ctx) => show(ctx as unknown as Context, sources));
  router.post(TOKEN, (ctx) => post(ctx as unknown as Context, sources));
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  if (await provenVisitor(ctx, sources)) render(ctx, '', sources);
}

function render(ctx: Context, serial: string, sources: AccountCentreSources, problem?: TokenProblem): void {
  ctx.state.page = 'account-token';
  if (problem === 'exhausted') ctx.set('retry-after', '60');
  sources.renderer.page(
    ctx,
    'account-token',
    {
      action: TOKEN,
      formToken: accountToken(ctx, sources),
      serial: serial.slice(0, 64),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? STATUS[problem] : 200 },
  );
}

async function post(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-token';
  const form = await provenForm(ctx, FORM, sources);
  if (!form) return;
  const { personId, values } = form;
  const { serial, first, second } = values;
  const { tokenBinding, notices, ledger, reach } = sources;
  const outcome = await tokenBinding.bind(
    { personId, address: ctx.ip },
    // Its serial is how people tell it from another; they may give it a name afterwards.
    { serial, first, second, label: normalSerial(serial) },
    { ...visitOf(ctx), origin: 'account' },
    (tx) => notices.tell(tx, personId, 'factor-added', {}),
  );
  if (outcome.ok) {
    reach.wakeOutbox();
    return goTo(ctx, `${METHODS}?done=factor`);
  }
  const details = { origin: 'account', kind: 'otp_token', reason: outcome.reason };
  await ledger.record({ ...visitOf(ctx), type: 'factor.refused', outcome: 'failure', personId, details });
  render(ctx, serial, sources, outcome.reason);
}
