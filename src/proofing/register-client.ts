import { z } from 'zod';
import { monotonicMs } from '../shared/clock.ts';
import { randomToken } from '../shared/random.ts';
import { Bulkhead, type BulkheadRules } from './bulkhead.ts';
import { admit, type Circuit, type CircuitRules, CLOSED, settle } from './circuit.ts';
import { RegisterFailure, type RegisterTransport, type RegisterTrouble } from './register-transport.ts';

/** Why nobody was judged: trouble on the way, an open circuit, or no place in the queue. */
export type Unanswered = RegisterTrouble | 'circuit_open' | 'busy' | 'internal';

/** For metrics: one register since the start of this process. Every value comes from a closed list. */
export interface RegisterReading {
  readonly register: string;
  readonly circuit: Circuit['state'];
  readonly inFlight: number;
  readonly waiting: number;
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
const ENVELOPE = z.looseObject({ requestId: z.string().max(64) });

/**
 * Asks one register over HTTP and never throws: whatever is not a genuine, well-formed answer to this very request in time is
 * undefined, and nobody was judged. A dead register costs a deadline for the few that find out, not for everybody after them.
 */
export class RegisterClient {
  readonly #options: RegisterClientOptions;
  readonly #bulkhead: Bulkhead;
  readonly #answers = new Map<string, number>();
  readonly #unanswered = new Map<string, number>();
  #circuit: Circuit = CLOSED;

  constructor(options: RegisterClientOptions) {
    this.#options = options;
    this.#bulkhead = new Bulkhead(options.bulkhead);
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
    if (this.#circuit.state === 'open' && monotonicMs() < this.#circuit.untilMs) return this.#nothing('circuit_open');
    const outcome = await this.#bulkhead.run(() => this.#admitted(path, question, answer, verdict));
    return outcome === 'busy' ? this.#nothing('busy') : outcome?.answer;
  }

  reading(): RegisterReading {
    return {
      register: this.#options.name,
      circuit: this.#circuit.state,
      ...this.#bulkhead.load(),
      answers: Object.fromEntries(this.#answers),
      unanswered: Object.fromEntries(this.#unanswered),
    };
  }

  /** The circuit may have opened while the call waited for its place. */
  async #admitted<Answer>(
    path: string,
    question: Readonly<Record<string, unknown>>,
    form: z.ZodType<Answer>,
    verdict: (answer: Answer) => string,
  ): Promise<{ readonly answer: Answer } | undefined> {
    const { admitted, era, circuit } = admit(this.#circuit, monotonicMs());
    this.#circuit = circuit;
    if (!admitted) return this.#nothing('circuit_open');
    try {
      const answer = await this.#exchange(path, question, form);
      this.#settle(era, undefined);
      count(this.#answers, verdict(answer));
      return { answer };
    } catch (error) {
      const trouble = error instanceof RegisterFailure ? error.trouble : 'internal';
      if (trouble === 'internal') this.#options.onFault?.(error);
      this.#settle(era, trouble);
      return this.#nothing(trouble);
    }
  }

  async #exchange<Answer>(
    path: string,
    question: Readonly<Record<string, unknown>>,
    form: z.ZodType<Answer>,
  ): Promise<Answer> {
    const requestId = randomToken(NONCE_CHARACTERS);
    const body = JSON.stringify({ requestId, ...question });
    const { transport, url, timeoutMs } = this.#options;
    const text = await inTime(transport(url + path, requestId, body), timeoutMs);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw new RegisterFailure('form', error instanceof SyntaxError ? undefined : error);
    }
    const envelope = ENVELOPE.safeParse(parsed);
    const answer = form.safeParse(parsed);
    if (!envelope.success || !answer.success) throw new RegisterFailure('form');
    // A mixed-up answer of a gateway must not judge somebody else.
    if (envelope.data.requestId !== requestId) throw new RegisterFailure('other_request');
    return answer.data;
  }

  #settle(era: number, trouble: Unanswered | undefined): void {
    const before = this.#circuit;
    this.#circuit = settle(before, { era, answered: trouble === undefined }, monotonicMs(), this.#options.circuit);
    if (this.#circuit.state === before.state || this.#circuit.state === 'half-open') return;
    this.#options.onCircuit?.(this.#circuit.state, trouble);
  }

  #nothing(reason: Unanswered): undefined {
    count(this.#unanswered, reason);
    return undefined;
  }
}

/** Rejects with `timed_out` when the work is not done by then; what becomes of it afterwards concerns nobody. */
async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RegisterFailure('timed_out')), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const count = (counts: Map<string, number>, name: string): void => {
  counts.set(name, (counts.get(name) ?? 0) + 1);
};
