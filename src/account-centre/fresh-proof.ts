import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { ASSERTION, ASSERTION_FIELDS } from '../factors/passkeys/passkey-form.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import { Fault } from '../shared/fault.ts';
import { ACCOUNT_PURPOSE, accountForm, accountToken, goTo, type Visitor, visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources, ProofOutcome, SignedIn } from './doors.ts';

const PROVE = '/account/prove';
const BY_PASSKEY_PAGE = `${PROVE}/passkey`;
const FIELDS_KEPT_MAX = 250;
const KEPT = 'kept.';

/**
 * The addresses a proof may lead to: our own pages of the account centre, in plain letters. What could be read as another host, a
 * climb out of the account or a way around a check does not fit (A26).
 */
const OWN_PAGE = /^\/account(?:\/[A-Za-z0-9_-]{1,64}){0,4}(?:\?[A-Za-z0-9_.=&-]{1,256})?$/;

/** The page of ours that an address names; the overview for everything else. */
export const ownPage = (address: unknown): string =>
  typeof address === 'string' && OWN_PAGE.test(address) ? address : '/account';

const text = (max: number) => z.string().max(max);

/** A form of the page: what proves the person, and whatever is kept of a form that waits. */
const formWith = <Proof extends z.ZodRawShape>(proof: Proof) => {
  const fields = { form_token: text(128), next: text(512), send: z.literal('form').optional(), ...proof };
  return z
    .object(fields)
    .catchall(text(8192))
    .refine((values) => {
      const others = Object.keys(values).filter((name) => !Object.hasOwn(fields, name));
      return (
        others.length <= FIELDS_KEPT_MAX && others.every((name) => /^kept\.[A-Za-z0-9][A-Za-z0-9._-]{0,80}$/.test(name))
      );
    });
};
const BY_PASSWORD = formWith({ password: text(4096) });
const BY_PASSKEY = formWith(ASSERTION_FIELDS);

/** A form that was sent when the proof had grown old: kept in the page that asks for a new one, so that nothing is typed twice. */
interface Waiting {
  readonly next: string;
  readonly isForm: boolean;
  readonly kept: readonly { readonly name: string; readonly value: string }[];
}

/** The page on which a person proves again who they are, and goes on to where they wanted to go. */
export function addFreshProofRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PROVE, (ctx) => showProve(ctx as unknown as Context, sources));
  router.post(PROVE, (ctx) => postPassword(ctx as unknown as Context, sources));
  router.post(BY_PASSKEY_PAGE, (ctx) => postPasskey(ctx as unknown as Context, sources));
}

/** Whether everything the account has was proven a moment ago: who it is, and the second factor of whoever has one (D15). */
export const isFresh = ({ stale }: SignedIn): boolean => stale === undefined;

/**
 * The visitor, with a proof young enough for what is sensitive; whoever has none is sent to prove it first and comes back to this
 * page, and the result is undefined.
 */
export async function provenVisitor(ctx: Context, sources: AccountCentreSources): Promise<Visitor | undefined> {
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor || isFresh(visitor)) return visitor;
  const here = ctx.querystring === '' ? ctx.path : `${ctx.path}?${ctx.querystring}`;
  goTo(ctx, proofAddress(here));
  return undefined;
}

/** Where a proof is asked for that leads on to `next`. */
export const proofAddress = (next: string): string => `${PROVE}?${new URLSearchParams({ next: ownPage(next) })}`;

/**
 * A form for something sensitive. When the proof has grown old, the person is asked for a new one on the answer to this very
 * form, which keeps what they had filled in; the result is then undefined. A password is never kept.
 */
export async function provenForm<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  sources: AccountCentreSources,
): Promise<{ readonly values: Values; readonly person: SignedIn; readonly personId: string } | undefined> {
  const form = await accountForm(ctx, schema, ACCOUNT_PURPOSE, sources);
  if (isFresh(form.person)) return form;
  if (form.person.stale === 'second_factor') {
    // The page of the second factor is that of every sign-in, which keeps no form of ours.
    goTo(ctx, sources.doors.secondFactorUrl('/account'));
    return undefined;
  }
  const kept = Object.entries(form.values).flatMap(([name, value]) =>
    typeof value === 'string' && name !== 'form_token' ? [{ name, value }] : [],
  );
  await showForm(ctx, form.person, sources, { next: ctx.path, isForm: true, kept });
  return undefined;
}

async function showProve(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-prove';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const next = ownPage(ctx.query.next);
  if (isFresh(visitor)) return goTo(ctx, next);
  if (visitor.stale === 'second_factor') return goTo(ctx, sources.doors.secondFactorUrl(next));
  await showForm(ctx, visitor, sources, { next, isForm: false, kept: [] });
}

const boundOf = (ctx: Context, { sessionUid }: SignedIn, { formTokens }: AccountCentreSources): ChallengeBinding => ({
  purpose: 'prove',
  binding: sessionUid,
  browser: formTokens.browserOf(ctx),
});

async function showForm(
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  { next, isForm, kept }: Waiting,
  problem?: Exclude<ProofOutcome, 'proven' | 'ended'>,
): Promise<void> {
  ctx.state.page = 'account-prove';
  if (problem === 'busy') ctx.set('retry-after', '3');
  if (problem === 'too_many') ctx.set('retry-after', '60');
  const { passkeys, passwords, boundFactors } = sources;
  const [records, passwordChangedAt] = await Promise.all([
    boundFactors.records(person.personId, 'passkey'),
    passwords.changedAt(person.personId),
  ]);
  const passkey = {
    action: BY_PASSKEY_PAGE,
    options: passkeys.proofOptions(boundOf(ctx, person, sources), records),
  };
  sources.renderer.page(
    ctx,
    'account-prove',
    {
      action: PROVE,
      formToken: accountToken(ctx, sources),
      next,
      kept: [
        ...(isForm ? [{ name: 'send', value: 'form' }] : []),
        ...kept.map(({ name, value }) => ({ name: KEPT + name, value })),
      ],
      hasPassword: passwordChangedAt !== undefined || records.length === 0,
      ...(records.length > 0 ? { passkey } : {}),
      cancelUrl: '/account',
      ...(problem ? { problem } : {}),
    },
    { status: problem ? STATUS[problem] : 200 },
  );
}

const STATUS = { refused: 401, passkey_refused: 401, too_many: 429, busy: 503 } as const;

async function postPassword(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-prove';
  const { values, person } = await accountForm(ctx, BY_PASSWORD, ACCOUNT_PURPOSE, sources);
  const outcome = await sources.doors.proveAgain(ctx, person, values.password);
  await afterProof(ctx, person, sources, waitingIn(values), outcome);
}

async function postPasskey(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-prove';
  const { values, person } = await accountForm(ctx, BY_PASSKEY, ACCOUNT_PURPOSE, sources);
  const assertion = ASSERTION.parse(values);
  const outcome = await sources.doors.provePasskey(ctx, person, assertion, boundOf(ctx, person, sources));
  await afterProof(ctx, person, sources, waitingIn(values), outcome);
}

function waitingIn(values: Readonly<Record<string, string | undefined>>): Waiting {
  const kept = Object.entries(values).flatMap(([name, value]) =>
    name.startsWith(KEPT) && value !== undefined ? [{ name: name.slice(KEPT.length), value }] : [],
  );
  return { next: ownPage(values.next), isForm: values.send === 'form', kept };
}

async function afterProof(
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  waiting: Waiting,
  outcome: ProofOutcome,
): Promise<void> {
  if (outcome === 'ended') throw new Fault('ceremony_expired');
  if (outcome !== 'proven') return showForm(ctx, person, sources, waiting, outcome);
  const { next, isForm, kept } = waiting;
  if (!isForm) return goTo(ctx, next);
  // A form goes on by the person's own hand: the browser would repeat the password to a 307 (A23).
  sources.renderer.page(ctx, 'account-proven', { action: next, formToken: accountToken(ctx, sources), kept });
}
