import { AsyncLocalStorage } from 'node:async_hooks';
import type { Client, Interaction } from 'oidc-provider';
import type { Artifact, ArtifactChange, ArtifactOutcome, ArtifactStore } from '../storage/artifact-store.ts';
import type { Transaction } from '../storage/database.ts';

/** What a short way spends. Whoever loses the race for it, and how its successors are called, is told by this (commit.ts, shadows.ts). */
export interface Spending {
  readonly client: Client;
  readonly grantId: string;
  readonly personId: string | undefined;
  /** The refresh token itself. */
  readonly refreshToken?: string;
}

type Alongside = (tx: Transaction) => Promise<void>;

/**
 * What one request wants to change, gathered while the protocol library works and written in ONE transaction before the
 * answer leaves. A code's consumption, the tokens it buys, the session and the ledger event stand or fall together:
 * whoever loses the race for a code has written nothing (R1, R2), and a request costs one commit instead of five.
 *
 * Owned by the request that opened it; never shared.
 */
export class UnitOfWork {
  readonly requestId: string;
  readonly address: string;
  readonly userAgent: string;
  #changes: ArtifactChange[] = [];
  #alongside: Alongside[] = [];
  #attempted: readonly ArtifactChange[] = [];
  readonly #pending = new Map<string, Artifact | null>();
  /** Models of which the library met an already consumed artifact, with the person it was made for: a replay, for the ledger. */
  readonly replayed = new Map<string, string | undefined>();
  /** The interaction that this request has answered: its authorization request goes on at once (going-on.ts). */
  answered: Interaction | undefined;
  /** The interaction that this request has begun and shows at once, though the browser has no cookie of it yet (going-on.ts). */
  begun: string | undefined;
  /** Set when a proof has taken its time: what was read before it counts no more. */
  readsAnew = false;
  /** Whether the browser can be asked to make this request once more: where two of them met, one of both begins anew (commit.ts). */
  mayBeginAnew = false;
  /** Set by a short way that has found everything in order and will not turn back. */
  spending: Spending | undefined;

  constructor(requestId: string, address: string, userAgent: string) {
    this.requestId = requestId;
    this.address = address;
    this.userAgent = userAgent;
  }

  change(change: ArtifactChange): void {
    if (change.kind === 'put' || change.kind === 'destroy') this.#leaveOut(change);
    this.#changes.push(change);
    if (change.kind === 'put') {
      this.#pending.set(`${change.model}:${change.id}`, {
        payload: change.payload,
        consumedAt: null,
        expiresAt: change.expiresAt,
      });
    } else if (change.kind === 'destroy') {
      this.#pending.set(`${change.model}:${change.id}`, null);
    }
  }

  /** What this request itself has put and now puts again or destroys need not be written; unless it was to be spent in between. */
  #leaveOut({ model, id }: { readonly model: string; readonly id: string }): void {
    if (!this.#pending.get(`${model}:${id}`)) return;
    const ofIt = (change: ArtifactChange): boolean => 'id' in change && change.model === model && change.id === id;
    if (this.#changes.some((change) => change.kind === 'consume' && ofIt(change))) return;
    this.#changes = this.#changes.filter((change) => change.kind !== 'put' || !ofIt(change));
  }

  /** Rows of other tables that belong to the same event. */
  also(work: Alongside): void {
    this.#alongside.push(work);
  }

  /** What this request itself has written and not yet committed: an artifact, `null` when destroyed, `undefined` when untouched. */
  pending(model: string, id: string): Artifact | null | undefined {
    return this.#pending.size === 0 ? undefined : this.#pending.get(`${model}:${id}`);
  }

  get isEmpty(): boolean {
    return this.#changes.length === 0 && this.#alongside.length === 0;
  }

  /** Remembers what was gathered so far; what is returned drops whatever comes to it from now on. */
  mark(): () => void {
    const [changes, alongside, pending] = [[...this.#changes], [...this.#alongside], new Map(this.#pending)];
    return () => {
      this.#changes = changes;
      this.#alongside = alongside;
      this.#pending.clear();
      for (const [key, artifact] of pending) this.#pending.set(key, artifact);
    };
  }

  /** Drops whatever was gathered: who has begun to answer this request turns back, and another begins anew. */
  forget(): void {
    this.#changes = [];
    this.#alongside = [];
    this.#pending.clear();
  }

  /** Writes everything at once. On `conflict` nothing was written and the unit is empty again. */
  async commit(store: ArtifactStore): Promise<ArtifactOutcome> {
    if (this.isEmpty) return { ok: true };
    const changes = this.#changes;
    const alongside = this.#alongside;
    this.#changes = [];
    this.#alongside = [];
    this.#attempted = changes;
    if (alongside.length === 0) return store.apply(changes);
    return store.apply(changes, async (tx) => {
      for (const work of alongside) await work(tx);
    });
  }

  /** After a lost commit whose answer leaves all the same: the tokens in it are there. */
  reissue(store: ArtifactStore): Promise<void> {
    return store.reissue(this.#attempted);
  }
}

const current = new AsyncLocalStorage<UnitOfWork>();

/** Runs `work` with `unit` as the place where the adapter gathers changes. */
export const withUnit = <T>(unit: UnitOfWork, work: () => T): T => current.run(unit, work);

/** The unit of the request being served, or undefined outside one. */
export const currentUnit = (): UnitOfWork | undefined => current.getStore();
