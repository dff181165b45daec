import type { Context } from 'koa';
import { z } from 'zod';
import type { Passage } from '../../defence/gate.ts';
import type { IdentityDocument } from '../../people/documents/document.ts';
import { documentOfIdNumber, parseIdNumber } from '../../people/id-number.ts';
import type { FoundPerson } from '../../people/person.ts';
import { parsePersonDetails } from '../../people/person-details.ts';
import { Fault } from '../../shared/fault.ts';
import type { FormProblem } from '../../web/pages-enrol.ts';
import { PASSAGE_FIELDS, passageFor, passageOf } from '../../web/passage.ts';
import { goTo, visitOf } from '../account-form.ts';
import { RECOVER } from '../entrances.ts';
import { atAddress, strangerForm } from '../stranger-form.ts';
import { admit, issueTo, type RecoveryTarget, reachableTarget } from './code-step.ts';
import type { RecoverySources } from './recovery-sources.ts';
import {
  deviceOf,
  FIELDS,
  isUnproven,
  keepRecovery,
  PURPOSE,
  placeOf,
  queryOf,
  recoveryOf,
  refusal,
  STEPS,
  signInAfter,
  to,
  tokenFor,
  waitingIn,
} from './steps.ts';

const FORM = z.strictObject({ ...FIELDS, ...PASSAGE_FIELDS, name: z.string().max(256), idNumber: z.string().max(256) });
const ROUTE = 'proofing';

interface Shown {
  readonly name: string;
  readonly idNumber: string;
  readonly waiting: string | undefined;
}

/** The first page. A browser whose recovery waits is led to it; `?new=1` begins another. */
export async function showProof(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover';
  const waiting = waitingIn(ctx);
  const place = placeOf(await recoveryOf(ctx, sources));
  if ((place === 'waiting' || place === 'password') && ctx.query.new !== '1')
    return goTo(ctx, to(STEPS[place], waiting));
  await render(ctx, { name: '', idNumber: '', waiting }, sources);
}

async function render(
  ctx: Context,
  { name, idNumber, waiting }: Shown,
  sources: RecoverySources,
  problem?: FormProblem,
  passage?: Passage,
): Promise<void> {
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, RECOVER, queryOf(waiting)) : ctx,
    'recover',
    {
      action: RECOVER,
      formToken: tokenFor(ctx, sources),
      values: { name: name.slice(0, 64), idNumber: idNumber.slice(0, 64) },
      withCodeUrl: to(STEPS.withCode, waiting),
      signInUrl: signInAfter(waiting),
      ...(waiting === undefined ? {} : { continueWith: waiting }),
      ...(problem ? { problem } : {}),
      ...(await passageFor(ctx, sources.gate, to(RECOVER, waiting), passage)),
    },
    { status: problem?.code === 'unproven' ? 429 : problem ? 400 : 200 },
  );
}

/**
 * Name and number against the register, then a code to the verified number of the account. Whatever is true of it, whoever asks is
 * shown the page for the code: only the phone tells more (D9, V13, V33).
 */
export async function postProof(ctx: Context, sources: RecoverySources): Promise<void> {
  ctx.state.page = 'recover';
  const { values, browser } = await strangerForm(ctx, FORM, PURPOSE, sources);
  const { name, idNumber, continue: waiting } = values;
  const shown = { name, idNumber, waiting };
  const details = parsePersonDetails({ name });
  if (!details.ok) return render(ctx, shown, sources, { field: 'name', code: 'name_empty' });
  // The register knows people by these numbers alone; whoever has another document comes by a code or to a counter.
  const number = parseIdNumber(idNumber);
  if (!number.ok) return render(ctx, shown, sources, { field: 'idNumber', code: `id_number_${number.reason}` });
  const document = documentOfIdNumber(number.number);

  const person = await sources.persons.findByDocument(document);
  // Computed for whoever has an account as well: it costs a digest (D9).
  const nobody = sources.index.name(document);
  const account = person?.id ?? nobody;
  const passage = passageOf(values);
  if (await isUnproven(ctx, person?.id, passage, sources))
    return render(ctx, shown, sources, { code: 'unproven' }, passage);
  const limited = await isLimited(ctx, account, person, sources);
  const verdict = await verdictOf(document, details.details.name, sources);
  if (verdict === 'unavailable') return showUnavailable(ctx, waiting, sources);
  // Looked for in any case, whatever the verdict: the time must not tell who can be written to.
  const reachable = await reachableTarget(person?.id, sources);
  const refused = limited ? 'limited' : refusalOf(verdict, person, reachable);
  const at = refused === undefined ? reachable : undefined;
  const isAdmitted = await admit(ctx, at, account, sources);
  const isBegun = at !== undefined && isAdmitted;
  const { language } = sources.renderer.preferences(ctx);
  const secret = await sources.database.write(async (tx) => {
    const begun = await sources.recoveries.begin(tx, {
      personId: isBegun ? at.personId : undefined,
      account,
      route: ROUTE,
    });
    // In the same commit either way: the time of the answer must not tell who has an account. The limits keep these few.
    await sources.ledger.append(tx, {
      ...visitOf(ctx),
      actor: 'anonymous',
      personId: person?.id,
      ...(isBegun
        ? { type: 'recovery.begun', details: { route: ROUTE } }
        : {
            type: 'recovery.refused',
            outcome: 'failure',
            details: { route: ROUTE, reason: refused ?? 'message_quota' },
          }),
    });
    await issueTo(tx, { id: begun.id, browser, language, at, isAdmitted }, sources);
    return begun.secret;
  });
  sources.wakeOutbox();
  keepRecovery(ctx, secret, sources);
  goTo(ctx, to(STEPS.code, waiting));
}

/** An address that floods is told so; a number that is asked for too often is not, for that would tell who has an account. */
async function isLimited(
  ctx: Context,
  account: string,
  person: FoundPerson | undefined,
  sources: RecoverySources,
): Promise<boolean> {
  const device = await deviceOf(ctx, person?.id, sources);
  const taken = await sources.begins.take({
    account: `recover ${account}`,
    address: ctx.ip,
    ...(device === undefined ? {} : { knownDeviceDigest: device }),
  });
  if (taken !== 'address_exhausted') return taken === 'account_exhausted';
  await refusal(ctx, { route: ROUTE, reason: 'address_limit' }, sources);
  throw new Fault('too_many_requests', undefined, { retryAfterSeconds: 60 });
}

const verdictOf = async ({ number }: IdentityDocument, name: string, { population }: RecoverySources) =>
  population === undefined ? 'unavailable' : population.check({ idNumber: number, name });

/** Why no code goes out, if none does. */
function refusalOf(
  verdict: 'match' | 'mismatch',
  person: FoundPerson | undefined,
  reachable: RecoveryTarget | undefined,
): string | undefined {
  if (verdict === 'mismatch') return 'mismatch';
  if (person === undefined) return 'unknown';
  // Frozen by the person or by the watch: proving again who they are is the way out.
  if (person.status !== 'active' && person.status !== 'frozen') return person.status;
  return reachable === undefined ? 'no_channel' : undefined;
}

function showUnavailable(ctx: Context, waiting: string | undefined, sources: RecoverySources): void {
  sources.renderer.page(
    atAddress(ctx, RECOVER, queryOf(waiting)),
    'recover-unavailable',
    { retryUrl: to(RECOVER, waiting), withCodeUrl: to(STEPS.withCode, waiting) },
    { status: 503 },
  );
}
