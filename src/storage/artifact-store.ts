import type { Transaction } from './database.ts';

/** What oidc-provider persists under one model name and id. `consumed` is epoch seconds, set once by `consume`. */
export interface Artifact {
  readonly payload: Record<string, unknown>;
  readonly consumedAt: number | null;
  readonly expiresAt: number;
}

/** The columns an artifact is found by, besides its id. */
export interface ArtifactKeys {
  readonly grantId?: string;
  readonly accountId?: string;
  readonly uid?: string;
  readonly userCode?: string;
}

/** One change to the store. A batch of them is applied in order, whole or not at all. */
export type ArtifactChange =
  | {
      readonly kind: 'put';
      readonly model: string;
      readonly id: string;
      readonly payload: Record<string, unknown>;
      readonly keys: ArtifactKeys;
      readonly expiresAt: number;
    }
  /** Insert only: for replay marks. A live row of that id makes the batch fail with `conflict`. */
  | { readonly kind: 'mark'; readonly model: string; readonly id: string; readonly expiresAt: number }
  /**
   * Compare-and-set: fails the batch with `conflict` when the row is absent, expired or already consumed. Of what its holder carries there is no row:
   * `carriedUntil` is how long that is remembered (epoch seconds), longer than it lives, and the batch fails where it was consumed before.
   */
  | { readonly kind: 'consume'; readonly model: string; readonly id: string; readonly carriedUntil?: number }
  /** `isOnce`: a compare-and-set as well, which fails the batch with `conflict` when the row is not there any more. */
  | { readonly kind: 'destroy'; readonly model: string; readonly id: string; readonly isOnce?: true }
  /** Removes every artifact of a grant, of the given models, or of all when none are named. */
  | { readonly kind: 'revokeGrant'; readonly grantId: string; readonly models?: readonly string[] };

/** What says of an artifact that has no row in SQL that it was consumed: a mark of this model whose id is its model, a colon and its id. */
export const SPENT_MODEL = 'Consumed';

/** `conflict` names the change that lost: nothing of the batch was applied. */
export type ArtifactOutcome = { readonly ok: true } | { readonly ok: false; readonly conflict: ArtifactChange };

/**
 * What the protocol library persists. Ids are digests of the secrets handed out, never the secrets themselves: a copy of the
 * store opens nothing.
 * Atomicity owed: `apply` is all or nothing; `consume` and `mark` are compare-and-set within it, also between nodes
 * (R1). `find` returns consumed rows too, with the mark; rows past `expiresAt` are absent.
 */
export interface ArtifactStore {
  find(model: string, id: string): Promise<Artifact | undefined>;
  findByUid(model: string, uid: string): Promise<(Artifact & { readonly id: string }) | undefined>;
  findByUserCode(model: string, userCode: string): Promise<(Artifact & { readonly id: string }) | undefined>;
  findByAccount(model: string, accountId: string): Promise<readonly (Artifact & { readonly id: string })[]>;
  /** `alongside` writes rows that belong to the same event (sessions, ledger) in the same SQL transaction. */
  apply(changes: readonly ArtifactChange[], alongside?: (tx: Transaction) => Promise<void>): Promise<ArtifactOutcome>;
  /**
   * Sees to it that the tokens of a batch that lost are there, which the winner of the same ids may not have come to write yet. For a caller
   * who is given the winner's answer (A8); nothing to do where a batch is one transaction.
   */
  reissue(changes: readonly ArtifactChange[]): Promise<void>;
  /** Deletes up to `limit` expired rows; returns how many. */
  sweep(limit: number): Promise<number>;
}
