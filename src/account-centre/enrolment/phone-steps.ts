import type { Context } from 'koa';
import { z } from 'zod';
import { addressGroup } from '../../defence/networks.ts';
import type { CodeBinding } from '../../factors/one-time-code.ts';
import type { Draft, DraftContent } from '../../people/enrolment-drafts.ts';
import { parsePersonDetails } from '../../people/person-details.ts';
import type { FormProblem } from '../../web/pages-enrol.ts';
import { goTo } from '../account-form.ts';
import { checkSentCode } from '../sent-code.ts';
import { atAddress } from '../stranger-form.ts';
import type { EnrolmentSources } from './enrolment-sources.ts';
import { findHolder } from './password-step.ts';
import { advanced, draftAt, hiddenOf, outOfOrder, PAGE, PAGE_OF, refusal, STEP_FIELDS, stepForm } from './steps.ts';

const PHONE = z.strictObject({ ...STEP_FIELDS, phone: z.string().max(64) });
const CODE = z.strictObject({ ...STEP_FIELDS, code: z.string().max(64) });
const AGAIN = z.strictObject({ ...STEP_FIELDS });

const TEMPLATE = 'code-register';

export async function showPhone(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const draft = await draftAt(ctx, 'phone', sources);
  if (draft) renderPhone(ctx, draft, draft.content.phone ?? '', sources);
}

function renderPhone(
  ctx: Context,
  draft: Draft,
  phone: string,
  sources: EnrolmentSources,
  problem?: FormProblem & { readonly status: 400 | 429 },
): void {
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, PAGE_OF.phone) : ctx,
    'register-phone',
    {
      action: PAGE_OF.phone,
      ...hiddenOf(ctx, draft, sources),
      phone: phone.slice(0, 32),
      backUrl: `${PAGE}?edit=1`,
      ...(draft.content.continue === undefined ? {} : { continueWith: draft.content.continue }),
      ...(sources.mailboxUrl === undefined ? {} : { mailboxUrl: sources.mailboxUrl }),
      ...(problem ? { problem } : {}),
    },
    { status: problem?.status ?? 200 },
  );
}

/** Sends a code to the number, whoever else may use it: to whom a number belongs is proven by the code alone. */
export async function postPhone(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const form = await stepForm(ctx, 'phone', PHONE, sources);
  if (!form) return;
  const { draft, values } = form;
  const details = parsePersonDetails({ name: draft.content.name, phone: values.phone });
  const phone = details.ok ? details.details.phone : undefined;
  if (phone === undefined)
    return renderPhone(ctx, draft, values.phone, sources, { field: 'phone', code: 'phone', status: 400 });
  const outcome = await send(ctx, draft, { ...draft.content, phone }, sources);
  if (outcome === 'stale') return outOfOrder(ctx, draft, sources);
  if (outcome === 'limited')
    return renderPhone(ctx, draft, values.phone, sources, { code: 'too_many_messages', status: 429 });
  goTo(ctx, PAGE_OF.code);
}

/** The code of one number; another number has another, and its own allowance. */
const boundOf = (draft: Draft, phone: string, { index }: EnrolmentSources): CodeBinding => ({
  purpose: 'register',
  binding: `${draft.id} ${index.name({ type: 'contact', issuer: draft.id, number: phone })}`,
  browser: draft.content.browser,
});

/** Takes the draft to the step `code` with a code on its way; one that was sent a moment ago is not sent again. */
async function send(
  ctx: Context,
  draft: Draft,
  content: DraftContent,
  sources: EnrolmentSources,
): Promise<'sent' | 'limited' | 'stale'> {
  const phone = content.phone ?? '';
  const admitted = await sources.messageQuota.admit({
    address: phone,
    account: draft.id,
    network: addressGroup(ctx.ip),
  });
  if (admitted !== 'admitted') {
    await refusal(ctx, `message_quota_${admitted}`, sources);
    return 'limited';
  }
  const { language } = sources.renderer.preferences(ctx);
  const outcome = await sources.database.write(async (tx): Promise<'sent' | 'stale'> => {
    if (!(await sources.drafts.advance(tx, draft, { step: 'code', content }))) return 'stale';
    const issued = await sources.codes.issue(tx, boundOf(draft, phone, sources));
    await sources.ledger.append(tx, advanced(ctx, draft.id, 'code'));
    if (issued.state !== 'issued') return 'sent';
    const { code, minutes } = issued;
    await sources.messages.post(tx, {
      channel: 'sms',
      address: phone,
      template: TEMPLATE,
      values: { code, minutes },
      language,
      lifetimeSeconds: sources.codeMinutes * 60,
    });
    return 'sent';
  });
  sources.wakeOutbox();
  return outcome;
}

export async function showCode(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const draft = await draftAt(ctx, 'code', sources);
  if (draft) renderCode(ctx, draft, sources);
}

function renderCode(ctx: Context, draft: Draft, sources: EnrolmentSources, problem?: FormProblem): void {
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, PAGE_OF.code) : ctx,
    'register-code',
    {
      action: PAGE_OF.code,
      againAction: `${PAGE_OF.code}/again`,
      ...hiddenOf(ctx, draft, sources),
      phone: draft.content.phone ?? '',
      minutes: sources.codeMinutes,
      backUrl: PAGE_OF.phone,
      ...(draft.content.continue === undefined ? {} : { continueWith: draft.content.continue }),
      ...(sources.mailboxUrl === undefined ? {} : { mailboxUrl: sources.mailboxUrl }),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? (problem.code === 'too_many_messages' ? 429 : 400) : 200 },
  );
}

/** Only who has proven name, number and phone is told whether there is an account already (D9). */
export async function postCode(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const form = await stepForm(ctx, 'code', CODE, sources);
  if (!form) return;
  const { draft, values } = form;
  const bound = boundOf(draft, draft.content.phone ?? '', sources);
  // Nobody is named yet who could be guessed at: each code of the draft, which is a new version of it, has its own allowance.
  const account = `draft ${draft.id} ${draft.version}`;
  const outcome = await checkSentCode(ctx, sources, { bound, entered: values.code, account }, (reason) =>
    refusal(ctx, reason, sources),
  );
  if (outcome.state !== 'match') {
    await refusal(ctx, `code_${outcome.state}`, sources);
    return renderCode(ctx, draft, sources, { field: 'code', code: `code_${outcome.state}` });
  }
  const holder = await findHolder(draft, sources);
  const step = holder === undefined ? 'password' : 'exists';
  const isMine = await sources.database.write(async (tx) => {
    if (!(await outcome.consume(tx))) return false;
    if (!(await sources.drafts.advance(tx, draft, { step, content: draft.content }))) return false;
    await sources.ledger.append(tx, advanced(ctx, draft.id, step));
    return true;
  });
  if (!isMine) return outOfOrder(ctx, draft, sources);
  if (holder !== undefined) await refusal(ctx, 'exists', sources, { personId: holder.id });
  goTo(ctx, PAGE_OF[step]);
}

export async function postCodeAgain(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const form = await stepForm(ctx, 'code', AGAIN, sources);
  if (!form) return;
  const outcome = await send(ctx, form.draft, form.draft.content, sources);
  if (outcome === 'stale') return outOfOrder(ctx, form.draft, sources);
  if (outcome === 'limited') return renderCode(ctx, form.draft, sources, { code: 'too_many_messages' });
  goTo(ctx, PAGE_OF.code);
}
