import { monotonicMs } from '../shared/clock.ts';
import { Bulkhead, type BulkheadRules } from './bulkhead.ts';
import { CallFailure } from './call-failure.ts';
import { admit, type Circuit, type CircuitRules, CLOSED, settle } from './circuit.ts';

/** What came of a call: what it resolved with, or why it was never started. */
export type CallOutcome<T> =
  | { readonly started: true; readonly value: T }
  | { readonly started: false; readonly reason: 'circuit_open' | 'busy' };

export interface GuardedCallsOptions {
  /** Over the whole of one call, from its start; a call that takes longer rejects with `timed_out`. */
  readonly timeoutMs: number;
  readonly circuit: CircuitRules;
  readonly bulkhead: BulkheadRules;
  /** Told when the circuit opens, with the error that opened it, and when it closes. */
  readonly onCircuit?: (state: 'open' | 'closed', error: unknown) => void;
}

/** How calls to one service stand now. */
export interface CallLoad {
  readonly circuit: Circuit['state'];
  readonly inFlight: number;
  readonly waiting: number;
}

/**
 * All calls to one service outside: so many at a time, each with a deadline, and none while the service is known to be dead. A call
 * that rejects is a failure of the service, whatever the reason.
 */
export class GuardedCalls {
  readonly #options: GuardedCallsOptions;
  readonly #bulkhead: Bulkhead;
  #circuit: Circuit = CLOSED;

  constructor(options: GuardedCallsOptions) {
    this.#options = options;
    this.#bulkhead = new Bulkhead(options.bulkhead);
  }

  /** Rejects as the call does, or with `CallFailure('timed_out')`. */
  async run<T>(call: () => Promise<T>): Promise<CallOutcome<T>> {
    if (this.#circuit.state === 'open' && monotonicMs() < this.#circuit.untilMs) return CIRCUIT_OPEN;
    const outcome = await this.#bulkhead.run(() => this.#admitted(call));
    return outcome === 'busy' ? BUSY : outcome;
  }

  load(): CallLoad {
    return { circuit: this.#circuit.state, ...this.#bulkhead.load() };
  }

  /** The circuit may have opened while the call waited for its place. */
  async #admitted<T>(call: () => Promise<T>): Promise<CallOutcome<T>> {
    const { admitted, era, circuit } = admit(this.#circuit, monotonicMs());
    this.#circuit = circuit;
    if (!admitted) return CIRCUIT_OPEN;
    try {
      const value = await inTime(call(), this.#options.timeoutMs);
      this.#settle(era, true);
      return { started: true, value };
    } catch (error) {
      this.#settle(era, false, error);
      throw error;
    }
  }

  #settle(era: number, answered: boolean, error?: unknown): void {
    const before = this.#circuit;
    this.#circuit = settle(before, { era, answered }, monotonicMs(), this.#options.circuit);
    if (this.#circuit.state === before.state || this.#circuit.state === 'half-open') return;
    this.#options.onCircuit?.(this.#circuit.state, error);
  }
}

const CIRCUIT_OPEN = { started: false, reason: 'circuit_open' } as const;
const BUSY = { started: false, reason: 'busy' } as const;

/** Rejects with `timed_out` when the work is not done by then; what becomes of it afterwards concerns nobody. */
async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CallFailure('timed_out')), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
