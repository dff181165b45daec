import { monotonicMs, nowMs } from '../../shared/clock.ts';
import type { Database, Transaction } from '../../storage/database.ts';
import type { LedgerStanding } from './ledger-standing.ts';

const TAKE = `UPDATE ledger_tree SET fence = fence + 1, holder = $3, lease_until_ms = $4
  WHERE id = 1 AND fence = $1 AND lease_until_ms = $2`;
const HOLD = 'UPDATE ledger_tree SET lease_until_ms = $2 WHERE id = 1 AND fence = $1';
const RELEASE = 'UPDATE ledger_tree SET lease_until_ms = 0 WHERE id = 1 AND fence = $1';

/** Thrown in a write to undo it: somebody else has taken over. Not a fault: the other one does the work now. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/**
 * The right to be the one sequencer (L9). What protects the tree is the fence, a number that rises with each take-over and
 * stands in the condition of every write; the lease only keeps two from working in turns. So clocks that differ or are set
 * may cost a needless take-over and nothing else.
 */
export class SequencerLease {
  readonly #database: Database;
  readonly #holder: string;
  readonly #leaseMs: number;
  /** The last lease of somebody else that we saw, and when we saw it first. */
  #seen = { fence: -1, leaseUntilMs: -1, sinceMs: 0 };
  #heldSinceMs = 0;

  constructor(database: Database, holder: string, leaseMs: number) {
    this.#database = database;
    this.#holder = holder;
    this.#leaseMs = leaseMs;
  }

  /** Takes over when the lease is free: released, run out, or not renewed before our eyes. Resolves with our fence. */
  async take(standing: LedgerStanding): Promise<number | undefined> {
    if (!this.#isFree(standing)) return undefined;
    const { fence, leaseUntilMs } = standing;
    const changed = await this.#database.run(TAKE, [fence, leaseUntilMs, this.#holder, this.#untilMs()]);
    return changed === 1 ? fence + 1 : undefined;
  }

  /**
   * Begins a write of the sequencer: locks the row of the tree until the write ends and prolongs the lease. Throws `LeaseLost`
   * when the fence is no longer ours, so that the write is undone.
   */
  async hold(tx: Transaction, fence: number): Promise<void> {
    if ((await tx.run(HOLD, [fence, this.#untilMs()])) === 0) throw new LeaseLost();
  }

  /** Prolongs the lease when nothing was written for a third of it. Throws `LeaseLost`. */
  async renew(fence: number): Promise<void> {
    if (monotonicMs() - this.#heldSinceMs > this.#leaseMs / 3) await this.#database.write((tx) => this.hold(tx, fence));
  }

  /** Lets others take over at once. */
  async release(fence: number): Promise<void> {
    await this.#database.run(RELEASE, [fence]);
  }

  #untilMs(): number {
    this.#heldSinceMs = monotonicMs();
    return nowMs() + this.#leaseMs;
  }

  /** Our own clock may be wrong, and so may the holder's: a lease that stands unchanged for its whole length is over too (X8). */
  #isFree({ fence, leaseUntilMs, holder }: LedgerStanding): boolean {
    if (holder === this.#holder || leaseUntilMs <= nowMs()) return true;
    if (this.#seen.fence !== fence || this.#seen.leaseUntilMs !== leaseUntilMs) {
      this.#seen = { fence, leaseUntilMs, sinceMs: monotonicMs() };
    }
    return monotonicMs() - this.#seen.sinceMs > this.#leaseMs;
  }
}
