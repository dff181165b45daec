import type { Context } from 'koa';
import { z } from 'zod';
import { addressGroup } from '../../defence/networks.ts';
import type { LedgerEvent } from '../../ledger/ledger.ts';
import type { Draft, DraftChange, DraftStep } from '../../people/enrolment-drafts.ts';
import { Fault } from '../../shared/fault.ts';
import { ceremonyAddress, registrationAddress } from '../../web/ceremony-address.ts';
import { hostCookieName, readCookie, writeCookie } from '../../web/cookies.ts';
import { goTo, visitOf } from '../account-form.ts';
import { strangerForm } from '../stranger-form.ts';
import type { EnrolmentSources } from './enrolment-sources.ts';

export const PAGE = '/register';
export const PURPOSE = 'register';

/** The page of each step. */
export const PAGE_OF: Readonly<Record<DraftStep, string>> = {
  identity: PAGE,
  phone: `${PAGE}/phone`,
  code: `${PAGE}/code`,
  password: `${PAGE}/password`,
  exists: `${PAGE}/exists`,
  confirm: `${PAGE}/confirm`,
};

/** Of the steps of a person, those that a draft has behind it when it stands at the key: they may be done again. */
const BEHIND: Readonly<Record<DraftStep, readonly DraftStep[]>> = {
  identity: ['identity'],
  phone: ['identity', 'phone'],
  code: ['identity', 'phone', 'code'],
  password: ['identity', 'phone', 'password'],
  exists: ['identity'],
  confirm: [],
};

/** Whether a draft may be worked on at this step. What a counter has entered, nobody changes afterwards. */
export const mayBeAt = (draft: Draft, step: DraftStep): boolean =>
  draft.kind === 'self' ? BEHIND[draft.step].includes(step) : draft.step === step;

/** What every form of a step has; `draft` is the version it was shown for. */
export const STEP_FIELDS = {
  form_token: z.string().max(128),
  draft: z.string().regex(/^\d{1,9}$/),
  continue: z.string().max(64).optional(),
};

const COOKIE = 'enrolment';

export const addressAfter = (waiting: string | undefined): string =>
  waiting === undefined ? '/account' : ceremonyAddress(waiting);

/** The first page of enrolment, for somebody whom a sign-in may wait for. */
export const beginning = (waiting: string | undefined): string =>
  waiting === undefined ? PAGE : registrationAddress(PAGE, waiting);

/** The draft of this browser, if one lives. */
export const draftOf = (ctx: Context, { drafts, formTokens, secure }: EnrolmentSources): Promise<Draft | undefined> =>
  drafts.find(readCookie(ctx.get('cookie'), hostCookieName(COOKIE, secure)), formTokens.knownBrowserOf(ctx));

export function keepDraft(ctx: Context, secret: string, { secure, draftSeconds }: EnrolmentSources): void {
  ctx.append('set-cookie', writeCookie(COOKIE, secret, { secure, maxAgeSeconds: draftSeconds }));
}

/** What each form of a step hides beside its token. */
export const hiddenOf = (ctx: Context, draft: Draft | undefined, { formTokens }: EnrolmentSources) => ({
  formToken: formTokens.issue(formTokens.browserOf(ctx), PURPOSE),
  draft: String(draft?.version ?? 0),
});

export const refusal = (
  ctx: Context,
  reason: string,
  { failures }: EnrolmentSources,
  more: Pick<LedgerEvent, 'personId'> = {},
): Promise<void> =>
  failures.record({
    ...visitOf(ctx),
    ...more,
    type: 'registration.refused',
    outcome: 'failure',
    actor: 'anonymous',
    details: { reason },
  });

/** Kindly tells somebody that this page is not where they stand, and where that is. */
export async function stop(
  ctx: Context,
  reason: 'lost' | 'order',
  goOnUrl: string,
  waiting: string | undefined,
  { renderer }: EnrolmentSources,
): Promise<void> {
  renderer.page(
    ctx,
    'register-stopped',
    { reason, goOnUrl, signInUrl: addressAfter(waiting) },
    {
      status: reason === 'lost' ? 410 : 409,
    },
  );
}

/** For a page of a step that is shown: the draft if it may be there, else the browser is led to where it stands. */
export async function draftAt(ctx: Context, step: DraftStep, sources: EnrolmentSources): Promise<Draft | undefined> {
  ctx.state.page = `register-${step}`;
  const draft = await draftOf(ctx, sources);
  if (draft === undefined) {
    await stop(ctx, 'lost', PAGE, undefined, sources);
    return undefined;
  }
  if (!mayBeAt(draft, step) && draft.step !== step) {
    goTo(ctx, PAGE_OF[draft.step]);
    return undefined;
  }
  return draft;
}

/**
 * Reads the form of a step. Undefined, and answered, when there is no such draft in this browser any more, when it stands elsewhere
 * or has gone on since the page was shown: out of order, sent twice, in another browser, too late (V3).
 */
export async function stepForm<Values extends { form_token: string; draft: string; continue?: string | undefined }>(
  ctx: Context,
  step: DraftStep,
  schema: z.ZodType<Values>,
  sources: EnrolmentSources,
): Promise<{ readonly values: Values; readonly draft: Draft } | undefined> {
  ctx.state.page = `register-${step}`;
  const { values } = await strangerForm(ctx, schema, PURPOSE, sources);
  const draft = await draftOf(ctx, sources);
  if (draft === undefined) {
    await refusal(ctx, 'no_draft', sources);
    await stop(ctx, 'lost', beginning(waitingOf(values.continue)), waitingOf(values.continue), sources);
    return undefined;
  }
  if (!mayBeAt(draft, step) || draft.version !== Number(values.draft)) {
    await outOfOrder(ctx, draft, sources);
    return undefined;
  }
  return { values, draft };
}

const WAITING = /^[A-Za-z0-9_-]{43}$/;
const waitingOf = (value: string | undefined): string | undefined =>
  value !== undefined && WAITING.test(value) ? value : undefined;

/** The answer to a step that does not fit the draft: where the draft stands now. */
export async function outOfOrder(ctx: Context, draft: Draft | undefined, sources: EnrolmentSources): Promise<void> {
  await refusal(ctx, 'out_of_order', sources);
  const now = (await draftOf(ctx, sources)) ?? draft;
  await stop(ctx, 'order', now === undefined ? PAGE : PAGE_OF[now.step], now?.content.continue, sources);
}

/** The event of a draft that goes on. */
export const advanced = (ctx: Context, id: string, step: DraftStep): LedgerEvent => ({
  ...visitOf(ctx),
  type: 'enrolment.advanced',
  actor: 'anonymous',
  details: { draft: id, step },
});

/** Takes a draft to its next step, with the event; false when it has changed meanwhile. */
export const goOn = (ctx: Context, draft: Draft, change: DraftChange, { database, drafts, ledger }: EnrolmentSources) =>
  database.write(async (tx) => {
    if (!(await drafts.advance(tx, draft, change))) return false;
    await ledger.append(tx, advanced(ctx, draft.id, change.step));
    return true;
  });

/** Every look into the register or at what a counter has begun counts, whatever becomes of it. */
export async function takeOne(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const { counters, limits } = sources;
  const taken = await counters.take(`register:address:${addressGroup(ctx.ip)}`, limits.addressWindowSeconds);
  if (taken <= limits.registrationsPerAddress) return;
  await refusal(ctx, 'address_limit', sources);
  throw new Fault('too_many_requests', undefined, { retryAfterSeconds: limits.addressWindowSeconds });
}
