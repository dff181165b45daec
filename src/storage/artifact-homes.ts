import type { ArtifactChange } from './artifact-store.ts';
import { unavailable } from './storage-errors.ts';

/** What may be lost at the price of one more sign-in (S5). Every other model stays in SQL. */
const VOLATILE_MODELS: ReadonlySet<string> = new Set([
  'Interaction',
  'AuthorizationCode',
  'PushedAuthorizationRequest',
  'AccessToken',
  'ClientCredentials',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
]);

/** What opens tokens when used: a failover that forgets the use must not allow a second one. */
const TOKEN_OPENING_MODELS: ReadonlySet<string> = new Set([
  'AuthorizationCode',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
]);

/** What was put into SQL while Redis was away lives for minutes; so many of it are remembered, the oldest go first. */
const STAND_INS_MAX = 50_000;

export const isVolatile = (model: string): boolean => VOLATILE_MODELS.has(model);
export const opensTokens = (model: string): boolean => TOKEN_OPENING_MODELS.has(model);

/** Its use is all there is of it. */
const isCarried = (change: ArtifactChange): boolean => change.kind === 'consume' && change.carriedUntil !== undefined;

interface Places {
  readonly inRedis: readonly ArtifactChange[];
  readonly inSql: readonly ArtifactChange[];
}

/**
 * Knows in which of the two stores a change belongs. A short-lived artifact lives in Redis, unless this process has put it into SQL or
 * found it there; whoever changes one has found it in the same request, so what this process knows is enough.
 */
export interface Homes {
  inSql(model: string, id: string): void;
  /**
   * Where each change goes. While Redis is away what is new goes to SQL, and an interaction that ends there is left to its time; whatever
   * else concerns a row of Redis cannot be done: throws `Fault('storage_unavailable')`.
   */
  placesOf(changes: readonly ArtifactChange[], isAway: boolean): Places;
}

export function createHomes(standInsMax: number = STAND_INS_MAX): Homes {
  const standIns = new Set<string>();

  const inSql = (model: string, id: string): void => {
    const key = `${model}:${id}`;
    standIns.delete(key);
    if (standIns.size >= standInsMax) for (const oldest of standIns) if (standIns.delete(oldest)) break;
    standIns.add(key);
  };

  const placeWhileAway = (change: Exclude<ArtifactChange, { kind: 'revokeGrant' }>): 'sql' | 'nowhere' => {
    if (change.kind === 'put') {
      inSql(change.model, change.id);
      return 'sql';
    }
    if (change.kind === 'destroy' && change.model === 'Interaction') return 'nowhere';
    throw unavailable(`Redis is away and holds what is to be changed (${change.model})`);
  };

  return {
    inSql,
    placesOf(changes, isAway) {
      const inRedis: ArtifactChange[] = [];
      const ofSql: ArtifactChange[] = [];
      for (const change of changes) {
        if (change.kind === 'revokeGrant') {
          ofSql.push(change);
          // A grant that ends takes its row in SQL along, without which its tokens in Redis are worthless.
          if (!isAway && (change.models?.some(isVolatile) ?? true)) inRedis.push(change);
        } else if (isCarried(change) || !isVolatile(change.model) || standIns.has(`${change.model}:${change.id}`))
          ofSql.push(change);
        else if (isAway) {
          if (placeWhileAway(change) === 'sql') ofSql.push(change);
        } else {
          inRedis.push(change);
          // A put that Redis was given up over may have come to both.
          if (change.kind === 'destroy' && change.model !== 'Interaction') ofSql.push(change);
        }
      }
      return { inRedis, inSql: ofSql };
    },
  };
}
