import { monotonicMs } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';

export type CheckState = 'ok' | 'warn' | 'fail';

/** What one check found, with a sentence for the operator: never a value of a row, never a secret. */
export interface Finding {
  readonly state: CheckState;
  readonly detail: string;
}

/** One check: small, without side effects anybody would notice. What it throws is a failure whose text stays inside. */
export interface Check {
  /** `warn`: this check never takes the node out of service, whatever it finds. */
  readonly worst?: 'warn';
  look(): Finding | Promise<Finding>;
}

/** `ready`: all is well; `degraded`: serves, but somebody should look; `unready`: send nobody here (H4). */
export interface Verdict {
  readonly status: 'ready' | 'degraded' | 'unready';
  readonly checks: Readonly<Record<string, Finding>>;
}

/** Pure: the worst finding decides. */
export function verdictOf(checks: Readonly<Record<string, Finding>>): Verdict {
  const states = new Set(Object.values(checks).map(({ state }) => state));
  const status = states.has('fail') ? 'unready' : states.has('warn') ? 'degraded' : 'ready';
  return { status, checks };
}

const CACHE_MS = 500;
const DEADLINE_MS = 1_000;

/**
 * Runs all checks side by side and says what they found together; never throws. A verdict is kept for half a second, so that
 * probes cost nothing however many come. A check has a second; one that hangs is not started again before it has ended (X3).
 */
export function createReadiness(checks: Readonly<Record<string, Check>>): () => Promise<Verdict> {
  const running = new Map<string, Promise<Finding>>();
  let kept: { readonly verdict: Promise<Verdict>; readonly untilMs: number } | undefined;

  const look = (name: string, check: Check): Promise<Finding> => {
    const under = running.get(name);
    if (under !== undefined) return under;
    const started = finding(check).finally(() => running.delete(name));
    running.set(name, started);
    return started;
  };

  const judge = async (): Promise<Verdict> => {
    const found = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => {
        const seen = await within(DEADLINE_MS, look(name, check), LATE);
        return [name, check.worst === 'warn' && seen.state === 'fail' ? { ...seen, state: 'warn' } : seen] as const;
      }),
    );
    return verdictOf(Object.fromEntries(found) as Record<string, Finding>);
  };

  return () => {
    if (kept === undefined || monotonicMs() >= kept.untilMs)
      kept = { verdict: judge(), untilMs: monotonicMs() + CACHE_MS };
    return kept.verdict;
  };
}

const LATE: Finding = { state: 'fail', detail: `no answer within ${DEADLINE_MS} ms` };

/** The text of an error may hold anything, so the operator learns its kind here and the rest from the log. */
async function finding(check: Check): Promise<Finding> {
  try {
    return await check.look();
  } catch (error) {
    const kind = error instanceof Fault ? error.code : error instanceof Error ? error.name : 'unknown cause';
    return { state: 'fail', detail: `failed: ${kind}` };
  }
}

/** Resolves with `late` when `work` has not settled in time; `work` goes on by itself. */
export async function within<T>(deadlineMs: number, work: Promise<T>, late: T): Promise<T> {
  const deadline = Promise.withResolvers<T>();
  const timer = setTimeout(() => deadline.resolve(late), deadlineMs);
  try {
    return await Promise.race([work, deadline.promise]);
  } finally {
    clearTimeout(timer);
  }
}
