import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { DeliveryFailure } from './delivery-failure.ts';
import { DestinationGate } from './destination-gate.ts';
import type { Outbox, OutboxOptions } from './outbox-contract.ts';
import { type Candidate, type DueRow, planRound } from './outbox-plan.ts';
import { nextPause, ONE_DAY, type RetrySchedule } from './retry-schedule.ts';

/** Rows looked at in one round. When all of them must wait, they are put off, so that others come into view. */
const WINDOW = 256;
const LEASE_MARGIN_SECONDS = 20;
const UNREACHED = new DeliveryFailure('not reached in time', { permanent: true });

/** A row as its holder knows it: another process that has touched it since has changed one of both. */
type Claim = Pick<DueRow, 'attempts' | 'due_at'>;

const CLAIM = `UPDATE outbox SET attempts = attempts + 1, due_at = $4
  WHERE id = $1 AND state = 'waiting' AND attempts = $2 AND due_at = $3`;
const PUT_OFF = `UPDATE outbox SET due_at = $4 WHERE id = $1 AND state = 'waiting' AND attempts = $2 AND due_at = $3`;
const RETRY = `UPDATE outbox SET due_at = $4, last_error = $5
  WHERE id = $1 AND state = 'waiting' AND attempts = $2 AND due_at = $3`;
const FINISH = `UPDATE outbox SET state = $4, finished_at = $5, last_error = $6
  WHERE id = $1 AND state = 'waiting' AND attempts = $2 AND due_at = $3`;

/** A row belongs to whoever holds its lease: id, attempts and `due_at` as claimed. */
export class OutboxWorker implements Outbox {
  readonly #options: OutboxOptions;
  readonly #concurrency: number;
  readonly #handlerTimeoutMs: number;
  readonly #schedule: RetrySchedule;
  readonly #gate: DestinationGate;
  readonly #running = new Map<string, Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #select: string;
  #failures = 0;
  #stopped = false;
  #round: Promise<void> | undefined;
  #again = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#concurrency = options.concurrency ?? 16;
    this.#handlerTimeoutMs = options.handlerTimeoutMs ?? 10_000;
    this.#schedule = { ...ONE_DAY, ...options.schedule };
    this.#gate = new DestinationGate(options.perDestinationMax ?? 4);
    const places = Object.keys(options.handlers).map((_, index) => `$${index + 3}`);
    this.#select = `SELECT id, topic, payload, attempts, due_at, created_at FROM outbox AS due
      WHERE state = 'waiting' AND due_at <= $1 AND topic IN (${places.join(', ')})
        AND (order_key IS NULL OR NOT EXISTS (SELECT 1 FROM outbox AS older
          WHERE older.state = 'waiting' AND older.order_key = due.order_key AND older.id < due.id))
      ORDER BY due_at, id LIMIT $2`;
    this.#timer = setInterval(() => this.wake(), options.pollMs ?? 1000);
    this.#timer.unref();
  }

  wake(): void {
    if (this.#stopped || Object.keys(this.#options.handlers).length === 0) return;
    if (this.#round !== undefined) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#round = this.#look()
      .catch((error: unknown) => this.#options.onFault?.(error))
      .finally(() => {
        this.#round = undefined;
        if (this.#again) this.wake();
      });
  }

  /** For metrics: deliveries under way now, and single attempts that failed since the start. */
  load(): { readonly running: number; readonly failures: number } {
    return { running: this.#running.size, failures: this.#failures };
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#round;
    const settled = Promise.all(this.#running.values());
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, deadlineMs);
    await Promise.race([settled, deadline.promise]);
    clearTimeout(timer);
    // Whoever is still out now is told to give up; its row is written before the store is closed behind us.
    this.#stopping.abort();
    await Promise.all(this.#running.values());
  }

  async #look(): Promise<void> {
    const free = this.#concurrency - this.#running.size;
    if (free <= 0) return;
    const topics = Object.keys(this.#options.handlers);
    const rows = await this.#options.database.all<DueRow>(this.#select, [nowSeconds(), WINDOW, ...topics]);
    if (rows.length === 0) return;
    const { start, giveUp, putOff } = planRound(
      rows,
      { free, nowSeconds: nowSeconds(), giveUpSeconds: this.#schedule.giveUpSeconds },
      (destination, planned) => this.#gate.ask(destination, planned),
    );
    const postponed = start.length < free && rows.length === WINDOW ? putOff : putOff.filter(({ busy }) => !busy);
    if (start.length === 0 && giveUp.length === 0 && postponed.length === 0) return;
    const leaseUntil = nowSeconds() + Math.ceil(this.#handlerTimeoutMs / 1000) + LEASE_MARGIN_SECONDS;
    const claimed = await this.#options.database.write(async (tx) => {
      const won: Candidate[] = [];
      for (const candidate of start) {
        const { id, attempts, due_at } = candidate.row;
        if ((await tx.run(CLAIM, [id, attempts, due_at, leaseUntil])) === 1) won.push(candidate);
      }
      for (const { row, untilSeconds } of postponed) {
        await tx.run(PUT_OFF, [row.id, row.attempts, row.due_at, untilSeconds]);
      }
      for (const candidate of giveUp) await this.#finish(tx, candidate, candidate.row, UNREACHED);
      return won;
    });
    for (const candidate of claimed) this.#begin(candidate, leaseUntil);
    if (rows.length === WINDOW) this.#again = true;
  }

  #begin(candidate: Candidate, leaseUntil: number): void {
    const { id } = candidate.row;
    this.#gate.begin(candidate.destination);
    const run = this.#deliver(candidate, leaseUntil)
      .catch((error: unknown) => this.#options.onFault?.(error))
      .finally(() => {
        this.#running.delete(id);
        this.wake();
      });
    this.#running.set(id, run);
  }

  async #deliver(candidate: Candidate, leaseUntil: number): Promise<void> {
    // A row whose deliveries were all cut short, because the process died with each, ends here without another.
    const exhausted = candidate.row.attempts >= this.#schedule.attemptsMax;
    const failure = exhausted
      ? new DeliveryFailure('interrupted too often', { permanent: true })
      : await this.#attempt(candidate);
    if (failure !== undefined) this.#failures += 1;
    this.#gate.end(candidate.destination, failure === undefined);
    const attempts = candidate.row.attempts + 1;
    const claim: Claim = { attempts, due_at: leaseUntil };
    const now = nowSeconds();
    const pause =
      failure === undefined || failure.permanent
        ? undefined
        : nextPause(this.#schedule, attempts, now - candidate.row.created_at);
    await this.#options.database.write(async (tx) => {
      if (failure !== undefined && pause !== undefined) {
        await tx.run(RETRY, [candidate.row.id, claim.attempts, claim.due_at, now + pause, failure.message]);
        return;
      }
      await this.#finish(tx, candidate, claim, failure);
    });
  }

  /** Ends a delivery that still stands as claimed, and tells of it. */
  async #finish(tx: Transaction, candidate: Candidate, claim: Claim, failure?: DeliveryFailure): Promise<void> {
    const state = failure === undefined ? 'delivered' : 'dead';
    const ended = [state, nowSeconds(), failure?.message ?? null];
    if ((await tx.run(FINISH, [candidate.row.id, claim.attempts, claim.due_at, ...ended])) === 0) return;
    await this.#tell(tx, candidate, claim.attempts, failure);
  }

  /** Runs the handler against its time limit. The message of an error we did not write is not kept: it may hold anything. */
  async #attempt({ row, payload }: Candidate): Promise<DeliveryFailure | undefined> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(this.#handlerTimeoutMs)]);
    const cut = Promise.withResolvers<never>();
    const onAbort = () => cut.reject(new DeliveryFailure(this.#stopping.signal.aborted ? 'stopped' : 'timed_out'));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const attempt = { id: row.id, number: row.attempts + 1, signal };
      await Promise.race([this.#options.handlers[row.topic]!(payload, attempt), cut.promise]);
      return undefined;
    } catch (error) {
      if (error instanceof DeliveryFailure) return error;
      this.#options.onFault?.(error);
      return new DeliveryFailure(error instanceof Error ? error.name : 'failed', { cause: error });
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #tell(
    tx: Transaction,
    { row, payload }: Candidate,
    attempts: number,
    failure?: DeliveryFailure,
  ): Promise<void> {
    const events = this.#options.events?.[row.topic];
    if (events === undefined || this.#options.ledger === undefined) return;
    const subject = (name: string): string | undefined =>
      typeof payload[name] === 'string' ? payload[name] : undefined;
    const told = Object.fromEntries((events.details ?? []).map((name) => [name, String(payload[name])]));
    await this.#options.ledger.append(tx, {
      type: failure === undefined ? events.delivered : events.dead,
      outcome: failure === undefined ? 'success' : 'failure',
      actor: 'system',
      clientId: subject('clientId'),
      personId: subject('personId'),
      sessionUid: subject('sessionUid'),
      details: { ...told, attempts, ...(failure === undefined ? {} : { error: failure.message }) },
    });
  }
}
