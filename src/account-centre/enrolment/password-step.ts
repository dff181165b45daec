import type { Context } from 'koa';
import { z } from 'zod';
import type { PasskeyOwner } from '../../factors/passkeys/passkeys.ts';
import { judgePassword } from '../../factors/password-policy.ts';
import type { ChallengeBinding } from '../../factors/signed-challenges.ts';
import { factsOfDocument } from '../../people/documents/parse.ts';
import { openAccount } from '../../people/enrolment.ts';
import type { Draft } from '../../people/enrolment-drafts.ts';
import { maskName } from '../../people/masking.ts';
import type { FoundPerson } from '../../people/person.ts';
import { Fault } from '../../shared/fault.ts';
import type { Transaction } from '../../storage/database.ts';
import type { FormProblem } from '../../web/pages-enrol.ts';
import { goTo, visitOf } from '../account-form.ts';
import { atAddress } from '../stranger-form.ts';
import type { EnrolmentSources } from './enrolment-sources.ts';
import {
  addressAfter,
  draftAt,
  goOn,
  hiddenOf,
  outOfOrder,
  PAGE,
  PAGE_OF,
  refusal,
  STEP_FIELDS,
  stepForm,
} from './steps.ts';

const FORM = z.strictObject({
  ...STEP_FIELDS,
  // Longer than any password may be, so that the policy answers instead of the parser (D1).
  password: z.string().max(4096),
  passwordAgain: z.string().max(4096),
});

/** Who has an account with the document of a draft. */
export const findHolder = ({ content }: Draft, { persons }: EnrolmentSources): Promise<FoundPerson | undefined> =>
  persons.findByDocument(content.document);

export async function showPassword(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const draft = await draftAt(ctx, 'password', sources);
  if (draft) renderPassword(ctx, draft, sources);
}

export function renderPassword(ctx: Context, draft: Draft, sources: EnrolmentSources, problem?: FormProblem): void {
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, PAGE_OF.password) : ctx,
    'register-password',
    {
      action: PAGE_OF.password,
      ...hiddenOf(ctx, draft, sources),
      maskedName: maskName(draft.content.name),
      passwordCharactersMin: sources.passwordPolicy.minLength,
      passkey: {
        action: PASSKEY,
        options: sources.passkeys.creationOptions(boundOf(draft), ownerOf(draft), []),
      },
      ...(draft.kind === 'self' ? { backUrl: PAGE_OF.phone } : {}),
      ...(draft.content.continue === undefined ? {} : { continueWith: draft.content.continue }),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

/** The last step, for whoever chooses a password. */
export async function postPassword(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const form = await stepForm(ctx, 'password', FORM, sources);
  if (!form) return;
  const { draft, values } = form;
  const problem = await problemOf(draft, values, sources);
  if (problem) return renderPassword(ctx, draft, sources, problem);
  const prepared = await sources.passwords.prepare(values.password);
  if (prepared === 'busy') throw new Fault('overloaded', undefined, { retryAfterSeconds: 3 });
  const from = visitOf(ctx);
  await finish(ctx, draft, sources, (tx, person) =>
    sources.passwords.store(tx, person.id, prepared, 'registration', from),
  );
}

/** Opens the account together with what its owner will sign in with, and says so. */
export async function finish(
  ctx: Context,
  draft: Draft,
  sources: EnrolmentSources,
  equip: (tx: Transaction, person: FoundPerson) => Promise<void>,
): Promise<void> {
  const outcome = await openAccount(sources, draft, visitOf(ctx), equip);
  if (outcome.state === 'stale') return outOfOrder(ctx, draft, sources);
  if (outcome.state === 'exists') {
    await refusal(ctx, 'exists', sources);
    await goOn(ctx, draft, { step: 'exists', content: draft.content }, sources);
    return goTo(ctx, PAGE_OF.exists);
  }
  const { name, continue: waiting } = draft.content;
  sources.renderer.page(
    atAddress(ctx, PAGE, waiting === undefined ? {} : { continue: waiting }),
    'register-done',
    { maskedName: maskName(name), continueUrl: addressAfter(waiting) },
    { status: 201 },
  );
}

/** Where a passkey is posted that takes the place of the password, what it is asked for, and for whom. */
export const PASSKEY = `${PAGE}/passkey`;
export const boundOf = ({ id, content: { browser } }: Draft): ChallengeBinding => ({
  purpose: 'register',
  binding: id,
  browser,
});
export const ownerOf = ({ id, content: { name } }: Draft): PasskeyOwner => ({
  id,
  name: maskName(name),
  displayName: maskName(name),
});

async function problemOf(
  { content }: Draft,
  { password, passwordAgain }: z.infer<typeof FORM>,
  { passwords, passwordPolicy, contextWords }: EnrolmentSources,
): Promise<FormProblem | undefined> {
  if (password !== passwordAgain) return { field: 'passwordAgain', code: 'passwords_differ' };
  const { document, name, phone } = content;
  const verdict = judgePassword(password, passwordPolicy, {
    idNumber: document.number,
    birthDate: factsOfDocument(document).birthDate,
    name,
    phone,
    words: contextWords,
    breached: await passwords.isBreached(password),
  });
  return verdict.ok ? undefined : { field: 'password', code: `password_${verdict.reason}` };
}

/** Everything was proven, and there is an account: the way leads to it, not past it. */
export async function showExists(ctx: Context, sources: EnrolmentSources): Promise<void> {
  const draft = await draftAt(ctx, 'exists', sources);
  if (!draft) return;
  sources.renderer.page(ctx, 'register-exists', {
    signInUrl: addressAfter(draft.content.continue),
    ...(sources.recoverUrl === undefined ? {} : { recoverUrl: sources.recoverUrl }),
  });
}
