import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { addressGroup } from '../defence/networks.ts';
import type { CodeBinding } from '../factors/one-time-code.ts';
import { parseIdentifier, type SignInIdentifier } from '../people/identifiers/identifier.ts';
import { Fault } from '../shared/fault.ts';
import type { ContactProblem } from '../web/pages-account.ts';
import { accountToken, goTo, visitOf } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm, provenVisitor } from './fresh-proof.ts';
import { checkSentCode } from './sent-code.ts';

type ContactType = 'phone' | 'email';

const METHODS = '/account/methods';
const pageOf = (type: ContactType): string => `${METHODS}/${type}`;
const CHANNEL = { phone: 'sms', email: 'email' } as const;
const token = z.string().max(128);
const ADDRESS = z.strictObject({ form_token: token, address: z.string().max(320) });
const CODE = z.strictObject({ form_token: token, address: z.string().max(320), code: z.string().max(64) });
const REMOVE = z.strictObject({ form_token: token });

/** Binding a phone or a mailbox by a code that is sent there, and letting go of it. */
export function addContactRoutes(router: Router, sources: AccountCentreSources, type: ContactType): void {
  const page = pageOf(type);
  router.get(page, (ctx) => showAddress(ctx as unknown as Context, sources, type));
  router.post(page, (ctx) => postAddress(ctx as unknown as Context, sources, type));
  router.post(`${page}/code`, (ctx) => postCode(ctx as unknown as Context, sources, type));
  router.post(`${page}/remove`, (ctx) => postRemove(ctx as unknown as Context, sources, type));
}

async function showAddress(ctx: Context, sources: AccountCentreSources, type: ContactType): Promise<void> {
  if (!sources.reach.messages.reaches(CHANNEL[type])) throw new Fault('unknown_page');
  if (await provenVisitor(ctx, sources)) renderAddress(ctx, sources, type, '');
}

function renderAddress(
  ctx: Context,
  sources: AccountCentreSources,
  type: ContactType,
  address: string,
  problem?: ContactProblem,
): void {
  ctx.state.page = 'account-contact';
  sources.renderer.page(
    ctx,
    'account-contact',
    {
      type,
      action: pageOf(type),
      formToken: accountToken(ctx, sources),
      address: address.slice(0, 320),
      ...(problem ? { problem } : {}),
    },
    { status: problem === undefined ? 200 : problem === 'too_many' ? 429 : 400 },
  );
}

/** Sends a code, whoever else may use the address: to whom it belongs is proven by the code alone. */
async function postAddress(ctx: Context, sources: AccountCentreSources, type: ContactType): Promise<void> {
  ctx.state.page = 'account-contact';
  const form = await provenForm(ctx, ADDRESS, sources);
  if (!form) return;
  const { address: typed } = form.values;
  const parsed = parseIdentifier(type, typed);
  const { reach, database, renderer } = sources;
  if (!parsed.ok || !reach.messages.reaches(CHANNEL[type]))
    return renderAddress(ctx, sources, type, typed, 'malformed');
  const { personId } = form;
  const address = parsed.identifier.value;
  const network = addressGroup(ctx.ip);
  if ((await reach.messageQuota.admit({ address, account: personId, network })) !== 'admitted') {
    return renderAddress(ctx, sources, type, typed, 'too_many');
  }
  const { language } = renderer.preferences(ctx);
  const bound = boundOf(ctx, personId, parsed.identifier, sources);
  const state = await database.write(async (tx) => {
    const issued = await reach.codes.issue(tx, bound);
    if (issued.state !== 'issued') return issued.state;
    await reach.messages.post(tx, {
      channel: CHANNEL[type],
      address,
      template: 'code-bind',
      values: { code: issued.code, minutes: issued.minutes },
      language,
      personId,
      lifetimeSeconds: reach.codeSeconds,
    });
    return issued.state;
  });
  reach.wakeOutbox();
  if (state === 'exhausted') return renderAddress(ctx, sources, type, typed, 'too_many');
  // One that was sent a moment ago is on its way still.
  renderCode(ctx, sources, type, address);
}

/** One address of one person in one browser; another address has a code of its own, so what the form carries cannot be exchanged. */
const boundOf = (
  ctx: Context,
  personId: string,
  { type, value }: SignInIdentifier,
  { index, formTokens }: AccountCentreSources,
): CodeBinding => ({
  purpose: 'bind',
  binding: `${personId} ${index.name({ type: 'contact', issuer: type, number: value })}`,
  browser: formTokens.browserOf(ctx),
});

function renderCode(
  ctx: Context,
  sources: AccountCentreSources,
  type: ContactType,
  address: string,
  problem?: ContactProblem,
): void {
  const { mailboxUrl, codeSeconds } = sources.reach;
  ctx.state.page = 'account-contact-code';
  sources.renderer.page(
    ctx,
    'account-contact-code',
    {
      type,
      action: `${pageOf(type)}/code`,
      backUrl: pageOf(type),
      formToken: accountToken(ctx, sources),
      address,
      minutes: Math.floor(codeSeconds / 60),
      ...(mailboxUrl === undefined ? {} : { mailboxUrl }),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

async function postCode(ctx: Context, sources: AccountCentreSources, type: ContactType): Promise<void> {
  ctx.state.page = 'account-contact-code';
  const form = await provenForm(ctx, CODE, sources);
  if (!form) return;
  const { personId, values } = form;
  const parsed = parseIdentifier(type, values.address);
  if (!parsed.ok) throw new Fault('malformed_request');
  const { identifier } = parsed;
  const bound = boundOf(ctx, personId, identifier, sources);
  const checked = await checkSentCode(
    ctx,
    { attempts: sources.attempts, codes: sources.reach.codes },
    { bound, entered: values.code, account: `bind ${personId}` },
  );
  if (checked.state !== 'match') return renderCode(ctx, sources, type, values.address, `code_${checked.state}`);
  const { database, identifiers, notices, persons } = sources;
  let left: string | undefined;
  const isBound = await database.write(async (tx) => {
    if (!(await checked.consume(tx))) return false;
    // Told before it is bound: over what the person could be reached by until now (D12).
    await notices.tell(tx, personId, 'sign-in-changed', {});
    const proof = { ...visitOf(ctx), origin: 'account', verifiedBy: 'one_time_code' };
    const outcome = await identifiers.bindIn(tx, personId, identifier, proof);
    left = outcome.ok ? outcome.left : undefined;
    return outcome.ok;
  });
  persons.forget(personId);
  if (left !== undefined) persons.forget(left);
  sources.reach.wakeOutbox();
  if (!isBound) return renderCode(ctx, sources, type, values.address, 'code_expired');
  goTo(ctx, `${METHODS}?done=bound`);
}

async function postRemove(ctx: Context, sources: AccountCentreSources, type: ContactType): Promise<void> {
  ctx.state.page = 'account-methods';
  const form = await provenForm(ctx, REMOVE, sources);
  if (!form) return;
  await releaseIdentifier(ctx, sources, form.personId, type);
  goTo(ctx, `${METHODS}?done=removed`);
}

/** Lets go of one way to sign in; the person is told over all they had until now. */
export async function releaseIdentifier(
  ctx: Context,
  { database, notices, identifiers, persons, reach }: AccountCentreSources,
  personId: string,
  type: SignInIdentifier['type'],
): Promise<void> {
  if (!(await identifiers.list(personId)).some((one) => one.type === type)) return;
  const asked = { ...visitOf(ctx), origin: 'account' };
  await database.write(async (tx) => {
    await notices.tell(tx, personId, 'sign-in-changed', {});
    await identifiers.releaseIn(tx, personId, type, asked);
  });
  persons.forget(personId);
  reach.wakeOutbox();
}
