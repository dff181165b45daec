import type { z } from 'zod';
import type { BulkheadRules } from '../calling/bulkhead.ts';
import { CallFailure, type CallTrouble } from '../calling/call-failure.ts';
import type { CircuitRules } from '../calling/circuit.ts';
import { type CallLoad, GuardedCalls } from '../calling/guarded-calls.ts';
import { answerIn } from '../calling/json-exchange.ts';
import { randomToken } from '../shared/random.ts';
import type { RegisterTransport } from './register-transport.ts';

/** Why nobody was judged: trouble on the way, an open circuit, or no place in the queue. */
export type Unanswered = CallTrouble | 'circuit_open' | 'busy' | 'internal';

/** For metrics: one register since the start of this process. Every value comes from a closed list. */
export interface RegisterReading extends CallLoad {
  readonly register: string;
  readonly answers: Readonly<Record<string, number>>;
  readonly unanswered: Readonly<Record<string, number>>;
}

export interface RegisterClientOptions {
  /** How metrics and log lines call it. */
  readonly name: string;
  /** The address its paths stand under, without a slash at the end. */
  readonly url: string;
  readonly transport: RegisterTransport;
  /** Over everything from signing the question to verifying the answer; the transport has one of its own for the exchange. */
  readonly timeoutMs: number;
  readonly circuit: CircuitRules;
  readonly bulkhead: BulkheadRules;
  /** Told when the circuit opens, with what opened it, and when it closes. */
  readonly onCircuit?: (state: 'open' | 'closed', trouble: Unanswered | undefined) => void;
  /** Told of what is our own mistake; the caller is answered `unavailable` all the same. */
  readonly onFault?: (error: unknown) => void;
}

const NONCE_CHARACTERS = 32;

/**
 * Asks one register over HTTP and never throws: whatever is not a genuine, well-formed answer to this very request in time is
 * undefined, and nobody was judged. A dead register costs a deadline for the few that find out, not for everybody after them.
 */
export class RegisterClient {
  readonly #options: RegisterClientOptions;
  readonly #calls: GuardedCalls;
  readonly #answers = new Map<string, number>();
  readonly #unanswered = new Map<string, number>();

  constructor(options: RegisterClientOptions) {
    this.#options = options;
    const { timeoutMs, circuit, bulkhead, onCircuit } = options;
    this.#calls = new GuardedCalls({
      timeoutMs,
      circuit,
      bulkhead,
      onCircuit: (state, error) => onCircuit?.(state, state === 'open' ? reasonOf(error) : undefined),
    });
  }

  /**
   * Posts `question` with an id of its own and resolves with the answer in the form of `answer`, which must name the same id. `verdict`
   * names it for the counts. A register that says of one question that it cannot judge is alive; one that cannot judge at all says 503.
   */
  async ask<Answer>(
    path: string,
    question: Readonly<Record<string, unknown>>,
    answer: z.ZodType<Answer>,
    verdict: (answer: Answer) => string,
  ): Promise<Answer | undefined> {
    try {
      const outcome = await this.#calls.run(() => this.#exchange(path, question, answer));
      if (!outcome.started) return this.#nothing(outcome.reason);
      count(this.#answers, verdict(outcome.value));
      return outcome.value;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === 'internal') this.#options.onFault?.(error);
      return this.#nothing(reason);
    }
  }

  reading(): RegisterReading {
    return {
      register: this.#options.name,
      ...this.#calls.load(),
      answers: Object.fromEntries(this.#answers),
      unanswered: Object.fromEntries(this.#unanswered),
    };
  }

  async #exchange<Answer>(
    path: string,
    question: Readonly<Record<string, unknown>>,
    form: z.ZodType<Answer>,
  ): Promise<Answer> {
    const requestId = randomToken(NONCE_CHARACTERS);
    const body = JSON.stringify({ requestId, ...question });
    const { transport, url } = this.#options;
    return answerIn(await transport(url + path, requestId, body), requestId, form);
  }

  #nothing(reason: Unanswered): undefined {
    count(this.#unanswered, reason);
    return undefined;
  }
}

const reasonOf = (error: unknown): Unanswered => (error instanceof CallFailure ? error.trouble : 'internal');

const count = (counts: Map<string, number>, name: string): void => {
  counts.set(name, (counts.get(name) ?? 0) + 1);
};
