import type { ActingSubject } from './acting.ts';

/** How a form, a request and a grant name "for myself". No reference of a subject is this word. */
export const SELF = 'self';

/** The possible answers to "for whom?" of one person at one portal. */
export interface Choices {
  readonly self: boolean;
  readonly subjects: readonly ActingSubject[];
}

/** One answer: `actingAs` is `self` or the subject's reference. */
export interface Answer {
  readonly actingAs: string;
  readonly subject?: ActingSubject;
}

/**
 * How an answer came about: picked on the page, named by the request, kept from the same session's last request, or the only one
 * there was. An only answer is looked for anew each time, since nobody has chosen it.
 */
export type ChoiceOrigin = 'page' | 'request' | 'session' | 'only';

export type Choice =
  | { readonly state: 'chosen'; readonly answer: Answer; readonly origin: ChoiceOrigin }
  /** Somebody has to choose. */
  | { readonly state: 'open' }
  /** The portal wants somebody acted for, and there is nobody. */
  | { readonly state: 'nobody' };

/** What speaks for an answer, the strongest first. */
export interface Wishes {
  /** Picked on the page: `self` or a reference. */
  readonly picked?: string | undefined;
  /** Asked for by the portal: `self` or a Unified Social Credit Code in its normal form. */
  readonly requested?: string | undefined;
  /** Chosen in the sign-in session before: `self` or a reference. */
  readonly kept?: string | undefined;
}

/** The kinds of subject by the names portals register them with. */
const KIND_NAMES = { legal: 'legal', natural: 'represented' } as const;

/** What of a person's subjects a portal accepts (`accepts_subjects` of its record). Pure. */
export function choicesAt(accepted: readonly string[], subjects: readonly ActingSubject[]): Choices {
  return {
    self: accepted.includes('natural'),
    subjects: subjects.filter(({ kind }) => accepted.includes(KIND_NAMES[kind])),
  };
}

/** Whether a portal accepts this subject; undefined stands for oneself. Pure. */
export const isAccepted = (accepted: readonly string[], subject: ActingSubject | undefined): boolean =>
  accepted.includes(subject === undefined ? 'natural' : KIND_NAMES[subject.kind]);

/** Whether choosing may be needed at all: a portal that accepts people on their own behalf alone never asks. Pure. */
export const asksForSubject = (accepted: readonly string[]): boolean => accepted.some((kind) => kind !== 'natural');

/**
 * For whom somebody acts, or that somebody must be asked. A picked answer that has ended, and a requested one that is not this
 * person's, lead to the page and never to another answer: nobody acts for whom they did not mean, and a portal cannot find out
 * whose a company is. Pure.
 */
export function choose(choices: Choices, { picked, requested, kept }: Wishes): Choice {
  const answers: Answer[] = choices.self ? [{ actingAs: SELF }] : [];
  answers.push(...choices.subjects.map((subject) => ({ actingAs: subject.ref, subject })));
  const [only] = answers;
  if (only === undefined) return { state: 'nobody' };
  const chosen = (answer: Answer | undefined, origin: ChoiceOrigin): Choice =>
    answer === undefined ? { state: 'open' } : { state: 'chosen', answer, origin };
  const named = (actingAs: string) => answers.find((answer) => answer.actingAs === actingAs);
  if (picked !== undefined) return chosen(named(picked), 'page');
  if (requested !== undefined) return chosen(requestedOf(answers, requested, kept), 'request');
  if (answers.length === 1) return chosen(only, 'only');
  return chosen(kept === undefined ? undefined : named(kept), 'session');
}

/** Several mandates of one company are several answers: the request names the company, so the person says which, or has said. */
function requestedOf(answers: readonly Answer[], requested: string, kept: string | undefined): Answer | undefined {
  if (requested === SELF) return answers.find(({ actingAs }) => actingAs === SELF);
  const ofCompany = answers.filter(({ subject }) => subject?.kind === 'legal' && subject.uscc === requested);
  return ofCompany.length === 1 ? ofCompany[0] : ofCompany.find(({ actingAs }) => actingAs === kept);
}
