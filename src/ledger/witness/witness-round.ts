import type { Signer } from '../../crypto/signer.ts';
import { nowMs, nowSeconds } from '../../shared/clock.ts';
import { type Checkpoint, cosign, type NoteVerifier, signedLines } from '../checkpoints/checkpoint.ts';
import { type Admission, admitCheckpoint } from './witness.ts';
import { LedgerUnreachable, type WitnessSource } from './witness-source.ts';
import type { HeldCheckpoint, WitnessState } from './witness-state.ts';

/** What one visit to the ledger has shown. `unreachable`: nothing, it did not answer as it should. */
export interface WitnessReport {
  readonly outcome: Admission['outcome'] | 'unreachable';
  /** One sentence for the auditor. */
  readonly sentence: string;
}

export interface WitnessOptions {
  readonly source: WitnessSource;
  readonly state: WitnessState;
  /** The ledger's key, under its origin. */
  readonly verifier: NoteVerifier;
  /** The name and key this witness cosigns with. */
  readonly name: string;
  readonly signer: Signer;
  readonly held: HeldCheckpoint | undefined;
}

/**
 * A witness between its visits (L11). It holds one checkpoint, the largest it has cosigned, and gives it up only for one that
 * extends it. A fork or a rollback is kept in ALARM with both notes: together they prove what the ledger's key has signed.
 */
export class Witness {
  readonly #options: WitnessOptions;
  #held: HeldCheckpoint | undefined;
  #refused: string | undefined;

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.#held = options.held;
  }

  /** Visits the ledger once. Throws when the witness's own folder or key fails, and for nothing the ledger does. */
  async visit(): Promise<WitnessReport> {
    try {
      const note = await this.#options.source.checkpoint();
      const { source, verifier } = this.#options;
      const held = this.#held?.checkpoint;
      const admission = await admitCheckpoint({ held, note, verifier, node: (of) => source.nodes(of) });
      return await this.#act(admission, note);
    } catch (error) {
      if (error instanceof LedgerUnreachable) return { outcome: 'unreachable', sentence: error.message };
      throw error;
    }
  }

  async #act(admission: Admission, note: string): Promise<WitnessReport> {
    const { outcome } = admission;
    if (outcome === 'unsigned') {
      return {
        outcome,
        sentence: 'What the ledger shows as its checkpoint is not signed with the key it is known by.',
      };
    }
    const { size } = admission.checkpoint;
    const heldSize = this.#held?.checkpoint.size ?? 0;
    switch (outcome) {
      case 'first':
        await this.#keep(admission.checkpoint, note);
        return { outcome, sentence: `Size ${size} is the first checkpoint this witness has cosigned.` };
      case 'extends':
        await this.#keep(admission.checkpoint, note);
        return { outcome, sentence: `Size ${size} extends size ${heldSize}; cosigned.` };
      case 'same':
        return { outcome, sentence: `Size ${size} is the one that was cosigned.` };
      case 'rollback':
        return this.#refuse(outcome, note, `The ledger shows size ${size} after it had signed size ${heldSize}.`);
      case 'fork':
        return this.#refuse(outcome, note, `Size ${size} does not continue size ${heldSize}, and both are signed.`);
    }
  }

  /** The time of a cosignature never goes back, whatever the clock does (X8). */
  async #keep(checkpoint: Checkpoint, note: string): Promise<void> {
    const { name, signer, state, verifier } = this.#options;
    const unixSeconds = Math.max(nowSeconds(), this.#held?.unixSeconds ?? 0);
    // Without lines of others: nobody here has checked them, and a note full of them could not be cosigned.
    const cosigned = await cosign(signedLines(note, verifier) ?? note, name, unixSeconds, signer);
    await state.keep(checkpoint.size, cosigned);
    this.#held = { checkpoint, note: cosigned, unixSeconds };
  }

  async #refuse(outcome: 'rollback' | 'fork', note: string, sentence: string): Promise<WitnessReport> {
    if (note !== this.#refused) {
      const time = new Date(nowMs()).toISOString();
      await this.#options.state.alarm(
        `${time} ${outcome}: ${sentence}\n\nheld:\n${this.#held?.note ?? ''}\nrefused:\n${note}\n`,
      );
      this.#refused = note;
    }
    return { outcome, sentence };
  }
}
