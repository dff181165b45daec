import type { Connection, Transaction } from '../../storage/database.ts';

/** What went over, as it must come back: plain JSON, kept sealed. */
export type Moved = Readonly<Record<string, unknown>>;

/** Two accounts of one person. */
export interface MergePair {
  readonly keptId: string;
  readonly mergedId: string;
}

/** Why something can not go over, or not come back. */
export type MoveRefusal =
  | 'same_company'
  | 'has_factors'
  | 'too_many_documents'
  | 'document_gone'
  | 'identifier_gone'
  | 'post_gone'
  | 'mandate_gone';

export type MoveOutcome =
  | { readonly ok: true; readonly moved: Moved; readonly counts: Readonly<Record<string, number>> }
  | { readonly ok: false; readonly reason: MoveRefusal };

export type ReturnOutcome = { readonly ok: true } | { readonly ok: false; readonly reason: MoveRefusal };

/**
 * What one room keeps of a person. Everything happens in the transaction it is given, after the rows of both people were locked; on a
 * refusal the caller undoes the whole transaction, so nothing needs to be taken back here.
 */
export interface Holdings {
  /** Names the part of the record that is kept for the way back. */
  readonly name: string;
  move(tx: Transaction, pair: MergePair): Promise<MoveOutcome>;
  moveBack(tx: Transaction, pair: MergePair, moved: Moved): Promise<ReturnOutcome>;
  /** Removes everything of a person that is no more. Rows others need stay without what was personal in them. */
  shred(tx: Transaction, personId: string): Promise<void>;
}

/** What must end before an account may, and what stands in its way; the rooms above people hand it in. */
export interface Leaving {
  /** The companies that would be without anybody to act for them: they must name another representative first. */
  hindrances(connection: Connection, personId: string): Promise<readonly string[]>;
  /** Ends posts and mandates, each with its event, notices and what it had opened. May be called again. */
  leave(personId: string): Promise<void>;
  /** Whoever stands as guardian for this person, to be told. */
  guardians(connection: Connection, personId: string): Promise<readonly string[]>;
}
