import { Gathering } from './gathering.ts';
import { type Answer, carryOut, type Statement } from './postgres-batch.ts';
import type { Lender } from './postgres-commits.ts';
import { isCancelled, isFromServer, translatePostgresError, unavailableOf } from './storage-errors.ts';

/** A burst spreads over several connections. */
const BATCH_MAX = 24;

interface Waiting {
  readonly statement: Statement;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Look-ups of one turn of the event loop, or of some (gathering.ts), sent as one message on one connection: to write to a socket and to be woken by it costs more than most of
 * them. One that fails does so alone; those behind it are asked again.
 */
export class PostgresReads {
  readonly #lender: Lender;
  readonly #gathering = new Gathering();
  #waiting: Waiting[] = [];

  constructor(lender: Lender) {
    this.#lender = lender;
  }

  ask(statement: Statement): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) this.#gathering.hold(() => this.#flush());
      this.#waiting.push({ statement, resolve, reject });
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#gathering.went(waiting.length);
    for (let from = 0; from < waiting.length; from += BATCH_MAX) void this.#send(waiting.slice(from, from + BATCH_MAX));
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    let rest = batch;
    while (rest.length > 0) {
      const asked = rest;
      rest = await this.#lender
        .lend(async (client) => {
          const { answers, failed } = await carryOut(
            client,
            asked.map(({ statement }) => statement),
          );
          for (const [at, answer] of answers.entries()) asked[at]!.resolve(answer);
          if (failed === undefined) return [];
          const error = translatePostgresError(failed.error);
          const isItsOwn =
            isFromServer(failed.error) && (unavailableOf(error) === undefined || isCancelled(failed.error));
          if (!isItsOwn) throw error;
          asked[failed.at]!.reject(error);
          return asked.slice(failed.at + 1);
        })
        .catch((error: unknown) => {
          // Those that were answered are settled, and hear nothing of it.
          for (const { reject } of asked) reject(error);
          return [];
        });
    }
  }
}
