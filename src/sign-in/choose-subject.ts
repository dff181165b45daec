import type { Context } from 'koa';
import { z } from 'zod';
import type { ActingSubject } from '../legal-persons/acting.ts';
import { type Choices, choicesAt, SELF } from '../legal-persons/choice.ts';
import type { Matters } from '../legal-persons/matters.ts';
import { maskUscc, type Uscc } from '../legal-persons/uscc.ts';
import { maskName } from '../people/masking.ts';
import { OWN_BEHALF } from '../relying-parties/accepted-subjects.ts';
import { Fault } from '../shared/fault.ts';
import type { Language } from '../web/language.ts';
import type { SubjectView } from '../web/pages-subject.ts';
import type { CeremonyRequest } from './interactions.ts';
import { placeStateOf } from './misplaced.ts';
import {
  formOf,
  frame,
  goOn,
  localesOf,
  originOf,
  profileOf,
  requestOf,
  type SignInSources,
  standingOf,
} from './step.ts';

const REF_CHARACTERS_MAX = 128;
const PER_PAGE = 20;
const MATTERS_SHOWN = 3;
const QUERY_CHARACTERS_MAX = 64;

const PICK = z.strictObject({
  form_token: z.string().max(128),
  acting_as: z.string().min(1).max(REF_CHARACTERS_MAX),
});
const SEARCH = z.object({
  q: z.string().max(QUERY_CHARACTERS_MAX).catch(''),
  page: z.coerce.number().int().min(1).max(10_000).catch(1),
});

interface Showing {
  readonly problem?: 'ended';
  readonly status?: number;
}

/** For whom the person may act at this portal, by its registration as it stands now. */
async function choicesOf(
  { clientId }: CeremonyRequest,
  { acting, relyingParties }: SignInSources,
  personId: string,
): Promise<Choices> {
  const party = await relyingParties.find(clientId);
  return choicesAt(party?.record.accepts_subjects ?? OWN_BEHALF, await acting.subjectsOf(personId, clientId));
}

/** "For whom?": oneself first, then whom one may act for, a page at a time, with a search when there are many. */
export async function showChooseSubject(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  personId: string,
  { problem, status = 200 }: Showing = {},
): Promise<void> {
  const choices = await choicesOf(request, sources, personId);
  if (!choices.self && choices.subjects.length === 0) return showNobody(ctx, request, sources, personId);
  const { portal, formToken } = await frame(ctx, request, sources);
  const { maskedName, maskedNumber } = await profileOf(personId, sources);
  const asked = SEARCH.parse(ctx.query);
  const found = choices.subjects.filter(matching(asked.q));
  const last = Math.max(1, Math.ceil(found.length / PER_PAGE));
  const at = Math.min(asked.page, last);
  const view = viewIn(ctx, request, sources);
  const base = `/interaction/${request.uid}`;
  const pageUrl = (page: number): string => `${base}?${new URLSearchParams({ q: asked.q, page: String(page) })}`;
  sources.renderer.page(
    ctx,
    'choose-subject',
    {
      action: `${base}/choose-subject`,
      cancelAction: `${base}/cancel`,
      formToken,
      portal,
      ...(choices.self ? { self: { maskedName: maskedName ?? maskedNumber } } : {}),
      subjects: found.slice((at - 1) * PER_PAGE, at * PER_PAGE).map(view),
      foundCount: found.length,
      totalCount: choices.subjects.length,
      ...(choices.subjects.length > PER_PAGE ? { search: { url: base, query: asked.q } } : {}),
      ...(at > 1 ? { previousUrl: pageUrl(at - 1) } : {}),
      ...(at < last ? { nextUrl: pageUrl(at + 1) } : {}),
      ...(problem === undefined ? {} : { problem }),
    },
    { status, ...localesOf(request) },
  );
}

async function showNobody(ctx: Context, request: CeremonyRequest, sources: SignInSources, personId: string) {
  const { portal, formToken } = await frame(ctx, request, sources);
  const { maskedName, maskedNumber } = await profileOf(personId, sources);
  sources.renderer.page(
    ctx,
    'nobody-to-act-for',
    {
      action: `/interaction/${request.uid}/cancel`,
      formToken,
      portal,
      maskedName: maskedName ?? maskedNumber,
      accountUrl: '/account',
    },
    localesOf(request),
  );
}

/**
 * Takes an answer. Whatever is not among this person's own is refused in one way and told to the ledger: the company of somebody
 * else, a mandate that ended while the page was open, a step out of order, another browser.
 */
export async function postSubject(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources).catch(async (fault: unknown) => {
    if (fault instanceof Fault && fault.code === 'ceremony_elsewhere') await tell(ctx, sources, 'elsewhere');
    throw fault;
  });
  const { acting_as: actingAs } = await formOf(ctx, PICK, sources);
  const { step, climber } = await standingOf(ctx, request, sources);
  const personId = climber?.personId;
  if (step.state !== 'choose_subject' || personId === undefined) {
    await tell(ctx, sources, 'out_of_order', request, personId);
    throw new Fault('ceremony_expired');
  }
  const { self, subjects } = await choicesOf(request, sources, personId);
  const isTheirs = actingAs === SELF ? self : subjects.some(({ ref }) => ref === actingAs);
  if (isTheirs) return goOn(ctx, await sources.interactions.choseSubject(request, personId, actingAs));
  await tell(ctx, sources, 'not_theirs', request, personId);
  await showChooseSubject(ctx, request, sources, personId, { problem: 'ended', status: 409 });
}

/** Written as a failure that anybody can repeat: many of them are counted and not written one by one. */
async function tell(
  ctx: Context,
  { failures }: SignInSources,
  reason: string,
  request?: CeremonyRequest,
  personId?: string,
): Promise<void> {
  placeStateOf(ctx).isTold = true;
  await failures.record({
    ...originOf(ctx, request),
    type: 'subject.refused',
    outcome: 'failure',
    ...(personId === undefined ? { actor: 'anonymous' } : { personId }),
    details: { reason },
  });
}

/** For whom consent is given, as the consent page names them. Throws `Fault('acting_ended')` when that ended meanwhile. */
export async function subjectOfConsent(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  personId: string,
): Promise<{ readonly subject?: SubjectView }> {
  const { actingAs, clientId } = request;
  if (actingAs === undefined || actingAs === SELF) return {};
  const subject = await sources.acting.find(personId, clientId, actingAs);
  if (subject === undefined) throw new Fault('acting_ended', 'the mandate ended before consent was given');
  return { subject: viewIn(ctx, request, sources)(subject) };
}

/** How subjects are shown in the language of this page. */
function viewIn(ctx: Context, { uiLocales }: CeremonyRequest, { renderer, matters }: SignInSources) {
  const { language } = renderer.preferences(ctx, uiLocales);
  return (subject: ActingSubject): SubjectView => viewOf(subject, language, matters);
}

const folded = (text: string): string => text.normalize('NFKC').toLowerCase();

/** A part of the name, or of the code without blanks. */
function matching(query: string): (subject: ActingSubject) => boolean {
  const name = folded(query).trim();
  const code = name.replaceAll(/[\s-]/g, '').toUpperCase();
  return (subject) =>
    folded(subject.name).includes(name) || (subject.kind === 'legal' && code !== '' && subject.uscc.includes(code));
}

function viewOf(subject: ActingSubject, language: Language, matters: Pick<Matters, 'find'>): SubjectView {
  const titleOf = (id: string): string => matters.find(id)?.[language === 'en' ? 'en' : 'zh'] ?? id;
  return {
    ref: subject.ref,
    kind: subject.kind,
    // A company's name is public; a person's is shown to whoever looks over the shoulder.
    name: subject.kind === 'legal' ? subject.name : maskName(subject.name),
    ...(subject.kind === 'legal' ? { code: maskUscc(subject.uscc as Uscc) } : {}),
    role: subject.role,
    matters: subject.mandate?.matters.slice(0, MATTERS_SHOWN).map(titleOf) ?? [],
    mattersCount: subject.mandate?.matters.length ?? 0,
    ...(subject.mandate === undefined ? {} : { until: subject.mandate.validUntil }),
  };
}
