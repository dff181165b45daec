import { nowSeconds } from '../shared/clock.ts';
import type { Artifact, ArtifactChange, ArtifactKeys, ArtifactStore } from './artifact-store.ts';
import type { Database } from './database.ts';
import { UNJUDGED } from './guarded-statements.ts';

/** What waits for a person to go on. */
const WAITING_MODEL = 'Interaction';
/** Of all that waits, some ten thousand as people make them. Beyond it they are written as all else is. */
const CHARACTERS_MAX = 16 * 1024 * 1024;
const WRITTEN_AT_ONCE = 500;
const ANY = `SELECT ${UNJUDGED} 1 AS found FROM artifacts WHERE model = $1 LIMIT 1`;

interface Waiting {
  /** As JSON, so that whoever finds it has an object of their own, and what a store would not have kept is gone. */
  readonly payload: string;
  readonly keys: ArtifactKeys;
  readonly expiresAt: number;
  /** The store may have an earlier state of it, which must go with it. */
  readonly isStored: boolean;
}

type Change<Kind extends ArtifactChange['kind']> = Extract<ArtifactChange, { readonly kind: Kind }>;

const isPut = (change: ArtifactChange): change is Change<'put'> =>
  change.kind === 'put' && change.model === WAITING_MODEL;
const isDestroyed = (change: ArtifactChange): change is Change<'destroy'> =>
  change.kind === 'destroy' && change.model === WAITING_MODEL;

export interface WaitingOptions {
  /** Whether the store may have some that an earlier process has left. */
  readonly mayBeStored: boolean;
  /** How long one lives at most. */
  readonly secondsMax: number;
  readonly charactersMax?: number;
}

export interface WaitingArtifacts extends ArtifactStore {
  /** Writes what waits into the store, before the process ends. */
  leave(): Promise<void>;
}

/** For `WaitingOptions.mayBeStored`. */
export const mayHaveWaiting = async (database: Database): Promise<boolean> =>
  (await database.get(ANY, [WAITING_MODEL])) !== undefined;

/**
 * The artifacts of one process that serves alone: authorization requests that wait for a person are kept in memory. Most wait for less than a
 * minute, and what a crash takes of them is had again at the price of one more sign-in (S5). Everything else, and what no room is left for,
 * is the store's. What a request changes of both takes effect together: nothing waits on before the store has committed.
 */
export function createWaitingArtifacts(
  store: ArtifactStore,
  { mayBeStored, secondsMax, charactersMax = CHARACTERS_MAX }: WaitingOptions,
): WaitingArtifacts {
  /** Those that began first, first; so they end, since all live equally long. */
  const waiting = new Map<string, Waiting>();
  let characters = 0;
  /** Until then the store may have some. */
  let storedUntil = mayBeStored ? nowSeconds() + secondsMax : 0;

  const mayStoreHave = (id: string): boolean => waiting.get(id)?.isStored ?? nowSeconds() < storedUntil;
  /** What of a batch is the store's. */
  const isStores = (change: ArtifactChange): boolean => {
    if (isPut(change)) return characters >= charactersMax && !waiting.has(change.id);
    return !isDestroyed(change) || mayStoreHave(change.id);
  };
  const drop = (id: string): void => {
    characters -= waiting.get(id)?.payload.length ?? 0;
    waiting.delete(id);
  };
  const hold = ({ id, payload, keys, expiresAt }: Change<'put'>): void => {
    const entry = { payload: JSON.stringify(payload), keys, expiresAt, isStored: mayStoreHave(id) };
    characters += entry.payload.length - (waiting.get(id)?.payload.length ?? 0);
    waiting.set(id, entry);
  };
  /** The oldest end first, so the first that goes on ends the walk. */
  const sweepWaiting = (limit: number): number => {
    const now = nowSeconds();
    let swept = 0;
    for (const [id, { expiresAt }] of waiting) {
      if (expiresAt > now || swept === limit) return swept;
      drop(id);
      swept += 1;
    }
    return swept;
  };

  return {
    ...store,
    async find(model, id): Promise<Artifact | undefined> {
      const held = model === WAITING_MODEL ? waiting.get(id) : undefined;
      if (held === undefined) return store.find(model, id);
      if (held.expiresAt <= nowSeconds()) return undefined;
      const payload = JSON.parse(held.payload) as Record<string, unknown>;
      return { payload, consumedAt: null, expiresAt: held.expiresAt };
    },
    async apply(changes, alongside) {
      const stored = changes.filter(isStores);
      if (stored.some(isPut)) storedUntil = nowSeconds() + secondsMax;
      if (stored.length > 0 || alongside !== undefined) {
        const outcome = await store.apply(stored, alongside);
        if (!outcome.ok) return outcome;
      }
      for (const change of changes) {
        if (isDestroyed(change)) drop(change.id);
        else if (isPut(change) && !stored.includes(change)) hold(change);
      }
      return { ok: true };
    },
    async sweep(limit) {
      const swept = sweepWaiting(limit);
      return swept + (await store.sweep(limit));
    },
    async leave() {
      const now = nowSeconds();
      const left: ArtifactChange[] = [...waiting]
        .filter(([, { expiresAt }]) => expiresAt > now)
        .map(([id, { payload, keys, expiresAt }]) => {
          return { kind: 'put', model: WAITING_MODEL, id, payload: JSON.parse(payload), keys, expiresAt };
        });
      for (let from = 0; from < left.length; from += WRITTEN_AT_ONCE) {
        await store.apply(left.slice(from, from + WRITTEN_AT_ONCE));
      }
      waiting.clear();
      characters = 0;
    },
  };
}
