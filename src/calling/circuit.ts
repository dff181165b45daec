/** When a circuit opens, how long it stays so, and what closes it. */
export interface CircuitRules {
  /** Failures in a row that open it. */
  readonly failuresMax: number;
  /** How long nobody is sent after it opened; doubles with each trial that fails, up to sixteen times as long. */
  readonly openMs: number;
  /** Trials that must succeed in a row, one after the other, to close it. */
  readonly trialsToClose: number;
}

/** `era` rises with each change of state: what began in an earlier one has no say any more. Times are monotonic milliseconds. */
export type Circuit =
  | { readonly state: 'closed'; readonly era: number; readonly failures: number }
  | { readonly state: 'open'; readonly era: number; readonly untilMs: number; readonly openedInARow: number }
  | {
      readonly state: 'half-open';
      readonly era: number;
      readonly underWay: boolean;
      readonly succeeded: number;
      readonly openedInARow: number;
    };

/** Whether a call may start, and the circuit after the decision. `era` is to be handed back with what came of it. */
export interface Admission {
  readonly admitted: boolean;
  readonly era: number;
  readonly circuit: Circuit;
}

export const CLOSED: Circuit = { state: 'closed', era: 0, failures: 0 };

const DOUBLINGS_MAX = 4;

/**
 * Keeps a dead service from costing every person a deadline: after failures in a row nobody is sent for a while, then one call
 * at a time tries. Pure, like `settle`: these two functions and their table of cases are the whole breaker (H7).
 */
export function admit(circuit: Circuit, nowMs: number): Admission {
  const { era } = circuit;
  if (circuit.state === 'closed') return { admitted: true, era, circuit };
  if (circuit.state === 'half-open') {
    if (circuit.underWay) return { admitted: false, era, circuit };
    return { admitted: true, era, circuit: { ...circuit, underWay: true } };
  }
  if (nowMs < circuit.untilMs) return { admitted: false, era, circuit };
  const { openedInARow } = circuit;
  const trying: Circuit = { state: 'half-open', era: era + 1, underWay: true, succeeded: 0, openedInARow };
  return { admitted: true, era: era + 1, circuit: trying };
}

/** The circuit after an admitted call has ended. */
export function settle(
  circuit: Circuit,
  { era, answered }: { readonly era: number; readonly answered: boolean },
  nowMs: number,
  rules: CircuitRules,
): Circuit {
  if (era !== circuit.era || circuit.state === 'open') return circuit;
  if (circuit.state === 'closed') {
    if (answered) return circuit.failures === 0 ? circuit : { ...circuit, failures: 0 };
    const failures = circuit.failures + 1;
    return failures < rules.failuresMax ? { ...circuit, failures } : opened(era + 1, 0, nowMs, rules);
  }
  if (!answered) return opened(era + 1, circuit.openedInARow, nowMs, rules);
  const succeeded = circuit.succeeded + 1;
  if (succeeded >= rules.trialsToClose) return { state: 'closed', era: era + 1, failures: 0 };
  return { ...circuit, underWay: false, succeeded };
}

const opened = (era: number, before: number, nowMs: number, { openMs }: CircuitRules): Circuit => ({
  state: 'open',
  era,
  untilMs: nowMs + openMs * 2 ** Math.min(before, DOUBLINGS_MAX),
  openedInARow: before + 1,
});
