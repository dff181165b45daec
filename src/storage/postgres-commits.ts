import type pg from 'pg';
import { monotonicMs } from '../shared/clock.ts';
import { Gathering } from './gathering.ts';
import { carryOut, control } from './postgres-batch.ts';
import { explained, inOrder, type Posted } from './postgres-transaction.ts';
import { isCancelled, isFromServer, isRetryable, unavailable, unavailableOf } from './storage-errors.ts';

/** More of them make transactions that hold their locks for long. */
const GROUP_MAX = 64;
/** So many are taken out of a group before the rest of it goes singly. */
const TAKEN_OUT_MAX = 2;
/** Transactions at once: while these are under way, others gather. One that waits for a lock holds up a lane and not all. */
const LANES_MAX = 4;

/** As long as one waits for a connection: where no transaction ends, the server is gone, and nobody is kept waiting for it. */
const WAIT_MS_MAX = 3_000;

interface Waiting {
  readonly sinceMs: number;
  readonly posted: readonly Posted[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What went wrong, and with whom; nobody in particular where it was the COMMIT. */
interface Failure {
  readonly error: unknown;
  readonly by: Waiting | undefined;
}

/** Lends a connection for one transaction. `confirm` throws where the standby did not confirm its COMMIT. */
export interface Lender {
  lend<T>(work: (client: pg.PoolClient, confirm: () => void) => Promise<T>): Promise<T>;
}

/**
 * Group commit: writes that wait for no answer, gathered until the turn of the event loop ends or for some turns (gathering.ts), share a transaction, which is
 * one message to the server and one fsync. One that fails is taken out, the others run again, and it is tried by itself afterwards: then it meets what its neighbours wrote,
 * and its failure is its own.
 */
export class PostgresCommits {
  readonly #lender: Lender;
  readonly #gathering = new Gathering();
  #queue: Waiting[] = [];
  #lanes = 0;
  #isScheduled = false;

  constructor(lender: Lender) {
    this.#lender = lender;
  }

  /** Resolves when the statements are committed. */
  add(posted: readonly Posted[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ sinceMs: monotonicMs(), posted, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#lanes >= LANES_MAX || this.#queue.length === 0) return;
    this.#isScheduled = true;
    this.#gathering.hold(() => {
      this.#isScheduled = false;
      const group = this.#queue.splice(0, GROUP_MAX);
      this.#gathering.went(group.length);
      this.#lanes += 1;
      void this.#run(group).finally(() => {
        this.#lanes -= 1;
        this.#refuseLate();
        this.#schedule();
      });
      this.#schedule();
    });
  }

  #refuseLate(): void {
    const latestMs = monotonicMs() - WAIT_MS_MAX;
    const isLate = ({ sinceMs }: Waiting): boolean => sinceMs < latestMs;
    for (const { reject } of this.#queue.filter(isLate)) reject(unavailable('No transaction ended in time'));
    this.#queue = this.#queue.filter((one) => !isLate(one));
  }

  async #run(group: readonly Waiting[]): Promise<void> {
    const lost: Waiting[] = [];
    // Everywhere in the same order: two groups that spend the same codes must not wait for one another.
    let rest = group.length === 1 ? group : group.toSorted((one, other) => compare(orderOf(one), orderOf(other)));
    while (rest.length > 0) {
      const failure = await this.#attempt(rest).catch((error: unknown): Failure => ({ error, by: undefined }));
      if (failure === undefined) {
        for (const { resolve } of rest) resolve();
        break;
      }
      const { error, by } = failure;
      if (by === undefined || rest.length === 1) {
        for (const { reject } of rest) reject(error);
        break;
      }
      // Who lost a race begins anew by itself, and who waited for a lock as long as anybody may does not wait once more.
      if (isRetryable(error) || unavailableOf(error) !== undefined) by.reject(error);
      else lost.push(by);
      rest = rest.filter((one) => one !== by);
      // Where many come with what is spent already, to look for them one after the other would take longer than each by itself.
      if (lost.length >= TAKEN_OUT_MAX) {
        lost.push(...rest);
        break;
      }
    }
    await Promise.all(lost.map((one) => this.#run([one])));
  }

  /** Undefined when everything is committed. Throws what befell all of them. */
  #attempt(group: readonly Waiting[]): Promise<Failure | undefined> {
    return this.#lender.lend(async (client, confirm) => {
      const said = inOrder(
        group.flatMap((waiting) => waiting.posted.map((posted) => ({ posted, waiting, order: posted.order }))),
      );
      const statements = said.map(({ posted }) => posted.statement);
      const { failed } = await carryOut(client, [control('BEGIN'), ...statements, control('COMMIT')]);
      if (failed === undefined) {
        confirm();
        return undefined;
      }
      const by = said[failed.at - 1];
      const error = explained(by?.posted, failed.error);
      const isItsOwn = isFromServer(failed.error) && (unavailableOf(error) === undefined || isCancelled(failed.error));
      if (!isItsOwn) throw error;
      const undone = await carryOut(client, [control('ROLLBACK')]);
      if (undone.failed) throw explained(undefined, undone.failed.error);
      return { error, by: by?.waiting };
    });
  }
}

/** By what names the row of the first statement. */
const orderOf = ({ posted }: Waiting): string => posted[0]?.statement.values.slice(0, 2).join(':') ?? '';
const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
