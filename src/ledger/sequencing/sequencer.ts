import type { Signer } from '../../crypto/signer.ts';
import { createSm2Verifier } from '../../crypto/sm2-software-signer.ts';
import { monotonicMs, nowMs } from '../../shared/clock.ts';
import { Fault } from '../../shared/fault.ts';
import { newId } from '../../shared/ids.ts';
import type { Database, Transaction } from '../../storage/database.ts';
import { signNote } from '../checkpoints/checkpoint.ts';
import { storeCheckpoint } from '../checkpoints/checkpoint-store.ts';
import { Frontier } from '../tree/merkle.ts';
import { isSigned, type LedgerStanding, readMark, readStanding, timeOf } from './ledger-standing.ts';
import { LeaseLost, SequencerLease } from './sequencer-lease.ts';
import { demandSize, sequenceStep, stepLength } from './sequencer-step.ts';
import type { Tree } from './tree-growth.ts';
import { loadTree, UNSIGNED_MAX } from './tree-load.ts';

/** A checkpoint that is signed and stored. */
export interface SignedCheckpoint {
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
}

export interface SequencerOptions {
  readonly database: Database;
  readonly signer: Signer;
  /** The name of this ledger, the first line of every checkpoint. */
  readonly origin: string;
  /** The longest that an entry waits for its checkpoint while nothing fails. */
  readonly intervalMs?: number | undefined;
  /** A checkpoint is signed at the latest after so many entries, 4,096 at most. */
  readonly entriesMax?: number | undefined;
  /** How long the others wait for a sequencer that says nothing before one of them takes over. */
  readonly leaseMs?: number | undefined;
  /** Told of failures. After `ledger_mismatch`, its last, this sequencer signs nothing more; after others it tries again. */
  readonly onFault?: ((error: unknown) => void) | undefined;
  readonly onCheckpoint?: ((checkpoint: SignedCheckpoint) => void) | undefined;
}

export interface Sequencer {
  /**
   * Resolves when everything committed before the call is signed, here or by the node that holds the lease. Throws what
   * prevented it: `Fault('ledger_mismatch')` when this sequencer signs nothing more, the failure of store or signer, and
   * `Fault('storage_unavailable')` after half a minute.
   */
  settle(): Promise<void>;
  /** What no checkpoint covered at the last look, and how many milliseconds old the oldest of it is. */
  lag(): { readonly unsignedCount: number; readonly oldestUnsignedMs: number };
  /** Signs what is committed if this is the sequencer in office, hands the lease back and ends. A failure goes to `onFault`. */
  stop(): Promise<void>;
}

/** Looks at the store in one interval: entries are hashed soon after they come, in small portions, and signed together. */
const LOOKS_PER_INTERVAL = 4;
const SETTLE_MS_MAX = 30_000;
const SETTLE_LOOK_MS = 25;

/** What the sequencer in office knows. Thrown away with every write that fails: what is stored decides. */
interface Tenure {
  readonly fence: number;
  tree: Tree;
  signedSize: number;
  signedAtMs: number;
}

/** Starts the sequencer of this node (L9). Of all the sequencers on one store one is in office, and the others stand by. */
export function startSequencer(options: SequencerOptions): Sequencer {
  return new LedgerSequencer(options);
}

class LedgerSequencer implements Sequencer {
  readonly #options: SequencerOptions;
  readonly #intervalMs: number;
  readonly #entriesMax: number;
  readonly #lease: SequencerLease;
  #tenure: Tenure | undefined;
  #mismatch: Fault | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;
  /** Rounds follow one another; each begins when the one before has ended. */
  #round: Promise<unknown> = Promise.resolve();
  #signDueMs = 0;
  #unsignedCount = 0;
  #oldestAtMs: number | undefined;
  #ended = false;

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? 1000;
    this.#entriesMax = Math.min(options.entriesMax ?? UNSIGNED_MAX, UNSIGNED_MAX);
    this.#lease = new SequencerLease(options.database, newId('seq'), options.leaseMs ?? 5000);
    this.#schedule(0);
  }

  async settle(): Promise<void> {
    const { database } = this.#options;
    const mark = await readMark(database);
    const deadlineMs = monotonicMs() + SETTLE_MS_MAX;
    for (;;) {
      if (this.#ended) throw new Fault('internal', 'This sequencer has been stopped');
      const failure = (await this.#next(true)) ?? this.#mismatch;
      if (failure !== undefined) throw failure;
      if (await isSigned(database, mark)) return;
      if (monotonicMs() > deadlineMs) throw new Fault('storage_unavailable', 'The ledger was not signed in time');
      await new Promise((resolve) => setTimeout(resolve, SETTLE_LOOK_MS));
    }
  }

  lag(): { readonly unsignedCount: number; readonly oldestUnsignedMs: number } {
    const oldestUnsignedMs = this.#oldestAtMs === undefined ? 0 : Math.max(0, nowMs() - this.#oldestAtMs);
    return { unsignedCount: this.#unsignedCount, oldestUnsignedMs };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopOnce();
    return this.#stopped;
  }

  async #stopOnce(): Promise<void> {
    clearTimeout(this.#timer);
    // A failure of this round has gone to `onFault`; the next start signs what is left.
    await this.#next(true);
    this.#ended = true;
    try {
      if (this.#tenure !== undefined) await this.#lease.release(this.#tenure.fence);
    } catch (error) {
      this.#options.onFault?.(error);
    }
    this.#tenure = undefined;
  }

  #schedule(afterMs: number): void {
    if (this.#stopped !== undefined) return;
    this.#timer = setTimeout(async () => {
      const failed = (await this.#next(false)) !== undefined;
      this.#schedule(failed ? this.#intervalMs : this.#intervalMs / LOOKS_PER_INTERVAL);
    }, afterMs);
    this.#timer.unref();
  }

  /** Runs a round after those already asked for. Resolves with its failure, of which `onFault` knows; the next begins anew. */
  #next(signNow: boolean): Promise<unknown> {
    const round = this.#round.then(async () => {
      try {
        await this.#runRound(signNow);
        return undefined;
      } catch (error) {
        if (error instanceof LeaseLost) return undefined;
        const known = this.#mismatch !== undefined;
        if (error instanceof Fault && error.code === 'ledger_mismatch') this.#mismatch ??= error;
        if (!known) this.#options.onFault?.(error);
        return error;
      }
    });
    this.#round = round;
    return round;
  }

  async #runRound(signNow: boolean): Promise<void> {
    if (this.#ended) return;
    const standing = await this.#look();
    if (this.#mismatch !== undefined) return;
    if (this.#tenure?.fence !== standing.fence) this.#tenure = undefined;
    this.#tenure ??= await this.#takeOffice(standing);
    if (this.#tenure === undefined) return;
    await this.#work(this.#tenure, standing.committedCount, signNow);
    await this.#lease.renew(this.#tenure.fence);
  }

  async #takeOffice(standing: LedgerStanding): Promise<Tenure | undefined> {
    const fence = await this.#lease.take(standing);
    if (fence === undefined) return undefined;
    const { database, signer, origin } = this.#options;
    const verifier = { ...createSm2Verifier(signer.publicKey), name: origin };
    const loaded = await loadTree(database, verifier, () => new Promise((resolve) => setImmediate(resolve)));
    if (loaded.ok) {
      const { tree, signedSize, signedAtMs } = loaded;
      return { fence, tree, signedSize, signedAtMs };
    }
    // Somebody who took over from us meanwhile has changed what we were reading: that is no finding.
    if ((await readStanding(database))?.fence !== fence) return undefined;
    throw new Fault('ledger_mismatch', loaded.reason);
  }

  /** Hashes what was committed when the round began, and signs when it is time: waited long enough, or gathered enough. */
  async #work(tenure: Tenure, committedCount: number, signNow: boolean): Promise<void> {
    for (;;) {
      const before = tenure.tree.size;
      if (before < committedCount && before - tenure.signedSize < this.#entriesMax)
        await this.#step(tenure, committedCount);
      const unsigned = tenure.tree.size - tenure.signedSize;
      const caughtUp = tenure.tree.size >= committedCount || tenure.tree.size === before;
      const due = unsigned >= this.#entriesMax || (caughtUp && (signNow || monotonicMs() >= this.#signDueMs));
      if (unsigned > 0 && due) await this.#sign(tenure);
      else if (caughtUp) return;
    }
  }

  async #step(tenure: Tenure, committedCount: number): Promise<void> {
    const { database } = this.#options;
    const { tree, fence, signedSize } = tenure;
    const window = signedSize + this.#entriesMax - tree.size;
    const limit = Math.min(stepLength(database.engine, tree.size, committedCount - tree.size), window);
    tenure.tree = await this.#write(fence, (tx) => sequenceStep(tx, database.engine, { tree, fence, limit }));
  }

  /** A write of the sequencer in office. When it fails, perhaps after all it was committed: what is stored is read again. */
  async #write<T>(fence: number, work: (tx: Transaction) => Promise<T>): Promise<T> {
    try {
      return await this.#options.database.write(async (tx) => {
        await this.#lease.hold(tx, fence);
        return work(tx);
      });
    } catch (error) {
      this.#tenure = undefined;
      throw error;
    }
  }

  /** Signs the tree as it is committed, never what is still being written. The time of a checkpoint never goes back (X8). */
  async #sign(tenure: Tenure): Promise<void> {
    const { signer, origin, onCheckpoint } = this.#options;
    const { size, roots } = tenure.tree;
    const root = new Frontier(size, roots).root();
    this.#signDueMs = monotonicMs() + this.#intervalMs;
    const note = await signNote({ origin, size, root }, signer);
    const atMs = Math.max(nowMs(), tenure.signedAtMs);
    await this.#write(tenure.fence, async (tx) => {
      await demandSize(tx, size);
      await storeCheckpoint(tx, { size, at_ms: atMs, note }, tenure.signedAtMs);
    });
    tenure.signedSize = size;
    tenure.signedAtMs = atMs;
    await this.#look();
    onCheckpoint?.({ size, root, note });
  }

  async #look(): Promise<LedgerStanding> {
    const standing = await readStanding(this.#options.database);
    if (standing === undefined) throw new Fault('ledger_mismatch', 'The row of the ledger tree is missing.');
    const { committedCount, signedSize, oldestUnsigned } = standing;
    this.#unsignedCount = Math.max(0, committedCount - signedSize);
    this.#oldestAtMs = oldestUnsigned === null ? undefined : timeOf(oldestUnsigned);
    return standing;
  }
}
