import type { Context } from 'koa';
import { z } from 'zod';
import type { Gate } from '../defence/gate.ts';
import type { Certificates } from '../factors/certificates/certificates.ts';
import type { FactorKind } from '../factors/factor.ts';
import type { Passkeys } from '../factors/passkeys/passkeys.ts';
import type { ScanCodes } from '../factors/scan-codes.ts';
import type { Failures } from '../ledger/flood.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Acting } from '../legal-persons/acting.ts';
import type { Matters } from '../legal-persons/matters.ts';
import type { Closures } from '../people/lifecycle/closures.ts';
import type { FoundPerson, PersonProfile } from '../people/person.ts';
import type { Persons } from '../people/persons.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { FaultCode } from '../shared/faults.ts';
import type { Counters } from '../storage/counters.ts';
import type { Transaction } from '../storage/database.ts';
import { type FormTokens, isForeignPost } from '../web/form-tokens.ts';
import { type FormOutcome, readForm } from '../web/forms.ts';
import type { PortalView } from '../web/pages.ts';
import type { Renderer } from '../web/render.ts';
import { contentPolicy, formTarget } from '../web/security-headers.ts';
import type { Admission, Admitted } from './admission.ts';
import { nextStep, type Refusal, type RiskDemand, type Step } from './ceremony.ts';
import type { Identify } from './identify.ts';
import type { IdentifyCertificate } from './identify-certificate.ts';
import type { IdentifyPasskey } from './identify-passkey.ts';
import type { CeremonyRequest, Interactions, Pending, SignedInPerson } from './interactions.ts';
import { ALLOWED, type Climber, type Ladder } from './ladder.ts';
import { identifies, type Proof } from './levels.ts';
import { placeStateOf } from './misplaced.ts';
import type { PasswordRenewal } from './renew-password.ts';
import { sparedBy, type TrustSources } from './trust.ts';

export interface SignInSources extends TrustSources {
  readonly interactions: Interactions;
  readonly identify: Identify;
  readonly passkeys: Passkeys;
  readonly identifyPasskey: IdentifyPasskey;
  readonly certificates: Certificates;
  readonly identifyCertificate: IdentifyCertificate;
  readonly admission: Admission;
  readonly scanCodes: ScanCodes;
  readonly scanLimits: { readonly startsPerAddress: number };
  readonly counters: Pick<Counters, 'take'>;
  readonly gate: Pick<Gate, 'ask' | 'failed'>;
  readonly ladder: Ladder;
  /** What the circumstances of a sign-in ask for, judged once somebody has proven who they are. */
  readonly riskOf: RiskOf;
  /** Where a person binds factors and proves their identity better. */
  readonly methodsUrl: string;
  readonly documentsUrl: string;
  readonly renewal: PasswordRenewal;
  readonly persons: Persons;
  readonly relyingParties: RelyingParties;
  readonly renderer: Renderer;
  readonly formTokens: FormTokens;
  readonly ledger: Ledger;
  readonly failures: Failures;
  readonly acting: Acting;
  readonly matters: Pick<Matters, 'find'>;
  readonly origin: string;
  readonly registerUrl: string | undefined;
  readonly recoverUrl: string | undefined;
  readonly closures: Pick<Closures, 'of' | 'keep'>;
  wakeOutbox(): void;
}

export type RiskOf = (
  ctx: Context,
  about: { readonly person: FoundPerson; readonly clientId: string },
) => Promise<RiskDemand>;

export const DECISION = z.strictObject({
  form_token: z.string().max(128),
  decision: z.enum(['allow', 'deny', 'continue', 'switch', 'cancel']),
});
/**
 * Set by the script of our pages alone: the page that comes of this form may be the answer to it, for the script gives it an address of its own, and to load it
 * again does not send the form again. Without scripts the browser is sent to that page.
 */
export const AT_ONCE = { at_once: z.literal('1').optional() } as const;
const uidOf = (ctx: Context): string => String(ctx.params.uid);

export async function requestOf(ctx: Context, { interactions }: SignInSources): Promise<CeremonyRequest> {
  ctx.state.page = 'interaction';
  const found = await interactions.find(ctx, uidOf(ctx));
  if (found === 'expired') throw new Fault('ceremony_expired');
  if (found === 'elsewhere') throw new Fault('ceremony_elsewhere');
  placeStateOf(ctx).portal = found.clientId;
  return found;
}

/** Where a request stands: the next step, and whose it is. */
export interface Standing {
  readonly step: Step;
  readonly climber: Climber | undefined;
  /** As they were looked up for it; undefined for nobody, and for a session of somebody who was shut out. */
  readonly person: FoundPerson | undefined;
  readonly signedIn: SignedInPerson | undefined;
  /** What the person could be asked for beside the password, as far as it matters here. */
  readonly bound: readonly FactorKind[];
}

/**
 * Asks `nextStep` for the request: with what was proven for it, else with the session of this browser. `proven` is what has just been
 * proven and is kept nowhere yet.
 */
export async function standingOf(
  ctx: Context,
  request: CeremonyRequest,
  { interactions, persons, ladder }: SignInSources,
  { wantsSwitch = false, proven = request.pending }: { readonly wantsSwitch?: boolean; readonly proven?: Pending } = {},
): Promise<Standing> {
  const { prompt, startedBy, expectsOther, demand } = request;
  const holder = await interactions.currentPerson(ctx);
  const personId = proven?.personId ?? holder?.personId;
  const found = personId === undefined ? undefined : await persons.find(personId);
  // Whoever was shut out a moment ago may hold a session that is about to end: they are nobody any more (F2, V42).
  const isShut = proven === undefined && found?.status !== 'active';
  const [person, signedIn] = isShut ? [] : [found, holder];
  const climber: Climber | undefined = person && {
    personId: person.id,
    ial: person.ial,
    here: proven?.proofs ?? [],
    before: signedIn?.personId === person.id ? signedIn.proofs : [],
  };
  const risk = proven?.risk ?? ALLOWED;
  const waived = proven?.waived === true;
  const asked = { prompt, startedBy, expectsOther, wantsSwitch, waived, demand, risk, address: ctx.ip };
  const ceremony = await ladder.ceremonyOf(asked, climber);
  return { step: nextStep(ceremony), climber, person, signedIn, bound: ceremony.account.bound };
}

/**
 * Takes a proof or a decision and goes on: to the protocol once nothing of the sign-in is missing, else to the page of the next step.
 * No session begins while its person can give what is still asked for, whoever asks: one sign-in is one session and one event, with all that
 * was proven. Who has nothing bound that a portal wants is let in as far as the account itself asks, to bind it.
 */
export async function advance(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  { proven, write }: { readonly proven: Pending; readonly write?: (tx: Transaction) => Promise<void> },
): Promise<void> {
  const { interactions, admission, ledger } = sources;
  const { step, climber, person, signedIn, bound } = await standingOf(ctx, request, sources, { proven });
  if (step.state === 'refuse') {
    if (STAFF_REFUSALS.has(step.reason)) {
      const told = { personId: proven.personId, clientId: request.clientId, reason: step.reason };
      await admission.refuse(ctx, { ...told, factor: String(proven.proofs.at(-1)?.factor) });
    }
    throw new Fault(faultOf(step.reason), `the ceremony cannot go on: ${step.reason}`);
  }
  if (climber === undefined || person?.status !== 'active') throw new Fault('ceremony_expired', 'the account is shut');
  const { clientId } = request;
  if (mustWait(step, bound)) {
    const newest = proven.proofs.at(-1);
    await interactions.hold(request, proven, async (tx) => {
      await write?.(tx);
      const details = { factor: String(newest?.factor), amr: [...(newest?.amr ?? [])] };
      await ledger.append(tx, { ...originOf(ctx, request), personId: person.id, type: 'sign-in.continued', details });
    });
    return goOn(ctx, `/interaction/${request.uid}`);
  }
  // The session that this very request has begun rests on what was proven before in it: that was told. What was proven just now never was.
  const told = (request.pending?.proofs ?? []).filter((proof) => isAmong(climber.before, proof));
  const here = climber.here.filter((proof) => !isAmong(told, proof));
  const first = here.findLast(identifies);
  // Whoever has only added to the session they hold has not signed in anew.
  const sessionUid = first === undefined ? signedIn?.sessionUid : undefined;
  const isWhole = step.state !== 'second_factor';
  const { before } = climber;
  const remember =
    here.length === 0
      ? undefined
      : await admission.complete(ctx, { person, clientId, sessionUid, isWhole, here, before });
  const login = {
    personId: person.id,
    proofs: proven.proofs,
    at: first?.at ?? signedIn?.at ?? nowSeconds(),
    waived: proven.waived,
  };
  const address = await interactions.signedIn(request, login, async (tx) => {
    await write?.(tx);
    await remember?.(tx);
  });
  goOn(ctx, address);
}

/** The request with one more proof: a new person begins anew, the same one adds to what they have proven for it. */
export async function provenBy(
  ctx: Context,
  { pending, clientId }: CeremonyRequest,
  sources: SignInSources,
  { person, proof, write }: Pick<Admitted, 'person' | 'proof' | 'write'>,
): Promise<{ readonly proven: Pending; readonly write: Admitted['write'] }> {
  const held = pending?.personId === person.id ? pending : undefined;
  const others = held?.proofs.filter(({ factor }) => factor !== proof.factor) ?? [];
  const risk = held?.risk ?? (await sources.riskOf(ctx, { person, clientId }));
  const spared = held === undefined ? await sparedBy(ctx, sources, person.id) : [];
  const proven = { personId: person.id, proofs: [...spared, ...others, proof], risk, waived: held?.waived === true };
  return { proven, write };
}

const isAmong = (proofs: readonly Proof[], { factor, at }: Proof): boolean =>
  proofs.some((one) => one.factor === factor && one.at === at);

const mustWait = (step: Step, bound: readonly FactorKind[]): boolean => {
  if (step.state !== 'second_factor') return step.state === 'identify' || step.state === 'renew_password';
  return step.because === 'account' || step.because === 'risk' || step.kinds.some((kind) => bound.includes(kind));
};

/** The fault a person reads where the ceremony cannot go on. */
export const faultOf = (reason: Refusal): FaultCode => FAULT_OF[reason] ?? 'ceremony_expired';

const FAULT_OF: Readonly<Partial<Record<Refusal, FaultCode>>> = {
  risk: 'sign_in_too_risky',
  unreachable_level: 'level_out_of_reach',
  not_staff: 'staff_only',
  outside_network: 'staff_only',
  outside_hours: 'staff_only',
};

/** Told to the ledger here: nobody else knows of them. */
const STAFF_REFUSALS: ReadonlySet<Refusal> = new Set(['not_staff', 'outside_network', 'outside_hours']);

/** What every page of the ceremony has: the portal, a form token for this browser, and a policy that lets the answer go there. */
export async function frame(
  ctx: Context,
  request: CeremonyRequest,
  { relyingParties, formTokens, renderer }: SignInSources,
) {
  const party = await relyingParties.find(request.clientId);
  const target = request.redirectUri === undefined ? undefined : formTarget(request.redirectUri);
  if (target) ctx.set('content-security-policy', contentPolicy([target]));
  const portal: PortalView = {
    name: party ? shownName(party.record, renderer.preferences(ctx, request.uiLocales).language) : request.clientId,
    host: URL.parse(request.redirectUri ?? '')?.host ?? '',
  };
  return { portal, formToken: formTokens.issue(formTokens.browserOf(ctx), request.uid), party };
}

export const localesOf = (request: CeremonyRequest): { uiLocales: string } | Record<string, never> =>
  request.uiLocales === undefined ? {} : { uiLocales: request.uiLocales };

export async function profileOf(personId: string, { persons }: SignInSources): Promise<PersonProfile> {
  const profile = await persons.profile(personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'the signed-in person may not act any more');
  return profile;
}

/** Reads a form of this ceremony: from our own page, shown to this browser, for this request (E2). */
export async function formOf<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  { formTokens, origin }: SignInSources,
): Promise<Values> {
  if (isForeignPost(ctx.headers, origin)) throw new Fault('foreign_origin');
  const form: FormOutcome<Values> = await readForm(ctx.req, schema);
  if (form.state === 'too_large') throw new Fault('body_too_large');
  if (form.state !== 'read') {
    throw new Fault(
      'malformed_request',
      form.state === 'malformed' ? `form fields: ${form.fields.join(', ')}` : form.state,
    );
  }
  if (!formTokens.accepts(form.values.form_token, formTokens.knownBrowserOf(ctx), uidOf(ctx))) {
    throw new Fault('form_token_refused');
  }
  return form.values;
}

/** 303, never 307: the browser must not repeat a password to the next address (A23). */
export function goOn(ctx: Context, address: string): void {
  ctx.status = 303;
  ctx.set('location', address);
  ctx.body = '';
}

/** Where a step of the ceremony comes from, for the ledger. */
export const originOf = (ctx: Context, request?: CeremonyRequest) => ({
  clientId: request?.clientId,
  address: ctx.ip,
  userAgent: ctx.get('user-agent'),
  correlation: String(ctx.state.requestId),
});
