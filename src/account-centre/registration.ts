import Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { addressGroup } from '../factors/attempts.ts';
import type { PasswordFactor } from '../factors/password.ts';
import { judgePassword, type PasswordLengths } from '../factors/password-policy.ts';
import type { Failures } from '../ledger/flood.ts';
import { parseIdNumber } from '../people/id-number.ts';
import { maskName } from '../people/masking.ts';
import { parsePersonDetails } from '../people/person-details.ts';
import type { Persons } from '../people/persons.ts';
import type { IdentitySource } from '../proofing/identity-source.ts';
import { Fault } from '../shared/fault.ts';
import type { Counters } from '../storage/counters.ts';
import { ceremonyAddress, ceremonyId } from '../web/ceremony-address.ts';
import { type FormTokens, isForeignPost } from '../web/form-tokens.ts';
import { readForm } from '../web/forms.ts';
import type { RegisterField } from '../web/pages.ts';
import type { PageContext, Renderer } from '../web/render.ts';
import { visitOf } from './account-form.ts';

export interface RegistrationSources {
  readonly persons: Persons;
  readonly passwords: PasswordFactor;
  readonly passwordPolicy: PasswordLengths;
  readonly population: IdentitySource;
  readonly counters: Counters;
  readonly failures: Failures;
  readonly limits: { readonly registrationsPerAddress: number; readonly addressWindowSeconds: number };
  readonly renderer: Renderer;
  readonly formTokens: FormTokens;
  readonly origin: string;
}

type Problem = { readonly field?: RegisterField; readonly code: string };

const PAGE = '/register';
const PURPOSE = 'register';
const FORM = z.strictObject({
  form_token: z.string().max(128),
  name: z.string().max(256),
  idNumber: z.string().max(256),
  password: z.string().max(4096),
  passwordAgain: z.string().max(4096),
  continue: ceremonyId.optional(),
});

interface Shown {
  readonly name: string;
  readonly idNumber: string;
  /** The sign-in that waits for this registration. */
  readonly continue?: string | undefined;
}

/**
 * Opening an account oneself: name and number are matched against the population register (assurance level 2). Whoever comes from
 * a sign-in goes back to it afterwards, everybody else to the account centre.
 */
export function registrationRoutes(sources: RegistrationSources): Router {
  const router = new Router();
  router.get(PAGE, (ctx) => get(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => post(ctx as unknown as Context, sources));
  return router;
}

const addressAfter = (uid: string | undefined): string => (uid === undefined ? '/account' : ceremonyAddress(uid));

/**
 * The context of a POST, as the page it was sent from stands at its own address. The links to another language or type size are
 * followed by GET, so they must carry the waiting sign-in that the POST had in its body.
 */
const atFormAddress = (ctx: Context, waiting: string | undefined): PageContext => ({
  method: 'GET',
  path: PAGE,
  querystring: waiting === undefined ? '' : new URLSearchParams({ continue: waiting }).toString(),
  get: (field) => ctx.get(field),
  append: (field, value) => ctx.append(field, value),
  set: (field, value) => ctx.set(field, value),
  get status() {
    return ctx.status;
  },
  set status(status) {
    ctx.status = status;
  },
  get body() {
    return ctx.body;
  },
  set body(body) {
    ctx.body = body;
  },
});

function get(ctx: Context, sources: RegistrationSources): void {
  const waiting = ceremonyId.safeParse(ctx.query.continue);
  show(ctx, sources, { name: '', idNumber: '', ...(waiting.success ? { continue: waiting.data } : {}) });
}

function show(
  ctx: Context,
  { renderer, formTokens, passwordPolicy }: RegistrationSources,
  values: Shown,
  problem?: Problem,
): void {
  ctx.state.page = 'register';
  renderer.page(
    ctx.method === 'POST' ? atFormAddress(ctx, values.continue) : ctx,
    'register',
    {
      action: PAGE,
      formToken: formTokens.issue(formTokens.browserOf(ctx), PURPOSE),
      values: { name: values.name.slice(0, 64), idNumber: values.idNumber.slice(0, 64) },
      passwordCharactersMin: passwordPolicy.minLength,
      signInUrl: addressAfter(values.continue),
      ...(values.continue ? { continueWith: values.continue } : {}),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? (problem.code === 'unavailable' ? 503 : 400) : 200 },
  );
}

async function post(ctx: Context, sources: RegistrationSources): Promise<void> {
  ctx.state.page = 'register';
  const { formTokens, origin, persons, passwords, population, counters, limits, renderer, failures } = sources;
  if (isForeignPost(ctx.headers, origin)) throw new Fault('foreign_origin');
  const form = await readForm(ctx.req, FORM);
  if (form.state === 'too_large') throw new Fault('body_too_large');
  if (form.state !== 'read') throw new Fault('malformed_request');
  const { values } = form;
  if (!formTokens.accepts(values.form_token, formTokens.knownBrowserOf(ctx), PURPOSE))
    throw new Fault('form_token_refused');
  const from = visitOf(ctx);
  const refused = (reason: string): Promise<void> =>
    failures.record({
      ...from,
      type: 'registration.refused',
      outcome: 'failure',
      actor: 'anonymous',
      details: { reason },
    });
  const taken = await counters.take(`register:address:${addressGroup(ctx.ip)}`, limits.addressWindowSeconds);
  if (taken > limits.registrationsPerAddress) {
    await refused('address_limit');
    throw new Fault('too_many_requests', undefined, { retryAfterSeconds: limits.addressWindowSeconds });
  }

  const checked = checkForm(values, sources);
  if ('code' in checked) return show(ctx, sources, values, checked);
  const { idNumber, name } = checked;
  const answer = await population.check({ idNumber, name });
  if (answer === 'unavailable') return show(ctx, sources, values, { code: 'unavailable' });
  // A number that has an account already is answered like one that does not match: registering must not tell who is here (D9).
  const exists = (await persons.findByIdNumber(idNumber)) !== undefined;
  if (answer === 'mismatch' || exists) {
    await refused(answer === 'mismatch' ? 'mismatch' : 'exists');
    return show(ctx, sources, values, { code: 'exists_or_mismatch' });
  }
  const prepared = await passwords.prepare(values.password);
  if (prepared === 'busy') throw new Fault('overloaded', undefined, { retryAfterSeconds: 3 });
  const added = await persons.add(
    { idNumber, name, ial: 2, origin: 'registration', verifiedSource: population.name, from },
    (tx, person) => passwords.store(tx, person.id, prepared, 'registration', from),
  );
  if (!added.ok) {
    await refused('exists');
    return show(ctx, sources, values, { code: 'exists_or_mismatch' });
  }
  const continueUrl = addressAfter(values.continue);
  renderer.page(
    atFormAddress(ctx, values.continue),
    'register-done',
    { maskedName: maskName(name), continueUrl },
    { status: 201 },
  );
}

type Checked = { readonly idNumber: Parameters<Persons['findByIdNumber']>[0]; readonly name: string };

/** The first thing the person has to mend, or the values in normal form. */
function checkForm(values: z.infer<typeof FORM>, { passwordPolicy }: RegistrationSources): Checked | Problem {
  const details = parsePersonDetails({ name: values.name });
  if (!details.ok) return { field: 'name', code: 'name_empty' };
  const number = parseIdNumber(values.idNumber);
  if (!number.ok) return { field: 'idNumber', code: `id_number_${number.reason}` };
  if (values.password !== values.passwordAgain) return { field: 'passwordAgain', code: 'passwords_differ' };
  const verdict = judgePassword(values.password, passwordPolicy, {
    idNumber: number.number,
    name: details.details.name,
  });
  if (!verdict.ok) return { field: 'password', code: `password_${verdict.reason}` };
  return { idNumber: number.number, name: details.details.name };
}
