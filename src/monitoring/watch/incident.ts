import { isGraver, mustBeReported, proposedLevel } from './grading.ts';
import type { About, Level } from './rule.ts';

export type IncidentStatus = 'open' | 'handled' | 'closed';

export type TimelineChange =
  | 'opened'
  | 'alerted'
  | 'graded'
  | 'regrade-proposed'
  | 'owned'
  | 'noted'
  | 'reported'
  | 'handled'
  | 'closed'
  | 'alarm'
  | 'response';

/** One line of the history. `at` is epoch seconds; `by` is the name of an operator or `watch`. */
export interface TimelineEntry {
  readonly at: number;
  readonly by: string;
  readonly change: TimelineChange;
  readonly text: string;
}

/** What is kept beside the columns. Evidence is the newest numbers; `evidenceCount` counts all of them. */
export interface IncidentRecord {
  readonly about: About;
  readonly evidence: readonly number[];
  readonly evidenceCount: number;
  readonly alertCount: number;
  /** The newest entry that was alerted, and when it happened: nothing is alerted twice. */
  readonly alertedSeq: number;
  readonly alertedAtMs: number;
  readonly gradedBy: string;
  readonly gradedReason: string;
  readonly alarms: readonly number[];
  readonly reportedAt?: number;
  readonly handledAt?: number;
  readonly closedAt?: number;
  readonly timeline: readonly TimelineEntry[];
}

export interface Incident {
  readonly id: string;
  readonly rule: string;
  readonly level: Level;
  readonly status: IncidentStatus;
  readonly discoveredAt: number;
  readonly owner: string | undefined;
  /** People affected, at least. */
  readonly affectedCount: number;
  readonly title: string;
  readonly record: IncidentRecord;
}

/** What a rule found, ready to be written. */
export interface Alert {
  readonly about: About;
  readonly evidence: readonly number[];
  readonly count: number;
  readonly affectedCount: number;
  readonly seq: number;
  readonly atMs: number;
  /** The level of the rule; the number of people may raise it. */
  readonly level: Level;
}

/** What an operator, or the watch, does to an incident. */
export type IncidentChange =
  | { readonly change: 'owned'; readonly owner: string }
  | { readonly change: 'graded'; readonly level: Level; readonly reason: string }
  | { readonly change: 'noted'; readonly text: string }
  | { readonly change: 'response'; readonly text: string }
  | { readonly change: 'alarm'; readonly percent: number }
  | { readonly change: 'reported' | 'handled' | 'closed' };

export type ChangeRefusal = 'closed' | 'not-open' | 'not-handled' | 'not-reported' | 'timeline-full';

export const WATCH = 'watch';
const EVIDENCE_MAX = 200;
const TIMELINE_MAX = 300;
/** These may give way to make room: what they say also stands in the ledger. */
const GIVES_WAY: ReadonlySet<TimelineChange> = new Set(['alerted', 'response']);

/** An incident as it begins. Pure. */
export function openIncident(
  alert: Alert,
  named: { readonly id: string; readonly rule: string; readonly title: string },
  at: number,
): Incident {
  const level = proposedLevel(alert.level, alert.affectedCount);
  return {
    ...named,
    level,
    status: 'open',
    discoveredAt: at,
    owner: undefined,
    affectedCount: alert.affectedCount,
    record: {
      about: alert.about,
      evidence: alert.evidence.slice(-EVIDENCE_MAX),
      evidenceCount: alert.evidence.length,
      alertCount: 1,
      alertedSeq: alert.seq,
      alertedAtMs: alert.atMs,
      gradedBy: WATCH,
      gradedReason: '',
      alarms: [],
      timeline: [{ at, by: WATCH, change: 'opened', text: String(alert.count) }],
    },
  };
}

/**
 * The incident with one more alert. The watch corrects a level it gave itself; that of a human stays, and the timeline says that
 * the numbers now demand another. A collective incident adds up the people, others keep the highest number. Pure.
 */
export function withAlert(incident: Incident, alert: Alert, at: number, isCollective: boolean): Incident {
  const { record } = incident;
  const affectedCount = isCollective
    ? incident.affectedCount + alert.affectedCount
    : Math.max(incident.affectedCount, alert.affectedCount);
  const proposed = proposedLevel(alert.level, affectedCount);
  const raised = isGraver(proposed, incident.level);
  const byWatch = record.gradedBy === WATCH;
  const entries: TimelineEntry[] = [{ at, by: WATCH, change: 'alerted', text: String(alert.count) }];
  // Told once for each number of people that demands more, not at every alert.
  const told = isGraver(proposedLevel(alert.level, incident.affectedCount), incident.level);
  if (raised && byWatch) entries.push({ at, by: WATCH, change: 'graded', text: proposed });
  if (raised && !byWatch && !told) entries.push({ at, by: WATCH, change: 'regrade-proposed', text: proposed });
  return {
    ...incident,
    level: raised && byWatch ? proposed : incident.level,
    affectedCount,
    record: {
      ...record,
      evidence: [...record.evidence, ...alert.evidence].slice(-EVIDENCE_MAX),
      evidenceCount: record.evidenceCount + alert.evidence.length,
      alertCount: record.alertCount + 1,
      alertedSeq: Math.max(record.alertedSeq, alert.seq),
      alertedAtMs: Math.max(record.alertedAtMs, alert.atMs),
      timeline: entries.reduce((timeline, entry) => lengthened(timeline, entry) ?? timeline, record.timeline),
    },
  };
}

/**
 * The incident after a change, or why it cannot be: open, then handled, then closed, and nothing after that. What the law wants
 * reported is not closed before it was: alarms end with the closing, and the duty would be forgotten. Pure.
 */
export function changed(
  incident: Incident,
  change: IncidentChange,
  { at, by }: { readonly at: number; readonly by: string },
): Incident | ChangeRefusal {
  if (incident.status === 'closed') return 'closed';
  if (change.change === 'handled' && incident.status !== 'open') return 'not-open';
  if (change.change === 'closed' && incident.status !== 'handled') return 'not-handled';
  if (change.change === 'closed' && mustBeReported(incident.level) && incident.record.reportedAt === undefined) {
    return 'not-reported';
  }
  const timeline = lengthened(incident.record.timeline, { at, by, change: change.change, text: textOf(change) });
  if (timeline === undefined) return 'timeline-full';
  const record: IncidentRecord = { ...incident.record, timeline };
  switch (change.change) {
    case 'owned':
      return { ...incident, owner: change.owner, record };
    case 'graded':
      return { ...incident, level: change.level, record: { ...record, gradedBy: by, gradedReason: change.reason } };
    case 'alarm':
      return { ...incident, record: { ...record, alarms: [...record.alarms, change.percent] } };
    case 'reported':
      return { ...incident, record: { ...record, reportedAt: record.reportedAt ?? at } };
    case 'handled':
      return { ...incident, status: 'handled', record: { ...record, handledAt: at } };
    case 'closed':
      return { ...incident, status: 'closed', record: { ...record, closedAt: at } };
    default:
      return { ...incident, record };
  }
}

function textOf(change: IncidentChange): string {
  switch (change.change) {
    case 'owned':
      return change.owner;
    case 'graded':
      return `${change.level}: ${change.reason}`;
    case 'noted':
    case 'response':
      return change.text;
    case 'alarm':
      return String(change.percent);
    default:
      return '';
  }
}

/** The first entry always stays; alerts in the middle give way. Undefined when there is no room for what a human says. */
function lengthened(timeline: readonly TimelineEntry[], entry: TimelineEntry): readonly TimelineEntry[] | undefined {
  if (timeline.length < TIMELINE_MAX) return [...timeline, entry];
  const at = timeline.findIndex(({ change }) => GIVES_WAY.has(change));
  return at === -1 ? undefined : [...timeline.toSpliced(at, 1), entry];
}
