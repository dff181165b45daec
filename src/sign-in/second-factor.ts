import type { Context } from 'koa';
import { z } from 'zod';
import { FACTOR_KINDS, type Factor, type FactorKind, type FactorUse } from '../factors/factor.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import { factorChoice, type UsableFactor, usableFactors } from '../web/factor-choice.ts';
import type { FactorChoice, SecondFactorProblem } from '../web/pages-ladder.ts';
import type { SecondFactorStep } from './ceremony.ts';
import type { CeremonyRequest, Pending } from './interactions.ts';
import { ALLOWED, type Climber } from './ladder.ts';
import { placeStateOf } from './misplaced.ts';
import {
  advance,
  DECISION,
  faultOf,
  formOf,
  frame,
  goOn,
  localesOf,
  originOf,
  provenBy,
  requestOf,
  type SignInSources,
  type Standing,
  standingOf,
} from './step.ts';
import { trustBrowser } from './trust.ts';

const KIND = z.enum(FACTOR_KINDS);
/** What a page sends for one factor: a code, or what a script has signed. */
const ANSWER = z
  .object({
    form_token: z.string().max(128),
    factor: KIND,
    code: z.string().max(64).optional(),
    next: z.string().max(64).optional(),
    trust: z.literal('yes').optional(),
  })
  .catchall(z.string().max(16_384));
const BEGIN = z.strictObject({
  form_token: z.string().max(128),
  factor: KIND,
  again: z.literal('yes').optional(),
  voice: z.literal('yes').optional(),
});
const SHOWN = z.object({
  factor: KIND.optional().catch(undefined),
  sent: z.literal('1').optional().catch(undefined),
  voice: z.literal('1').optional().catch(undefined),
});

interface Place {
  readonly step: SecondFactorStep;
  readonly climber: Climber;
}

interface Showing {
  readonly kind?: FactorKind | undefined;
  readonly problem?: SecondFactorProblem;
  /** What a token that is looked for has shown. */
  readonly codeBefore?: string;
  readonly status?: number;
}

/** What a proof is tied to: this person, this request, this browser (D11). */
async function useOf(
  ctx: Context,
  { uid }: CeremonyRequest,
  sources: SignInSources,
  personId: string,
): Promise<FactorUse> {
  const { formTokens, admission, origin } = sources;
  return {
    personId,
    binding: uid,
    browser: formTokens.browserOf(ctx),
    address: ctx.ip,
    device: await admission.knownDevice(ctx, personId),
    origin,
    userAgent: ctx.get('user-agent'),
    correlation: String(ctx.state.requestId),
  };
}

/** Asks for one more factor: the first of those the person has, or the one they choose. */
export async function showSecondFactor(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  place: Place,
  { kind, problem, codeBefore, status = 200 }: Showing = {},
): Promise<void> {
  const { portal, formToken } = await frame(ctx, request, sources);
  const asked = SHOWN.parse(ctx.query);
  // A code that was refused had been sent, and still counts.
  const query = problem === 'refused' && kind !== undefined ? { ...asked, factor: kind, sent: '1' as const } : asked;
  const usable = await usableFactors(place.climber.personId, sources.ladder.factors, place.step.kinds);
  const wanted = kind ?? query.factor;
  const chosen = usable.find(({ factor }) => factor.kind === wanted) ?? usable[0];
  const base = `/interaction/${request.uid}`;
  const { because } = place.step;
  sources.renderer.page(
    ctx,
    'second-factor',
    {
      action: `${base}/second-factor`,
      beginAction: `${base}/send-code`,
      cancelAction: `${base}/cancel`,
      formToken,
      portal,
      because,
      offersTrust: place.step.mayTrust,
      choices: usable.map(({ factor }) => ({
        kind: factor.kind,
        url: `${base}?${new URLSearchParams({ factor: factor.kind })}`,
        chosen: factor === chosen?.factor,
      })),
      ...(chosen === undefined
        ? {}
        : {
            chosen: {
              ...(await choiceOf(ctx, request, sources, place, chosen, query)),
              ...(codeBefore === undefined ? {} : { codeBefore }),
            },
          }),
      wanted: place.step.kinds,
      methodsUrl: sources.methodsUrl,
      switchUrl: `${base}?switch=1`,
      ...(because === 'wish' ? { withoutAction: `${base}/without` } : {}),
      ...(problem === undefined ? {} : { problem }),
    },
    { status, ...localesOf(request) },
  );
}

/** What the page needs to ask for one kind. */
async function choiceOf(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  { climber }: Place,
  usable: UsableFactor,
  query: z.infer<typeof SHOWN>,
): Promise<FactorChoice> {
  const isSent = query.sent === '1' && query.factor === usable.factor.kind;
  return factorChoice(usable, isSent ? { voice: query.voice === '1' } : undefined, async () => {
    const { language } = sources.renderer.preferences(ctx, request.uiLocales);
    return usable.factor.begin(await useOf(ctx, request, sources, climber.personId), { language });
  });
}

/** The standing of a request whose page asked for a second factor; whoever comes out of order is told so, and the ledger as well. */
async function placeOf(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  kind: FactorKind,
): Promise<Place & { readonly factor: Factor; readonly standing: Standing }> {
  const standing = await standingOf(ctx, request, sources);
  const { step, climber } = standing;
  const factor = sources.ladder.factors.find((one) => one.kind === kind);
  if (step.state === 'refuse') throw new Fault(faultOf(step.reason), `the ceremony cannot go on: ${step.reason}`);
  if (step.state !== 'second_factor' || climber === undefined || factor === undefined || !step.kinds.includes(kind)) {
    await refuse(ctx, request, sources, { kind, reason: 'out_of_order', standing });
    throw new Fault('ceremony_expired', 'a second factor was given that nobody had asked for');
  }
  const person = await sources.persons.find(climber.personId);
  if (person?.status !== 'active') {
    await refuse(ctx, request, sources, { kind, reason: person?.status ?? 'unknown', standing });
    throw new Fault('ceremony_expired', 'the account was shut while its person signed in');
  }
  return { step, climber, factor, standing };
}

const refuse = (
  ctx: Context,
  request: CeremonyRequest,
  { failures }: SignInSources,
  { kind, reason, standing }: { readonly kind: FactorKind; readonly reason: string; readonly standing: Standing },
): Promise<void> => {
  placeStateOf(ctx).isTold = true;
  return failures.record({
    ...originOf(ctx, request),
    type: 'sign-in.refused',
    outcome: 'failure',
    actor: 'anonymous',
    personId: standing.climber?.personId,
    sessionUid: standing.climber?.here.length === 0 ? standing.signedIn?.sessionUid : undefined,
    details: { reason, factor: kind, step: 'second' },
  });
};

/** Sends a code, or another. */
export async function postBegin(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { factor: kind, again, voice } = await formOf(ctx, BEGIN, sources);
  const { factor, ...place } = await placeOf(ctx, request, sources, kind);
  const { language } = sources.renderer.preferences(ctx, request.uiLocales);
  const use = await useOf(ctx, request, sources, place.climber.personId);
  const begun = await factor.begin(use, { language, again: again === 'yes', voice: voice === 'yes' });
  if (begun.state === 'ready' || begun.state === 'sent_already') {
    const query = { factor: kind, sent: '1', ...(begun.shown.voice === 'yes' ? { voice: '1' } : {}) };
    return goOn(ctx, `/interaction/${request.uid}?${new URLSearchParams(query)}`);
  }
  const status = begun.state === 'too_many' ? 429 : 503;
  if (status === 429) ctx.set('retry-after', '60');
  await showSecondFactor(ctx, request, sources, place, { kind, problem: begun.state, status });
}

/** Takes an answer. Every wrong one is told in the same words: wrong, too late, used before, one too many. */
export async function postSecondFactor(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { form_token: _token, factor: kind, trust, ...entered } = await formOf(ctx, ANSWER, sources);
  const { factor, standing, ...place } = await placeOf(ctx, request, sources, kind);
  const { personId } = place.climber;
  const fields = Object.fromEntries(
    Object.entries(entered).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const verdict = await factor.verify(await useOf(ctx, request, sources, personId), fields);
  if (verdict.state !== 'proven') {
    await refuse(ctx, request, sources, { kind, reason: verdict.state, standing });
    if (verdict.state === 'astray') {
      const codeBefore = fields.next ?? fields.code;
      return showSecondFactor(ctx, request, sources, place, { kind, problem: 'astray', codeBefore, status: 401 });
    }
    return showSecondFactor(ctx, request, sources, place, { kind, problem: 'refused', status: 401 });
  }
  sources.interactions.lookAnew(request, personId);
  const person = await sources.persons.find(personId);
  if (person === undefined) throw new Fault('ceremony_expired');
  const trusting = trust === 'yes' && place.step.mayTrust ? trustBrowser(ctx, sources, personId) : undefined;
  const proof = { factor: kind, strength: factor.strength, amr: [...verdict.amr], at: nowSeconds() };
  const proven = await provenBy(ctx, request, sources, {
    person,
    proof,
    async write(tx) {
      if (!(await verdict.write(tx))) throw new Fault('proof_spent', 'a proof was given twice');
      await trusting?.(tx);
    },
  });
  await advance(ctx, request, sources, proven);
}

/** Goes on without the stronger sign-in the portal would have liked. */
export async function postWithout(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await formOf(ctx, DECISION, sources);
  const { step, climber } = await standingOf(ctx, request, sources);
  if (step.state !== 'second_factor' || step.because !== 'wish' || climber === undefined) {
    throw new Fault('ceremony_expired', 'there was nothing to go on without');
  }
  const held: Pending = { personId: climber.personId, proofs: climber.here, risk: ALLOWED, waived: true };
  await advance(ctx, request, sources, { proven: held });
}
