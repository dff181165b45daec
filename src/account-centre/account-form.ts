import type { Context } from 'koa';
import type { z } from 'zod';
import type { PersonProfile } from '../people/person.ts';
import { Fault } from '../shared/fault.ts';
import { isForeignPost } from '../web/form-tokens.ts';
import { readForm } from '../web/forms.ts';
import type { AccountCentreSources, Visit } from './doors.ts';
import type { SignedIn } from './proving.ts';

export const visitOf = (ctx: Context): Visit => ({
  address: ctx.ip,
  userAgent: ctx.get('user-agent'),
  correlation: String(ctx.state.requestId),
});

/** Who looks at their own account, and in which session. */
export interface Visitor extends SignedIn {
  readonly profile: PersonProfile;
}

/** What the forms of the account centre are for, as their tokens name it; reporting "this was not me" has one of its own. */
export const ACCOUNT_PURPOSE = 'account';

/** A token for the forms of a page of the account centre, tied to this browser. */
export const accountToken = (ctx: Context, { formTokens }: AccountCentreSources): string =>
  formTokens.issue(formTokens.browserOf(ctx), ACCOUNT_PURPOSE);

/** Whoever is signed in here and may be; everybody else is sent to sign in, and the result is undefined. */
export async function visitorOrSignIn(
  ctx: Context,
  { doors, persons }: AccountCentreSources,
): Promise<Visitor | undefined> {
  const person = await doors.currentPerson(ctx);
  const profile = person && (await persons.profile(person.personId));
  if (person && profile?.status === 'active') return { ...person, profile };
  goTo(ctx, doors.signInUrl());
  return undefined;
}

export interface SentForm<Values> {
  readonly values: Values;
  readonly person: SignedIn;
  readonly personId: string;
}

/**
 * Reads a form of the account centre, from our own page, shown to this browser for `purpose` (E2), sent by somebody who is signed
 * in and may be: whoever was shut out a moment ago may hold a session that is about to end (F2, V42). Throws the fault that fits when it is not.
 */
export async function accountForm<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  purpose: string | ((values: Values) => string),
  sources: AccountCentreSources,
): Promise<SentForm<Values>> {
  const sent = await formOfAnyStatus(ctx, schema, purpose, sources);
  const status = (await sources.persons.find(sent.personId))?.status;
  if (status !== 'active') throw new Fault('ceremony_expired', 'the account is shut');
  return sent;
}

/** The same, whatever has become of the account: even who is frozen may say that it was not them. */
export async function formOfAnyStatus<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  purpose: string | ((values: Values) => string),
  { doors, formTokens, origin }: AccountCentreSources,
): Promise<SentForm<Values>> {
  if (isForeignPost(ctx.headers, origin)) throw new Fault('foreign_origin');
  const person = await doors.currentPerson(ctx);
  if (!person) throw new Fault('ceremony_expired');
  const form = await readForm(ctx.req, schema);
  if (form.state === 'too_large') throw new Fault('body_too_large');
  if (form.state !== 'read') throw new Fault('malformed_request');
  const wanted = typeof purpose === 'string' ? purpose : purpose(form.values);
  if (!formTokens.accepts(form.values.form_token, formTokens.knownBrowserOf(ctx), wanted)) {
    throw new Fault('form_token_refused');
  }
  return { values: form.values, person, personId: person.personId };
}

/** 303: the browser goes on by GET. */
export function goTo(ctx: Context, address: string): void {
  ctx.status = 303;
  ctx.set('location', address);
  ctx.body = '';
}
