import type { MandateAct, MandateSide } from '../../legal-persons/mandate-states.ts';
import { transition } from '../../legal-persons/mandate-states.ts';
import type { MandateView } from '../../legal-persons/mandate-views.ts';
import { shownName } from '../../relying-parties/relying-party.ts';
import { nowSeconds } from '../../shared/clock.ts';
import { type Language, machineTime } from '../../web/language.ts';
import type { ChoiceView, MandateCard } from '../../web/pages-companies.ts';
import type { AccountCentreSources } from '../doors.ts';

/** On which side of a mandate the visitor stands; a ward looks on. */
export type Viewer = 'agent' | 'principal' | 'ward';

const ACTS: Readonly<Record<Viewer, readonly MandateAct[]>> = {
  agent: ['accept', 'decline', 'revoke'],
  principal: ['suspend', 'resume', 'renew', 'revoke'],
  ward: [],
};

/** What the viewer may do to a mandate as it stands. The domain judges again when it is done. Pure. */
export function actsOf(
  { status, suspendedBy, acceptedAt, kind }: Pick<MandateView, 'status' | 'suspendedBy' | 'acceptedAt' | 'kind'>,
  viewer: Viewer,
): readonly MandateAct[] {
  const state = { status, suspendedBy, accepted: acceptedAt !== undefined };
  const side: MandateSide = viewer === 'agent' ? 'agent' : 'principal';
  const acts = ACTS[viewer].filter(
    (act) => transition(state, act, side).ok && !(kind === 'guardian' && act === 'renew'),
  );
  // An invitation is declined; to end it as well would be two buttons for one thing.
  return acts.includes('decline') ? acts.filter((act) => act !== 'revoke') : acts;
}

/** Where an agent passes a part of a mandate on. */
export const passOnPage = (id: string): string => `/account/mandates/${id}/pass-on`;

/** Whether the agent of this mandate may pass it on: only a company's, only once, only while it holds. Pure. */
export const mayPassOn = ({
  kind,
  status,
  mayDelegate,
}: Pick<MandateView, 'kind' | 'status' | 'mayDelegate'>): boolean =>
  kind === 'agent' && status === 'active' && mayDelegate;

/** Mandates in words: matters and portals by their names. */
export async function mandateCards(
  views: readonly MandateView[],
  viewer: (view: MandateView) => Viewer,
  language: Language,
  { matters, relyingParties }: AccountCentreSources,
): Promise<readonly MandateCard[]> {
  const portals = new Map<string, string>();
  for (const id of new Set(views.flatMap((view) => view.portals))) {
    const party = await relyingParties.inspect(id);
    portals.set(id, party ? shownName(party.record, language) : id);
  }
  return views.map((view) => ({
    id: view.id,
    kind: view.kind,
    principalName: view.principalName,
    agentName: view.agentName,
    ...(view.inviteeNumberMasked === undefined ? {} : { agentNumber: view.inviteeNumberMasked }),
    matters: view.matters.map((id) => matters.find(id)?.[language === 'en' ? 'en' : 'zh'] ?? id),
    portals: view.portals.map((id) => portals.get(id) ?? id),
    from: view.validFrom,
    until: view.validUntil,
    ...(view.acrMax === undefined ? {} : { ceiling: view.acrMax }),
    mayDelegate: view.mayDelegate,
    status: view.status,
    acts: actsOf(view, viewer(view)),
    ...(viewer(view) === 'agent' && mayPassOn(view) ? { passOnUrl: passOnPage(view.id) } : {}),
  }));
}

/** Everything a mandate may be given for, with what was ticked. */
export const matterChoices = (
  { matters }: AccountCentreSources,
  language: Language,
  chosen: readonly string[],
): readonly ChoiceView[] =>
  matters.all.map(({ id, zh, en }) => ({ id, title: language === 'en' ? en : zh, chosen: chosen.includes(id) }));

/** Every portal where some matter is done and somebody may act for others. */
export async function portalChoices(
  { matters, relyingParties }: AccountCentreSources,
  language: Language,
  chosen: readonly string[],
): Promise<readonly ChoiceView[]> {
  const named = new Set(matters.all.flatMap(({ portals }) => portals));
  const parties = await relyingParties.list();
  return parties
    .filter(({ status, clientId, record }) => {
      const acceptsOthers = (record.accepts_subjects ?? []).some((kind) => kind !== 'natural');
      return status === 'active' && (named.has(clientId) || (named.has('*') && acceptsOthers));
    })
    .map(({ clientId, record }) => ({
      id: clientId,
      title: shownName(record, language),
      chosen: chosen.includes(clientId),
    }));
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DAY_SECONDS = 86_400;

/** The last second of a day of Beijing time, or undefined for what is no day. */
export function endOfDay(day: string): number | undefined {
  const at = DAY.test(day) ? Date.parse(`${day}T23:59:59+08:00`) : Number.NaN;
  if (Number.isNaN(at)) return undefined;
  const seconds = Math.floor(at / 1000);
  // `2026-02-31` is read as a day of March.
  return machineTime(seconds).startsWith(day) ? seconds : undefined;
}

/** The day so many days from today, as a date field wants it. */
export const dayAfter = (days: number): string => machineTime(nowSeconds() + days * DAY_SECONDS).slice(0, 10);
