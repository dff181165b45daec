import type { Level, WatchSettings } from './rule.ts';

export type OperatorClass = WatchSettings['operatorClass'];

/** From the gravest down. */
export const LEVELS = ['I', 'II', 'III', 'IV'] as const satisfies readonly Level[];

/** People whose data are affected, from which a level holds; the number itself counts in (grading guide of the 2025 reporting rules). */
const AFFECTED_FROM: readonly (readonly [people: number, level: Level])[] = [
  [100_000_000, 'I'],
  [10_000_000, 'II'],
  [1_000_000, 'III'],
];

const HOUR_SECONDS = 3600;
/** 国家网络安全事件报告管理办法: critical infrastructure, organs of the central State, everybody else. */
const REPORT_SECONDS: Readonly<Record<OperatorClass, number>> = {
  cii: HOUR_SECONDS,
  central: 2 * HOUR_SECONDS,
  other: 4 * HOUR_SECONDS,
};
const CLOSING_REPORT_SECONDS = 30 * 24 * HOUR_SECONDS;
/** Shares of the time to report at which the watch reminds; the last says that it is over. */
const ALARMS_PERCENT = [50, 80, 100] as const;

const gravity = (level: Level): number => LEVELS.length - LEVELS.indexOf(level);

export const isGraver = (level: Level, than: Level): boolean => gravity(level) > gravity(than);

/** The level proposed for an incident: the rule's own, or what the number of people affected demands, whichever is graver. */
export function proposedLevel(ruleLevel: Level, affectedCount: number): Level {
  const byPeople = AFFECTED_FROM.find(([people]) => affectedCount >= people)?.[1];
  return byPeople !== undefined && isGraver(byPeople, ruleLevel) ? byPeople : ruleLevel;
}

/** Below level III nothing has to be reported. */
export const mustBeReported = (level: Level): boolean => level !== 'IV';

/** When the first report is due, in epoch seconds; undefined where none is. */
export const reportDueAt = (level: Level, discoveredAt: number, operatorClass: OperatorClass): number | undefined =>
  mustBeReported(level) ? discoveredAt + REPORT_SECONDS[operatorClass] : undefined;

/** When the closing report is due: thirty days after the handling ended. */
export const closingDueAt = (handledAt: number): number => handledAt + CLOSING_REPORT_SECONDS;

export interface AlarmFacts {
  readonly level: Level;
  readonly discoveredAt: number;
  readonly reportedAt: number | undefined;
  /** Alarms already given, in percent. */
  readonly given: readonly number[];
}

/** The alarms that are due now and were not given yet, in percent of the time to report. None once the report went out. */
export function alarmsDue(facts: AlarmFacts, operatorClass: OperatorClass, now: number): readonly number[] {
  const dueAt = reportDueAt(facts.level, facts.discoveredAt, operatorClass);
  if (dueAt === undefined || facts.reportedAt !== undefined) return [];
  const passed = ((now - facts.discoveredAt) / (dueAt - facts.discoveredAt)) * 100;
  return ALARMS_PERCENT.filter((percent) => passed >= percent && !facts.given.includes(percent));
}
