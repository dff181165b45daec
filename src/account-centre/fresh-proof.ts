import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { CERTIFICATE_FIELDS } from '../factors/certificates/certificate-factor.ts';
import { ASSERTION, ASSERTION_FIELDS } from '../factors/passkeys/passkey-form.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import { Fault } from '../shared/fault.ts';
import type { ProofProblem } from '../web/pages-account.ts';
import { ACCOUNT_PURPOSE, accountForm, accountToken, goTo, type Visitor, visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import type { ProofOutcome, ProvenAgain, SignedIn } from './proving.ts';
import { addSecondProofRoutes, showSecondProof } from './second-proof.ts';
import { formWith, hiddenOf, ownPage, type Waiting, waitingFor, waitingForm, waitingIn } from './waiting-form.ts';

const PROVE = '/account/prove';
const BY_PASSKEY_PAGE = `${PROVE}/passkey`;
const BY_CERTIFICATE_PAGE = `${PROVE}/certificate`;

const BY_PASSWORD = formWith({ password: z.string().max(4096) });
const BY_PASSKEY = formWith(ASSERTION_FIELDS);
const BY_CERTIFICATE = formWith(CERTIFICATE_FIELDS);

/** The pages on which a person proves again who they are, and goes on to where they wanted to go. */
export function addFreshProofRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PROVE, (ctx) => showProve(ctx as unknown as Context, sources));
  router.post(PROVE, (ctx) => postPassword(ctx as unknown as Context, sources));
  router.post(BY_PASSKEY_PAGE, (ctx) => postPasskey(ctx as unknown as Context, sources));
  router.post(BY_CERTIFICATE_PAGE, (ctx) => postCertificate(ctx as unknown as Context, sources));
  addSecondProofRoutes(router, sources, goOnProven);
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
 * A form for something sensitive. When a proof has grown old, the person is asked for a new one on the answer to this very
 * form, which keeps what they had filled in; the result is then undefined.
 */
export async function provenForm<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  sources: AccountCentreSources,
): Promise<{ readonly values: Values; readonly person: SignedIn; readonly personId: string } | undefined> {
  const form = await accountForm(ctx, schema, ACCOUNT_PURPOSE, sources);
  if (isFresh(form.person)) return form;
  await askOrGoOn(ctx, form.person, sources, waitingForm(ctx.path, form.values));
  return undefined;
}

async function showProve(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-prove';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (visitor) await askOrGoOn(ctx, visitor, sources, waitingFor(ownPage(ctx.query.next)));
}

/** Asks for what is still stale, and goes on when nothing is. */
async function askOrGoOn(
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  waiting: Waiting,
): Promise<void> {
  if (person.stale?.what === 'second_factor') return showSecondProof(ctx, person, sources, waiting);
  if (person.stale !== undefined) return showForm(ctx, person, sources, waiting);
  if (!waiting.isForm) return goTo(ctx, waiting.next);
  // A form goes on by the person's own hand: the browser would repeat the password to a 307 (A23).
  const { next, kept } = waiting;
  sources.renderer.page(ctx, 'account-proven', { action: next, formToken: accountToken(ctx, sources), kept });
}

const boundOf = (ctx: Context, { sessionUid }: SignedIn, { formTokens }: AccountCentreSources): ChallengeBinding => ({
  purpose: 'prove',
  binding: sessionUid,
  browser: formTokens.browserOf(ctx),
});

/** No challenge that a passkey has answered is worth anything to a certificate. */
const boundOfCertificate = (ctx: Context, person: SignedIn, sources: AccountCentreSources): ChallengeBinding => ({
  ...boundOf(ctx, person, sources),
  binding: `${person.sessionUid} certificate`,
});

async function showForm(
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  waiting: Waiting,
  problem?: ProofProblem,
): Promise<void> {
  ctx.state.page = 'account-prove';
  if (problem === 'busy') ctx.set('retry-after', '3');
  if (problem === 'too_many') ctx.set('retry-after', '60');
  const { passkeys, certificates, passwords, boundFactors } = sources;
  const [records, kinds, passwordChangedAt] = await Promise.all([
    boundFactors.records(person.personId, 'passkey'),
    boundFactors.kindsOf(person.personId),
    passwords.changedAt(person.personId),
  ]);
  const passkey = {
    action: BY_PASSKEY_PAGE,
    options: passkeys.proofOptions(boundOf(ctx, person, sources), records),
  };
  const isGiven = person.stale?.what === 'proof' && person.stale.beside === 'certificate';
  const takesCertificate = certificates.offered && kinds.has('certificate') && !isGiven;
  sources.renderer.page(
    ctx,
    'account-prove',
    {
      action: PROVE,
      formToken: accountToken(ctx, sources),
      fields: hiddenOf(waiting),
      hasPassword: passwordChangedAt !== undefined || (records.length === 0 && !takesCertificate),
      isBeside: isGiven,
      ...(records.length > 0 ? { passkey } : {}),
      ...(takesCertificate
        ? {
            certificate: {
              action: BY_CERTIFICATE_PAGE,
              ...certificates.request(boundOfCertificate(ctx, person, sources)),
            },
          }
        : {}),
      cancelUrl: '/account',
      ...(problem ? { problem } : {}),
    },
    { status: problem ? STATUS[problem] : 200 },
  );
}

const STATUS = {
  refused: 401,
  passkey_refused: 401,
  certificate_refused: 401,
  certificate_expired: 401,
  too_many: 429,
  busy: 503,
} as const;

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

async function postCertificate(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-prove';
  if (!sources.certificates.offered) throw new Fault('unknown_page');
  const { values, person } = await accountForm(ctx, BY_CERTIFICATE, ACCOUNT_PURPOSE, sources);
  const { challenge, answer } = values;
  const bound = boundOfCertificate(ctx, person, sources);
  const outcome = await sources.doors.proveCertificate(ctx, person, { challenge, answer }, bound);
  await afterProof(ctx, person, sources, waitingIn(values), outcome);
}

async function afterProof(
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  waiting: Waiting,
  outcome: ProofOutcome,
): Promise<void> {
  if (outcome.state === 'ended') throw new Fault('ceremony_expired');
  if (outcome.state !== 'proven') return showForm(ctx, person, sources, waiting, outcome.state);
  await goOnProven(ctx, person, sources, waiting, outcome);
}

/** What the session rests on has changed with this answer: what is missing beside it is asked for at once, while a form waits. */
async function goOnProven(
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  waiting: Waiting,
  { stale }: ProvenAgain,
): Promise<void> {
  if (!waiting.isForm && stale !== undefined) return goTo(ctx, proofAddress(waiting.next));
  await askOrGoOn(ctx, { ...person, stale }, sources, waiting);
}
