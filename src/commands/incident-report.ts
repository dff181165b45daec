import { readFileSync } from 'node:fs';
import { Eta } from 'eta';
import { closingDueAt, type OperatorClass, reportDueAt } from '../monitoring/watch/grading.ts';
import { type Incident, type TimelineEntry, WATCH } from '../monitoring/watch/incident.ts';
import { findRule } from '../monitoring/watch/rules.ts';
import { COLLECTIVE_KEY } from '../monitoring/watch/standing.ts';
import { type Language, showTime } from '../web/language.ts';
import { incidentEn } from '../web/messages/incident-en.ts';
import { type IncidentMessages, incidentZhCN } from '../web/messages/incident-zh-CN.ts';
import { htmlText } from '../web/visible-text.ts';

const TEMPLATE = new URL('../../views/incident-report.eta', import.meta.url);
/** The report is one printed page: what does not fit stands in the ledger. */
const ROWS_MAX = 8;
/** More lines than these are shown cut to one line each. */
const ROWS_ROOMY_MAX = 5;
const EVIDENCE_SHOWN_MAX = 16;
const NOTE_LENGTH_MAX = 60;

export interface ReportOptions {
  readonly language: Language;
  readonly operatorClass: OperatorClass;
  readonly branding: {
    readonly nameZh: string;
    readonly nameEn: string;
    readonly provinceZh: string;
    readonly provinceEn: string;
  };
  /** Epoch seconds. */
  readonly now: number;
}

/** The report of an incident as one printable page of HTML that needs no other file. */
export function renderReport(incident: Incident, options: ReportOptions): string {
  const eta = new Eta({ autoEscape: true, escapeFunction: htmlText, rmWhitespace: true });
  return eta.renderString(readFileSync(TEMPLATE, 'utf8'), reportModel(incident, options));
}

/** Everything the page says, in its language. Pure. */
export function reportModel(incident: Incident, { language, operatorClass, branding, now }: ReportOptions) {
  const t = language === 'en' ? incidentEn : incidentZhCN;
  const { record, level, discoveredAt } = incident;
  const time = (at: number): string => showTime(at, language);
  const rule = findRule(incident.rule);
  const textIn = (text: { zh: string; en: string } | undefined): string =>
    (language === 'en' ? text?.en : text?.zh) ?? '';
  const dueAt = reportDueAt(level, discoveredAt, operatorClass);
  const shown = shownRows(record.timeline);
  const evidence = [...record.evidence].sort((left, right) => left - right).slice(-EVIDENCE_SHOWN_MAX);
  return {
    t,
    house: language === 'en' ? `${branding.provinceEn} ${branding.nameEn}` : `${branding.provinceZh}${branding.nameZh}`,
    incident,
    isGrave: level !== 'IV',
    ruleTitle: textIn(rule?.title) || incident.title,
    advice: textIn(rule?.advice),
    about: record.about.key === COLLECTIVE_KEY ? t.collective : record.about.key,
    discovered: time(discoveredAt),
    affected: incident.affectedCount === 0 ? t.unknownCount : t.atLeast(grouped(incident.affectedCount)),
    graded: record.gradedBy === WATCH ? t.gradedByWatch : t.gradedBy(record.gradedBy, record.gradedReason),
    deadline: deadlineOf(t, { dueAt, reportedAt: record.reportedAt, now, time }),
    recipient: dueAt === undefined ? undefined : t.recipients[operatorClass],
    closing: record.handledAt === undefined ? t.closingLater : t.closingDue(time(closingDueAt(record.handledAt))),
    chart: chartOf(t, incident, dueAt, shown),
    rows: shown.map((entry, at) => ({
      number: at + 1,
      time: time(entry.at),
      what: said(t, entry),
      by: entry.by === WATCH ? t.watch : entry.by,
    })),
    isCrowded: shown.length > ROWS_ROOMY_MAX,
    omittedCount: record.timeline.length - shown.length,
    evidence: ranges(evidence),
    evidenceSaid: t.evidenceCount(evidence.length, record.evidenceCount),
    printed: t.printed(time(now)),
  };
}

function deadlineOf(
  t: IncidentMessages,
  {
    dueAt,
    reportedAt,
    now,
    time,
  }: {
    readonly dueAt: number | undefined;
    readonly reportedAt: number | undefined;
    readonly now: number;
    readonly time: (at: number) => string;
  },
): { readonly said: string; readonly state: string; readonly tone: 'calm' | 'urgent' } {
  if (dueAt === undefined) return { said: t.notRequired, state: '', tone: 'calm' };
  const said = t.dueAt(time(dueAt));
  if (reportedAt !== undefined) {
    const late = reportedAt > dueAt;
    return { said, state: (late ? t.reportedLate : t.reportedAt)(time(reportedAt)), tone: late ? 'urgent' : 'calm' };
  }
  if (now >= dueAt) return { said, state: t.overdue, tone: 'urgent' };
  const minutes = Math.floor((dueAt - now) / 60);
  return { said, state: t.remaining(t.hours(Math.floor(minutes / 60), minutes % 60)), tone: 'urgent' };
}

const said = (t: IncidentMessages, { change, text }: TimelineEntry): string => {
  const words = t.changes[change]?.(text) ?? text;
  return words.length > NOTE_LENGTH_MAX ? `${words.slice(0, NOTE_LENGTH_MAX)}…` : words;
};

/** The first line and the newest, where repeated alerts give way to everything else. */
function shownRows(timeline: readonly TimelineEntry[]): readonly TimelineEntry[] {
  const surplus = timeline.length - ROWS_MAX;
  if (surplus <= 0) return timeline;
  let alertsLeft = surplus;
  const told = timeline.filter(({ change }) => {
    const isLeftOut = change === 'alerted' && alertsLeft > 0;
    if (isLeftOut) alertsLeft -= 1;
    return !isLeftOut;
  });
  return told.length <= ROWS_MAX ? told : [told[0]!, ...told.slice(-(ROWS_MAX - 1))];
}

/** 1300000 as 1,300,000. */
const grouped = (count: number): string => String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');

/** Numbers as people write them: 3, 7-9, 12. */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && number <= last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}

const CHART_WIDTH = 640;
const CHART_MARGIN = 24;
const DOT_SPACING = 17;
/** What would stand higher moves aside instead, so that the drawing keeps its height. */
const STACK_ROWS_MAX = 4;
/** Where the logarithmic axis begins to bend: the first ten minutes are nearly linear. */
const BEND_SECONDS = 600;
const SPAN_SECONDS_MIN = 5 * 3600;

/**
 * The timeline as a drawing: the first minutes and the thirtieth day on one line. Dots that would cover each other are stacked.
 * Lengths are those of the drawing's own coordinates.
 */
function chartOf(
  t: IncidentMessages,
  { discoveredAt, record }: Incident,
  dueAt: number | undefined,
  shown: readonly TimelineEntry[],
) {
  const lastAt = Math.max(dueAt ?? 0, ...shown.map(({ at }) => at), discoveredAt + SPAN_SECONDS_MIN);
  const scale = (CHART_WIDTH - 2 * CHART_MARGIN) / Math.log1p((lastAt - discoveredAt) / BEND_SECONDS);
  const xOf = (at: number): number =>
    Math.round((CHART_MARGIN + Math.log1p(Math.max(0, at - discoveredAt) / BEND_SECONDS) * scale) * 10) / 10;
  const dots: { x: number; row: number; number: number; tone: string }[] = [];
  for (const [index, { at, change }] of shown.entries()) {
    let x = xOf(at);
    let row = freeRow(dots, x);
    // Towards the middle there is room.
    const aside = x > CHART_WIDTH / 2 ? -DOT_SPACING : DOT_SPACING;
    while (row >= STACK_ROWS_MAX) {
      x += aside;
      row = freeRow(dots, x);
    }
    dots.push({ x, row, number: index + 1, tone: toneOf(change) });
  }
  const ticks = Object.entries(t.ticks)
    .map(([seconds, label]) => ({ at: discoveredAt + Number(seconds), label }))
    .filter(({ at }) => at <= lastAt)
    .map(({ at, label }) => ({ x: xOf(at), label }));
  const rowsHigh = Math.max(1, ...dots.map(({ row }) => row + 1));
  const axisY = 20 + rowsHigh * DOT_SPACING;
  return {
    width: CHART_WIDTH,
    height: axisY + 30,
    axisY,
    from: CHART_MARGIN,
    to: CHART_WIDTH - CHART_MARGIN,
    ticks,
    due: dueAt === undefined ? undefined : { x: xOf(dueAt) },
    reported: record.reportedAt === undefined ? undefined : { x: xOf(record.reportedAt) },
    dots: dots.map((dot) => ({ ...dot, y: axisY - 12 - dot.row * DOT_SPACING })),
  };
}

function freeRow(dots: readonly { readonly x: number; readonly row: number }[], x: number): number {
  const near = dots.filter((dot) => Math.abs(dot.x - x) < DOT_SPACING).map(({ row }) => row);
  let row = 0;
  while (near.includes(row)) row += 1;
  return row;
}

function toneOf(change: TimelineEntry['change']): string {
  if (change === 'opened' || change === 'alerted' || change === 'alarm' || change === 'response') return 'alert';
  return change === 'handled' || change === 'closed' || change === 'reported' ? 'done' : 'work';
}
