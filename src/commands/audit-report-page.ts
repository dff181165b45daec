import { readFileSync } from 'node:fs';
import { Eta } from 'eta';
import type { Act, DailyReport } from '../ledger/auditing/daily-report.ts';
import { isCommitment } from '../ledger/entry.ts';
import type { Outcome } from '../ledger/verifying/verdict.ts';
import { type Language, showTime } from '../web/language.ts';
import { htmlText } from '../web/visible-text.ts';
import { aligned, auditMessages, beijingTime } from './audit-table.ts';

const TEMPLATE = new URL('../../views/audit-report.eta', import.meta.url);
/** The report is one page of A4: what does not fit is counted. */
const ACTS_SHOWN_MAX = 9;
const TYPES_SHOWN_MAX = 10;
const INCIDENTS_SHOWN_MAX = 4;
const DETAILS_LENGTH_MAX = 64;
const WAIT_MINUTES_MAX = 65;

export interface ReportPageOptions {
  readonly language: Language;
  readonly branding: {
    readonly nameZh: string;
    readonly nameEn: string;
    readonly provinceZh: string;
    readonly provinceEn: string;
  };
  readonly keyId: string;
  readonly origin: string;
  /** Epoch seconds. */
  readonly now: number;
}

/** The report of a day as one printable page of HTML that needs no other file. */
export function renderReport(report: DailyReport, outcome: Outcome, options: ReportPageOptions): string {
  const eta = new Eta({ autoEscape: true, escapeFunction: htmlText, rmWhitespace: true });
  return eta.renderString(readFileSync(TEMPLATE, 'utf8'), reportModel(report, outcome, options));
}

/** Everything the page says, in its language. Pure. */
export function reportModel(report: DailyReport, outcome: Outcome, options: ReportPageOptions) {
  const { language, branding, keyId, origin, now } = options;
  const { report: t, language: tag } = auditMessages(language);
  const number = numberIn(language);
  const { actCounts, checkpoints } = report;
  const sumOf = (...types: readonly string[]): number => types.reduce((sum, type) => sum + (actCounts[type] ?? 0), 0);
  const actCount = Object.values(actCounts).reduce((sum, count) => sum + count, 0);
  const acts = [...report.acts].sort((left, right) => weightOf(left) - weightOf(right)).slice(0, ACTS_SHOWN_MAX);
  return {
    t,
    tag,
    house: language === 'en' ? `${branding.provinceEn} ${branding.nameEn}` : `${branding.provinceZh}${branding.nameZh}`,
    day: report.day,
    verdict: outcome.verdict,
    verdictReason: t.reasons[outcome.verdict] ?? outcome.reason,
    judged: t.judged(number(outcome.counts.entries), number(outcome.counts.size)),
    firstBad: outcome.firstBad === undefined ? undefined : t.firstBad(number(outcome.firstBad)),
    figures: [
      { label: t.figures.count, value: number(report.count), tone: '' },
      { label: t.figures.failures, value: number(report.failures), tone: '' },
      { label: t.figures.searches, value: number(sumOf('audit.search')), tone: '' },
      { label: t.figures.exports, value: number(sumOf('audit.export')), tone: '' },
      { label: t.figures.prunes, value: number(sumOf('audit.prune', 'person.erased')), tone: '' },
      { label: t.figures.incidents, value: number(report.incidents.length), tone: toneOf(report.incidents.length) },
      { label: t.gaps, value: number(report.gapCount), tone: toneOf(report.gapCount) },
    ],
    hours: hourChart(report.hours, number),
    types: typeChart(report.types, number),
    otherTypeCount: Math.max(0, report.types.length - TYPES_SHOWN_MAX),
    checkpointRows: [
      { label: t.kept, value: number(checkpoints.kept) },
      {
        label: t.sizes,
        value:
          checkpoints.firstSize === undefined
            ? t.none
            : `${number(checkpoints.firstSize)} – ${number(checkpoints.lastSize ?? 0)}`,
      },
      { label: t.longestWait, value: durationIn(t, checkpoints.longestWaitMs) },
      { label: t.key, value: keyId },
    ],
    waitTone: checkpoints.longestWaitMs > WAIT_MINUTES_MAX * 60_000 ? 'alert' : '',
    origin,
    acts: acts
      .sort((left, right) => left.seq - right.seq)
      .map((act) => ({
        time: beijingTime(act.ts).slice('2026-01-01 '.length),
        seq: act.seq,
        type: act.type,
        actor: act.actor.replace(/^operator:/, ''),
        details: detailsOf(act),
      })),
    omittedActCount: actCount - acts.length,
    incidents: report.incidents.slice(0, INCIDENTS_SHOWN_MAX).map(({ id, level, status, title, discoveredAt }) => ({
      id,
      level,
      status: t.statuses[status] ?? status,
      title,
      time: showTime(discoveredAt, language),
    })),
    openIncidents: t.openIncidents(report.openIncidentCount),
    printed: t.printed(showTime(now, language)),
  };
}

/** The report of a day for a terminal. */
export function reportText(report: DailyReport, outcome: Outcome, options: ReportPageOptions): string {
  const model = reportModel(report, outcome, options);
  const { t } = model;
  const bars = report.hours.map(({ success, failure }, hour) => [
    String(hour).padStart(2, '0'),
    String(success + failure),
    barOf(success + failure, report.hours),
  ]);
  return [
    `${t.title} ${report.day}  ${model.house}`,
    `${t.verdicts[outcome.verdict]}: ${model.verdictReason} ${model.judged}`,
    ...(model.firstBad === undefined ? [] : [model.firstBad]),
    '',
    aligned(model.figures.map(({ label, value }) => [label, value])),
    aligned(model.checkpointRows.map(({ label, value }) => [label, value])),
    t.hours,
    aligned(bars),
    t.types,
    aligned([
      ['', t.success, t.failure],
      ...report.types.map(({ type, success, failure }) => [type, String(success), String(failure)]),
    ]),
    t.acts,
    model.acts.length === 0
      ? `${t.noActs}\n`
      : aligned(model.acts.map(({ time, seq, type, actor, details }) => [time, String(seq), type, actor, details])),
    ...(model.omittedActCount > 0 ? [t.moreActs(model.omittedActCount)] : []),
    `${t.incidents}: ${model.incidents.length === 0 ? t.noIncidents : ''} ${model.openIncidents}`,
    ...model.incidents.map(({ id, level, status, title }) => `  ${id}  ${level}  ${status}  ${title}`),
    '',
    t.note,
    '',
  ].join('\n');
}

const numberIn =
  (language: Language) =>
  (value: number): string =>
    value.toLocaleString(language === 'en' ? 'en-GB' : 'zh-CN');

const toneOf = (count: number): string => (count > 0 ? 'alert' : '');

function durationIn(t: ReturnType<typeof auditMessages>['report'], ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 120 ? t.seconds(seconds) : t.minutes(Math.round(seconds / 60));
}

const BAR_WIDTH = 40;
function barOf(count: number, hours: DailyReport['hours']): string {
  const most = Math.max(1, ...hours.map(({ success, failure }) => success + failure));
  return '█'.repeat(Math.round((BAR_WIDTH * count) / most));
}

/** Starts and stops are listed when there is room for them. */
const weightOf = ({ type }: Act): number => (/^(?:server|key|audit\.opened)/.test(type) ? 1 : 0);

/** What an act says, without what is sealed. */
function detailsOf({ data }: Act): string {
  const said = Object.entries(data)
    .filter(([name, value]) => !isCommitment(value) && name !== 'root' && name !== 'digest' && name !== 'key')
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(', ') : String(value)}`)
    .join('  ');
  return said.length > DETAILS_LENGTH_MAX ? `${said.slice(0, DETAILS_LENGTH_MAX)}…` : said;
}

const HOUR_WIDTH = 26;
const CHART_HEIGHT = 96;
const BASE_Y = 112;

/** Bars of a stacked chart; lengths are those of the drawing's own coordinates. */
function hourChart(hours: DailyReport['hours'], number: (value: number) => string) {
  const most = Math.max(1, ...hours.map(({ success, failure }) => success + failure));
  const height = (count: number): number => Math.round((CHART_HEIGHT * count * 10) / most) / 10;
  return {
    width: 24 * HOUR_WIDTH,
    baseY: BASE_Y,
    most: number(most),
    bars: hours.map(({ success, failure }, hour) => {
      const [good, bad] = [height(success), height(failure)];
      return {
        x: hour * HOUR_WIDTH + 4,
        width: HOUR_WIDTH - 8,
        hour,
        good: { y: BASE_Y - good, height: good },
        bad: { y: BASE_Y - good - bad, height: bad },
      };
    }),
  };
}

const TYPE_WIDTH = 225;

function typeChart(types: DailyReport['types'], number: (value: number) => string) {
  const shown = types.slice(0, TYPES_SHOWN_MAX);
  const most = Math.max(1, ...shown.map(({ success, failure }) => success + failure));
  const width = (count: number): number => Math.round((TYPE_WIDTH * count * 10) / most) / 10;
  return shown.map(({ type, success, failure }, row) => ({
    type,
    y: row * 17,
    good: width(success),
    bad: width(failure),
    count: number(success + failure),
    failed: failure === 0 ? '' : number(failure),
  }));
}
