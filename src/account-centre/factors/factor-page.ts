import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { factorLabel } from '../../factors/bound-factors.ts';
import type { BoundFactor } from '../../factors/factor.ts';
import type { Transaction } from '../../storage/database.ts';
import { holdPerson } from '../../storage/row-locks.ts';
import type { FactorProblem } from '../../web/pages-factors.ts';
import { accountToken, goTo, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenForm, provenVisitor } from '../fresh-proof.ts';

const METHODS = '/account/methods';
export const FACTOR = `${METHODS}/factor`;
const ALWAYS = `${METHODS}/always`;
const token = z.string().max(128);
const id = z.string().max(64);
const RENAME = z.strictObject({ form_token: token, id, label: z.string().max(256) });
const REMOVE = z.strictObject({ form_token: token, id });
const ALWAYS_FORM = z.strictObject({ form_token: token, always: z.enum(['yes', 'no']) });
const SHOWN = z.object({ id });

/** One factor of a person, of whatever kind: its name, when it was used, and letting go of it. And whether it is always asked for. */
export function addFactorRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(FACTOR, (ctx) => show(ctx as unknown as Context, sources));
  router.post(`${FACTOR}/rename`, (ctx) => postRename(ctx as unknown as Context, sources));
  router.post(`${FACTOR}/remove`, (ctx) => postRemove(ctx as unknown as Context, sources));
  router.post(ALWAYS, (ctx) => postAlways(ctx as unknown as Context, sources));
}

const changeOf = (ctx: Context) => ({ ...visitOf(ctx), origin: 'account' });

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-factor';
  const visitor = await provenVisitor(ctx, sources);
  if (!visitor) return;
  const query = SHOWN.safeParse(ctx.query);
  await render(ctx, visitor.personId, query.success ? query.data.id : '', sources);
}

/** Whoever follows an old link to something that is gone sees what there is. */
async function render(
  ctx: Context,
  personId: string,
  factorId: string,
  sources: AccountCentreSources,
  problem?: FactorProblem,
): Promise<void> {
  const factors = await sources.boundFactors.list(personId);
  const factor = factors.find((one) => one.id === factorId);
  if (factor === undefined) return goTo(ctx, METHODS);
  const { kind, label, boundAt, lastUsedAt } = factor;
  sources.renderer.page(
    ctx,
    'account-factor',
    {
      action: FACTOR,
      formToken: accountToken(ctx, sources),
      id: factor.id,
      kind,
      label,
      boundAt,
      ...(lastUsedAt === undefined ? {} : { lastUsedAt }),
      isLast: factors.length === 1,
      ...(problem ? { problem } : {}),
    },
    { status: problem === undefined ? 200 : problem === 'label_empty' ? 400 : 409 },
  );
}

async function postRename(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-factor';
  const form = await provenForm(ctx, RENAME, sources);
  if (!form) return;
  const { personId, values } = form;
  if (factorLabel(values.label) === '') return render(ctx, personId, values.id, sources, 'label_empty');
  const { database, boundFactors, notices, reach } = sources;
  await database.write(async (tx) => {
    if (await boundFactors.rename(tx, personId, values.id, values.label, changeOf(ctx)))
      await notices.tell(tx, personId, 'sign-in-changed', {});
  });
  reach.wakeOutbox();
  goTo(ctx, `${METHODS}?done=factor-renamed`);
}

async function postRemove(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-factor';
  const form = await provenForm(ctx, REMOVE, sources);
  if (!form) return;
  const { personId, values } = form;
  const outcome = await sources.database.write((tx) => removeIn(tx, ctx, personId, values.id, sources));
  if (outcome === 'needed' || outcome === 'only_key') return render(ctx, personId, values.id, sources, outcome);
  sources.reach.wakeOutbox();
  goTo(ctx, outcome === 'removed' ? `${METHODS}?done=factor-removed` : METHODS);
}

/**
 * Never the last one while the person wants to be always asked for one: what they rely on must not end unseen. And never the only key of an
 * account that has no password.
 */
async function removeIn(
  tx: Transaction,
  ctx: Context,
  personId: string,
  factorId: string,
  sources: AccountCentreSources,
): Promise<'removed' | 'needed' | 'only_key' | 'unknown'> {
  const { boundFactors, factorPolicies, passwords, trustedDevices, notices, ledger } = sources;
  await holdPerson(tx, sources.database.engine, personId);
  const factors = await boundFactors.list(personId, tx);
  const factor = factors.find((one) => one.id === factorId);
  if (factor === undefined) return 'unknown';
  const hasPassword = (await passwords.changedAt(personId, tx)) !== undefined;
  const isNeeded = factors.length === 1 && (await factorPolicies.of(personId, tx)).alwaysAsk;
  if (isNeeded || (!hasPassword && isOnlyKey(factor, factors))) {
    const reason = isNeeded ? 'needed' : 'only_key';
    const details = { origin: 'account', kind: factor.kind, reason };
    await ledger.append(tx, { ...visitOf(ctx), type: 'factor.refused', outcome: 'failure', personId, details });
    return reason;
  }
  // Told before it goes: over what the person can be reached by until now (D12).
  await notices.tell(tx, personId, 'factor-removed', {});
  await boundFactors.remove(tx, personId, factorId, { ...changeOf(ctx), cause: 'own' });
  // Whoever changes what proves them is asked for it again everywhere.
  await trustedDevices.revokeAllIn(tx, personId, 'factor_removed', visitOf(ctx));
  return 'removed';
}

/** What opens an account by itself, without a password before it. */
const opens = ({ kind }: BoundFactor): boolean => kind === 'passkey' || kind === 'certificate';

const isOnlyKey = (factor: BoundFactor, factors: readonly BoundFactor[]): boolean =>
  opens(factor) && factors.filter(opens).length === 1;

async function postAlways(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-methods';
  const form = await provenForm(ctx, ALWAYS_FORM, sources);
  if (!form) return;
  const { personId, values } = form;
  const alwaysAsk = values.always === 'yes';
  const { database, factorPolicies, notices, reach } = sources;
  await database.write(async (tx) => {
    await holdPerson(tx, database.engine, personId);
    if ((await factorPolicies.of(personId, tx)).alwaysAsk === alwaysAsk) return;
    await factorPolicies.set(tx, personId, { alwaysAsk }, changeOf(ctx));
    await notices.tell(tx, personId, 'sign-in-changed', {});
  });
  reach.wakeOutbox();
  goTo(ctx, `${METHODS}?done=${alwaysAsk ? 'factor-always' : 'factor-sometimes'}`);
}
