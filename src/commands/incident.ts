import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { closingDueAt, LEVELS, reportDueAt } from '../monitoring/watch/grading.ts';
import type { ChangeRefusal, Incident, IncidentChange } from '../monitoring/watch/incident.ts';
import type { Incidents } from '../monitoring/watch/incidents.ts';
import { nowSeconds } from '../shared/clock.ts';
import { showTime } from '../web/language.ts';
import { visibleText } from '../web/visible-text.ts';
import { type ReportOptions, renderReport } from './incident-report.ts';

/** What the command works on. `operator` is who acts where the command line does not say. */
export interface IncidentCommandContext extends Pick<ReportOptions, 'branding' | 'operatorClass'> {
  readonly incidents: Incidents;
  readonly operator: string;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** 0 done, 1 refused (a sentence on stderr), 2 not understood (the usage on stderr). */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `Usage:
  tongban incident list [--all] [--json]                    incidents not closed yet, the newest first
  tongban incident show ID [--json]                         one incident with its history and evidence
  tongban incident own ID NAME [--by NAME]                  say who takes care of it
  tongban incident grade ID I|II|III|IV --by NAME --reason TEXT
  tongban incident note ID TEXT [--by NAME]                 add to its history; no personal data of citizens here
  tongban incident handled ID [--by NAME]                   the handling has ended; the closing report is due in 30 days
  tongban incident close ID --by NAME                       the closing report is done
  tongban incident report ID [--lang zh|en] [--out FILE.html]   one page to print and sign
  tongban incident report ID --sent --by NAME               the first report went out: no more alarms
`;

const TEXT_LENGTH_MAX = 500;
const NAME_LENGTH_MAX = 64;
const OPTIONS = {
  all: { type: 'boolean' },
  json: { type: 'boolean' },
  by: { type: 'string' },
  reason: { type: 'string' },
  lang: { type: 'string' },
  out: { type: 'string' },
  sent: { type: 'boolean' },
} as const;

type Options = ReturnType<typeof parsed>['values'];
const parsed = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });

interface Action {
  readonly operands: number;
  readonly options: readonly (keyof typeof OPTIONS)[];
  readonly required?: readonly (keyof typeof OPTIONS)[];
}

const ACTIONS: Readonly<Record<string, Action>> = {
  list: { operands: 0, options: ['all', 'json'] },
  show: { operands: 1, options: ['json'] },
  own: { operands: 2, options: ['by'] },
  grade: { operands: 2, options: ['by', 'reason'], required: ['by', 'reason'] },
  note: { operands: 2, options: ['by'] },
  handled: { operands: 1, options: ['by'] },
  close: { operands: 1, options: ['by'], required: ['by'] },
  report: { operands: 1, options: ['lang', 'out', 'sent', 'by'] },
};

/**
 * `tongban incident ...`: what the watch found, and what people did about it. Answers on stdout, as text or, with --json, as one JSON
 * value. Resolves with the exit code.
 */
export async function run(args: readonly string[], context: IncidentCommandContext): Promise<ExitCode> {
  const understood = understand(args);
  if (understood === undefined) {
    context.stderr.write(USAGE);
    return 2;
  }
  const { action, operands, options } = understood;
  const [id = '', operand = ''] = operands;
  const by = clean(options.by ?? context.operator, NAME_LENGTH_MAX);
  if (by === '') return refuse(context, '--by is empty: say who acts.');
  if (action === 'list') return list(options, context);
  if (action === 'show') return show(id, options, context);
  if (action === 'report' && !options.sent) return report(id, options, context);
  const change = changeOf(action, operand, options);
  if (typeof change === 'string') return refuse(context, change);
  const outcome = await context.incidents.change(id, change, by);
  if (!outcome.ok) return refuse(context, REFUSALS[outcome.reason](printable(id)));
  context.stdout.write(`${line(outcome.incident, context)}\n`);
  if (change.change === 'handled') {
    const due = closingDueAt(outcome.incident.record.handledAt ?? nowSeconds());
    context.stdout.write(`The closing report is due before ${showTime(due, 'en')} (Beijing time).\n`);
  }
  return 0;
}

function understand(
  args: readonly string[],
): { readonly action: string; readonly operands: readonly string[]; readonly options: Options } | undefined {
  try {
    const { values, positionals } = parsed(args);
    const [action = '', ...operands] = positionals;
    const known = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (known === undefined || operands.length !== known.operands) return undefined;
    const given = Object.keys(values) as (keyof typeof OPTIONS)[];
    if (given.some((name) => !known.options.includes(name))) return undefined;
    if ((known.required ?? []).some((name) => values[name] === undefined)) return undefined;
    if (values.lang !== undefined && values.lang !== 'zh' && values.lang !== 'en') return undefined;
    if (values.sent && (values.by === undefined || values.out !== undefined)) return undefined;
    return { action, operands, options: values };
  } catch {
    return undefined;
  }
}

/** What is to be changed, or a sentence that says why that cannot be. */
function changeOf(action: string, operand: string, options: Options): IncidentChange | string {
  switch (action) {
    case 'own': {
      const owner = clean(operand, NAME_LENGTH_MAX);
      return owner === '' ? 'The name of the owner is empty.' : { change: 'owned', owner };
    }
    case 'grade': {
      const level = LEVELS.find((known) => known === operand.toUpperCase());
      const reason = clean(options.reason ?? '', TEXT_LENGTH_MAX);
      if (level === undefined) return `${printable(operand)} is no level: it is I, II, III or IV.`;
      return reason === '' ? '--reason is empty: say why.' : { change: 'graded', level, reason };
    }
    case 'note': {
      const text = clean(operand, TEXT_LENGTH_MAX);
      return text === '' ? 'The note is empty.' : { change: 'noted', text };
    }
    case 'handled':
      return { change: 'handled' };
    case 'close':
      return { change: 'closed' };
    default:
      return { change: 'reported' };
  }
}

const REFUSALS: Readonly<Record<ChangeRefusal | 'unknown' | 'busy', (id: string) => string>> = {
  unknown: (id) => `There is no incident ${id}.`,
  closed: (id) => `${id} is closed: nothing about it changes any more.`,
  'not-open': (id) => `${id} has been handled already.`,
  'not-handled': (id) => `${id} is not handled yet: say so first, with tongban incident handled.`,
  'not-reported': (id) =>
    `${id} has to be reported before it is closed: tongban incident report ${id} --sent --by NAME. If the level is too high, grade it again.`,
  'timeline-full': (id) => `The history of ${id} is full.`,
  busy: (id) => `${id} is being changed by others right now; nothing was changed. Try again.`,
};

async function list(options: Options, context: IncidentCommandContext): Promise<ExitCode> {
  const incidents = await context.incidents.list({ all: options.all ?? false });
  if (options.json)
    return print(
      context,
      incidents.map((incident) => view(incident, context)),
    );
  for (const incident of incidents) context.stdout.write(`${line(incident, context)}\n`);
  if (incidents.length === 0) context.stdout.write('No incident.\n');
  return 0;
}

async function show(id: string, options: Options, context: IncidentCommandContext): Promise<ExitCode> {
  const incident = await context.incidents.find(id);
  if (incident === undefined) return refuse(context, REFUSALS.unknown(printable(id)));
  if (options.json) return print(context, view(incident, context));
  const { record } = incident;
  const history = record.timeline.map(
    ({ at, by, change, text }) => `  ${showTime(at, 'en')}  ${by}: ${change}${text === '' ? '' : ` ${text}`}\n`,
  );
  context.stdout.write(
    `${line(incident, context)}\n  concerns ${printable(record.about.key)}, at least ${incident.affectedCount} people affected, graded by ${record.gradedBy}\n${history.join('')}  evidence: ${record.evidence.join(' ')}\n`,
  );
  return 0;
}

async function report(id: string, options: Options, context: IncidentCommandContext): Promise<ExitCode> {
  const incident = await context.incidents.find(id);
  if (incident === undefined) return refuse(context, REFUSALS.unknown(printable(id)));
  const language = options.lang === 'en' ? 'en' : 'zh-CN';
  const html = renderReport(incident, { ...context, language, now: nowSeconds() });
  if (options.out === undefined) {
    context.stdout.write(html);
    return 0;
  }
  try {
    await writeFile(options.out, html, { mode: 0o600 });
  } catch (error) {
    const cause = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    return refuse(context, `${printable(options.out)} cannot be written${cause}.`);
  }
  context.stdout.write(`Written to ${printable(options.out)}.\n`);
  return 0;
}

/** Times in ISO 8601, so that other programs can read them. */
function view(incident: Incident, { operatorClass }: IncidentCommandContext): Record<string, unknown> {
  const { record, discoveredAt, level } = incident;
  const iso = (at: number | undefined): string | null => (at === undefined ? null : new Date(at * 1000).toISOString());
  return {
    id: incident.id,
    rule: incident.rule,
    title: incident.title,
    level,
    status: incident.status,
    about: record.about,
    owner: incident.owner ?? null,
    affected_count: incident.affectedCount,
    graded_by: record.gradedBy,
    graded_reason: record.gradedReason,
    discovered_at: iso(discoveredAt),
    report_due_at: iso(reportDueAt(level, discoveredAt, operatorClass)),
    reported_at: iso(record.reportedAt),
    handled_at: iso(record.handledAt),
    closing_report_due_at: iso(record.handledAt === undefined ? undefined : closingDueAt(record.handledAt)),
    closed_at: iso(record.closedAt),
    alert_count: record.alertCount,
    evidence_count: record.evidenceCount,
    evidence: record.evidence,
    timeline: record.timeline.map(({ at, ...entry }) => ({ at: iso(at), ...entry })),
  };
}

function line(
  { id, level, status, discoveredAt, owner, title, record }: Incident,
  context: IncidentCommandContext,
): string {
  const dueAt = reportDueAt(level, discoveredAt, context.operatorClass);
  const late = dueAt !== undefined && nowSeconds() >= dueAt ? 'OVERDUE' : 'due';
  const duty =
    dueAt === undefined
      ? ''
      : record.reportedAt === undefined
        ? `  report ${late} ${showTime(dueAt, 'en')}`
        : '  reported';
  return `${id}  ${level.padEnd(3)}  ${status.padEnd(7)}  ${showTime(discoveredAt, 'en')}  ${owner ?? '-'}  ${title}${duty}`;
}

function print(context: IncidentCommandContext, value: unknown): ExitCode {
  context.stdout.write(`${JSON.stringify(value)}\n`);
  return 0;
}

function refuse(context: IncidentCommandContext, sentence: string): ExitCode {
  context.stderr.write(`${sentence}\n`);
  return 1;
}

/** What people type is kept without characters nobody sees, on one line. */
const clean = (text: string, lengthMax: number): string =>
  visibleText(text).replaceAll(/\s+/g, ' ').trim().slice(0, lengthMax).toWellFormed();

/** What was typed goes back to a terminal: no control characters with it (G4). */
const printable = (typed: string): string => typed.slice(0, 200).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
