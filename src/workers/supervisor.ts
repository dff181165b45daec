import { monotonicMs } from '../shared/clock.ts';
import type { Begin, FromPrimary, FromWorker, Question } from './messages.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
/** Who has served so long died for another reason than the one before. */
const STEADY_MS = 60_000;
/** A worker gives each source of its metrics a second. */
const ANSWER_MS_MAX = 3_000;

/** A process that serves, as the primary sees it. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  send(message: FromPrimary): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** `code` is null where a signal ended it. */
  onExit(listener: (code: number | null, signal: string | null) => void): void;
  kill(): void;
}

export interface SupervisorOptions {
  readonly count: number;
  readonly fork: () => WorkerProcess;
  /** Told of everything a worker says but answers. */
  readonly onMessage: (worker: number, message: FromWorker) => void;
  readonly onGone: (worker: number) => void;
  readonly log: {
    info(details: object, text: string): void;
    error(details: object, text: string): void;
  };
}

interface Slot {
  readonly number: number;
  process: WorkerProcess | undefined;
  isReady: boolean;
  lives: number;
  bornMs: number;
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** A worker that ended before the server ever served; `code` is what the server ends with. */
export class NeverServed extends Error {
  override readonly name = 'NeverServed';
  readonly code: number;

  constructor(code: number) {
    super('a worker ended before it served');
    this.code = code;
  }
}

/** Keeps so many workers running: starts them, starts a dead one again after a pause that doubles, asks them, and ends them. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: readonly Slot[];
  readonly #asked = new Map<number, (answer: unknown) => void>();
  readonly #first = Promise.withResolvers<void>();
  readonly #all = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #nextId = 0;
  #restarts = 0;
  #isServing = false;
  #isEnding = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, at) => ({
      number: at + 1,
      process: undefined,
      isReady: false,
      lives: 0,
      bornMs: 0,
      pauseMs: FIRST_PAUSE_MS,
      timer: undefined,
    }));
  }

  /** The first alone, which migrates the store and makes the keys; then the others. Resolves when all serve. Throws `NeverServed`. */
  async start(): Promise<void> {
    this.#fork(this.#slots[0]!);
    await this.#first.promise;
    for (const slot of this.#slots.slice(1)) this.#fork(slot);
    this.#settle();
    await this.#all.promise;
  }

  /** How many serve now, of how many, and how often one was started again. */
  reading(): { readonly running: number; readonly wanted: number; readonly restarts: number } {
    const running = this.#slots.filter(({ isReady }) => isReady).length;
    return { running, wanted: this.#slots.length, restarts: this.#restarts };
  }

  send(worker: number, message: FromPrimary): void {
    this.#slots[worker - 1]?.process?.send(message);
  }

  /** The answers of all workers that serve; undefined from one that does not answer in time. */
  askAll(question: Question): Promise<readonly { readonly worker: number; readonly answer: unknown }[]> {
    const ready = this.#slots.filter(({ isReady }) => isReady);
    return Promise.all(ready.map(async (slot) => ({ worker: slot.number, answer: await this.#ask(slot, question) })));
  }

  /** The answer of the first that serves. */
  async askOne(question: Question): Promise<unknown> {
    const slot = this.#slots.find(({ isReady }) => isReady);
    return slot && this.#ask(slot, question);
  }

  /** Lets all end in order; whoever has not after `deadlineMs` is killed. */
  async end(signal: string, deadlineMs: number): Promise<void> {
    this.#isEnding = true;
    for (const { timer } of this.#slots) clearTimeout(timer);
    const living = this.#slots.filter(({ process }) => process !== undefined);
    for (const [at, slot] of living.entries()) slot.process?.send({ kind: 'end', signal, tells: at === 0 });
    if (living.length === 0) return;
    const late = setTimeout(() => {
      for (const { process } of this.#slots) process?.kill();
    }, deadlineMs);
    await this.#gone.promise;
    clearTimeout(late);
  }

  #fork(slot: Slot): void {
    const process = this.#options.fork();
    slot.process = process;
    slot.lives += 1;
    slot.bornMs = monotonicMs();
    process.onMessage((message) => this.#hear(slot, message));
    process.onExit((code, signal) => this.#bury(slot, code, signal));
  }

  #hear(slot: Slot, message: FromWorker): void {
    if (message.kind === 'hello') {
      slot.process?.send(this.#beginOf(slot));
      return;
    }
    if (message.kind === 'answer') {
      this.#asked.get(message.id)?.(message.answer);
      return;
    }
    if (message.kind === 'ready') {
      slot.isReady = true;
      this.#options.log.info({ worker: slot.number, pid: slot.process?.pid }, 'a worker serves');
      this.#first.resolve();
      this.#settle();
    }
    this.#options.onMessage(slot.number, message);
  }

  #beginOf({ number, lives }: Slot): Begin {
    const isFirst = number === 1;
    return {
      kind: 'begin',
      number,
      count: this.#slots.length,
      tellsStart: isFirst && lives === 1,
      showsDemo: isFirst,
    };
  }

  #settle(): void {
    if (this.#slots.every(({ isReady }) => isReady)) {
      this.#isServing = true;
      this.#all.resolve();
    }
  }

  #bury(slot: Slot, code: number | null, signal: string | null): void {
    slot.process = undefined;
    slot.isReady = false;
    this.#options.onGone(slot.number);
    if (this.#isEnding) {
      if (this.#slots.every(({ process }) => process === undefined)) this.#gone.resolve();
      return;
    }
    if (!this.#isServing && slot.lives === 1) {
      const failure = new NeverServed(code ?? 1);
      this.#first.reject(failure);
      this.#all.reject(failure);
      this.#all.promise.catch(() => undefined);
      return;
    }
    if (monotonicMs() - slot.bornMs > STEADY_MS) slot.pauseMs = FIRST_PAUSE_MS;
    this.#restarts += 1;
    this.#options.log.error(
      { worker: slot.number, code, signal, againMs: slot.pauseMs },
      'a worker ended and is started again',
    );
    slot.timer = setTimeout(() => this.#fork(slot), slot.pauseMs);
    slot.pauseMs = Math.min(slot.pauseMs * 2, LONGEST_PAUSE_MS);
  }

  async #ask(slot: Slot, question: Question): Promise<unknown> {
    this.#nextId += 1;
    const id = this.#nextId;
    const answered = Promise.withResolvers<unknown>();
    this.#asked.set(id, answered.resolve);
    const late = setTimeout(() => answered.resolve(undefined), ANSWER_MS_MAX);
    slot.process?.send({ kind: 'ask', id, question });
    try {
      return await answered.promise;
    } finally {
      clearTimeout(late);
      this.#asked.delete(id);
    }
  }
}
