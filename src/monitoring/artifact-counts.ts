import type { ArtifactChange, ArtifactStore } from '../storage/artifact-store.ts';

/** What the protocol library had done to its artifacts in this process, by model. */
export interface ArtifactReading {
  /** By model and change with a blank between. */
  readonly changes: ReadonlyMap<string, number>;
  readonly lookUps: ReadonlyMap<string, number>;
  /** Compare-and-sets that came second: a code, token or request presented twice. */
  readonly conflicts: ReadonlyMap<string, number>;
}

export interface ArtifactCounts {
  changed(change: ArtifactChange): void;
  lookedUp(model: string): void;
  conflicted(change: ArtifactChange): void;
  read(): ArtifactReading;
}

/** What may be used once: a rate sees only what rises, not what appears, so their conflicts begin at nought. */
const SINGLE_USE = ['AuthorizationCode', 'RefreshToken', 'PushedAuthorizationRequest', 'ReplayDetection'] as const;

const CHANGES: Readonly<Record<ArtifactChange['kind'], string>> = {
  put: 'written',
  mark: 'marked',
  consume: 'consumed',
  destroy: 'destroyed',
  revokeGrant: 'revoked',
};

/** Models are named by our code and the library, never by a request. */
const modelOf = (change: ArtifactChange): string => (change.kind === 'revokeGrant' ? 'Grant' : change.model);

export function createArtifactCounts(): ArtifactCounts {
  const changes = new Map<string, number>();
  const lookUps = new Map<string, number>();
  const conflicts = new Map<string, number>(SINGLE_USE.map((model) => [model, 0]));
  const raise = (counts: Map<string, number>, key: string): void => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  return {
    changed: (change) => raise(changes, `${modelOf(change)} ${CHANGES[change.kind]}`),
    lookedUp: (model) => raise(lookUps, model),
    conflicted: (change) => raise(conflicts, modelOf(change)),
    read: () => ({ changes, lookUps, conflicts }),
  };
}

/** The same store, with every look-up counted, and every change once it is committed. */
export function countedArtifacts(store: ArtifactStore, counts: ArtifactCounts): ArtifactStore {
  return {
    find(model, id) {
      counts.lookedUp(model);
      return store.find(model, id);
    },
    findByUid(model, uid) {
      counts.lookedUp(model);
      return store.findByUid(model, uid);
    },
    findByUserCode(model, userCode) {
      counts.lookedUp(model);
      return store.findByUserCode(model, userCode);
    },
    findByAccount(model, accountId) {
      counts.lookedUp(model);
      return store.findByAccount(model, accountId);
    },
    async apply(changes, alongside) {
      const outcome = await store.apply(changes, alongside);
      if (outcome.ok) for (const change of changes) counts.changed(change);
      else counts.conflicted(outcome.conflict);
      return outcome;
    },
    reissue: (changes) => store.reissue(changes),
    sweep: (limit) => store.sweep(limit),
  };
}
