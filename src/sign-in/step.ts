import type { Context } from 'koa';
import { z } from 'zod';
import type { Gate } from '../defence/gate.ts';
import type { Certificates } from '../factors/certificates/certificates.ts';
import type { Passkeys } from '../factors/passkeys/passkeys.ts';
import type { ScanCodes } from '../factors/scan-codes.ts';
import type { Failures } from '../ledger/flood.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Acting } from '../legal-persons/acting.ts';
import type { Matters } from '../legal-persons/matters.ts';
import type { Closures } from '../people/lifecycle/closures.ts';
import type { PersonProfile } from '../people/person.ts';
import type { Persons } from '../people/persons.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import { Fault } from '../shared/fault.ts';
import type { Counters } from '../storage/counters.ts';
import { type FormTokens, isForeignPost } from '../web/form-tokens.ts';
import { type FormOutcome, readForm } from '../web/forms.ts';
import type { PortalView } from '../web/pages.ts';
import type { Renderer } from '../web/render.ts';
import { contentPolicy, formTarget } from '../web/security-headers.ts';
import type { Admission } from './admission.ts';
import { nextStep, type Step } from './ceremony.ts';
import type { Identify } from './identify.ts';
import type { IdentifyCertificate } from './identify-certificate.ts';
import type { IdentifyPasskey } from './identify-passkey.ts';
import type { CeremonyRequest, Interactions } from './interactions.ts';

export interface SignInSources {
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
  readonly gate: Pick<Gate, 'ask'>;
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

export const DECISION = z.strictObject({
  form_token: z.string().max(128),
  decision: z.enum(['allow', 'deny', 'continue', 'switch', 'cancel']),
});
const uidOf = (ctx: Context): string => String(ctx.params.uid);

export async function requestOf(ctx: Context, { interactions }: SignInSources): Promise<CeremonyRequest> {
  ctx.state.page = 'interaction';
  const found = await interactions.find(ctx, uidOf(ctx));
  if (found === 'expired') throw new Fault('ceremony_expired');
  if (found === 'elsewhere') throw new Fault('ceremony_elsewhere');
  return found;
}

export const ceremonyOf = ({ prompt, requestedPrompts, reasons, startedBy }: CeremonyRequest) => ({
  prompt,
  requestedPrompts,
  reasons,
  startedBy,
});

export async function stepOf(
  ctx: Context,
  request: CeremonyRequest,
  { interactions }: SignInSources,
  wantsSwitch: boolean,
): Promise<{ readonly step: Step; readonly personId: string | undefined }> {
  const signedIn = await interactions.currentPerson(ctx);
  const step = nextStep({ ...ceremonyOf(request), signedIn: signedIn?.personId, wantsSwitch });
  return { step, personId: signedIn?.personId };
}

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
