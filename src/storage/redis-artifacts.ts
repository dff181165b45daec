import { nowSeconds } from '../shared/clock.ts';
import type { Artifact, ArtifactChange, ArtifactOutcome, ArtifactStore } from './artifact-store.ts';
import type { Database } from './database.ts';
import { APPLY, FIND_BY_ACCOUNT, FIND_BY_KEY } from './redis-artifact-scripts.ts';
import { command, type RedisCommands } from './redis-script.ts';
import { createSqlArtifacts } from './sql-artifacts.ts';

/** What may be lost at the price of one more sign-in (S5). Every other model stays in SQL. */
const VOLATILE_MODELS: ReadonlySet<string> = new Set([
  'Interaction',
  'AuthorizationCode',
  'PushedAuthorizationRequest',
  'AccessToken',
  'ClientCredentials',
  'ReplayDetection',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
]);

/** What opens tokens when used: a failover that forgets the use must not allow a second one. */
const MARKED_MODELS: ReadonlySet<string> = new Set([
  'AuthorizationCode',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
]);
const MARK_MODEL = 'Consumed';

type StoredArtifact = Artifact & { readonly id: string };
type RowReply = readonly [id: string, payload: string, expiresAt: string, spentAt: string | null];

export interface RedisArtifactsOptions {
  readonly client: RedisCommands;
  readonly database: Database;
  /** Begins every key; two servers on one Redis differ in it. */
  readonly prefix: string;
}

/**
 * Artifacts with the short-lived ones in Redis (7.0 or newer) and the rest in SQL. Grants and refresh tokens are SQL rows; a
 * code consumed in Redis also leaves a unique row in SQL, kept as long as the code would have lived.
 *
 * A batch over both stores goes compare-and-sets in Redis -> SQL commit -> the rest in Redis. So nothing is visible before its
 * ledger row is durable, and a crash in between costs a code that was spent for nothing, never one that can be spent again.
 * Compare-and-sets in Redis look at the state before the batch.
 */
export function createRedisArtifacts({ client, database, prefix }: RedisArtifactsOptions): ArtifactStore {
  const sql = createSqlArtifacts(database);
  const base = `{${prefix}}:`;

  const findByKey = async (field: 'u' | 'c', model: string, value: string): Promise<StoredArtifact | undefined> => {
    const reply = (await FIND_BY_KEY.run(client, [base], [String(nowSeconds()), field, model, value])) as
      | RowReply
      | readonly [];
    return reply.length === 0 ? undefined : readRow(reply);
  };

  const applyVolatile = async (changes: readonly ArtifactChange[]): Promise<AppliedVolatile> => {
    if (changes.length === 0) return { consumedExpiries: [] };
    const encoded = JSON.stringify(changes.map(encode));
    const reply = (await APPLY.run(client, [base], [String(nowSeconds()), encoded])) as number[];
    const [lost, ...consumedExpiries] = reply.map(Number);
    return lost === 0 ? { consumedExpiries } : { conflict: changes[lost! - 1]! };
  };

  return {
    find: async (model, id) => {
      if (!VOLATILE_MODELS.has(model)) return sql.find(model, id);
      const [payload, expiresAt, spentAt] = (await command(client, [
        'HMGET',
        `${base}a:${model}:${id}`,
        'p',
        'e',
        's',
      ])) as (string | null)[];
      if (payload == null || Number(expiresAt) <= nowSeconds()) return undefined;
      return readRow([id, payload, expiresAt!, spentAt ?? null]);
    },
    findByUid: (model, uid) => (VOLATILE_MODELS.has(model) ? findByKey('u', model, uid) : sql.findByUid(model, uid)),
    findByUserCode: (model, userCode) =>
      VOLATILE_MODELS.has(model) ? findByKey('c', model, userCode) : sql.findByUserCode(model, userCode),
    findByAccount: async (model, accountId) => {
      if (!VOLATILE_MODELS.has(model)) return sql.findByAccount(model, accountId);
      const reply = await FIND_BY_ACCOUNT.run(client, [base], [String(nowSeconds()), model, accountId]);
      return (reply as RowReply[]).map(readRow);
    },

    apply: async (changes, alongside): Promise<ArtifactOutcome> => {
      const { inRedis, inSql } = partition(changes);
      if (inRedis.length === 0) return sql.apply(inSql, alongside);
      const needsMark = inRedis.some((change) => change.kind === 'consume' && MARKED_MODELS.has(change.model));
      const spansBoth = inSql.length > 0 || alongside !== undefined || needsMark;
      const first = spansBoth ? inRedis.filter(isConditional) : inRedis;
      const applied = await applyVolatile(first);
      if (applied.conflict !== undefined) return { ok: false, conflict: applied.conflict };
      if (!spansBoth) return { ok: true };

      const marks = marksOf(first, applied.consumedExpiries);
      const outcome = await sql.apply([...marks.keys(), ...inSql], alongside);
      if (!outcome.ok) return { ok: false, conflict: marks.get(outcome.conflict) ?? outcome.conflict };
      await applyVolatile(inRedis.filter((change) => !isConditional(change)));
      return { ok: true };
    },

    // Redis lets its own rows expire.
    sweep: (limit) => sql.sweep(limit),
  };
}

type AppliedVolatile =
  | { readonly conflict: ArtifactChange; readonly consumedExpiries?: undefined }
  | { readonly conflict?: undefined; readonly consumedExpiries: readonly number[] };

const isConditional = ({ kind }: ArtifactChange): boolean => kind === 'consume' || kind === 'mark';

/** A revocation reaches both stores; everything else has one place. */
function partition(changes: readonly ArtifactChange[]): { inRedis: ArtifactChange[]; inSql: ArtifactChange[] } {
  const inRedis: ArtifactChange[] = [];
  const inSql: ArtifactChange[] = [];
  for (const change of changes) {
    if (change.kind !== 'revokeGrant') {
      (VOLATILE_MODELS.has(change.model) ? inRedis : inSql).push(change);
    } else if (change.models === undefined) {
      inRedis.push(change);
      inSql.push(change);
    } else {
      const volatile = change.models.filter((model) => VOLATILE_MODELS.has(model));
      const durable = change.models.filter((model) => !VOLATILE_MODELS.has(model));
      if (volatile.length > 0) inRedis.push({ ...change, models: volatile });
      if (durable.length > 0) inSql.push({ ...change, models: durable });
    }
  }
  return { inRedis, inSql };
}

/** The SQL marks of what Redis consumed, each with the change it stands for. */
function marksOf(
  changes: readonly ArtifactChange[],
  expiries: readonly number[],
): ReadonlyMap<ArtifactChange, ArtifactChange> {
  const consumed = changes.filter((change) => change.kind === 'consume');
  const marks = new Map<ArtifactChange, ArtifactChange>();
  consumed.forEach((change, index) => {
    if (!MARKED_MODELS.has(change.model)) return;
    const id = `${change.model}:${change.id}`;
    marks.set({ kind: 'mark', model: MARK_MODEL, id, expiresAt: expiries[index]! }, change);
  });
  return marks;
}

/** The form the script reads: the payload stays a text, for Lua would turn its empty lists into objects. */
function encode(change: ArtifactChange): unknown {
  if (change.kind !== 'put') return change;
  return { ...change, payload: JSON.stringify(change.payload) };
}

const readRow = ([id, payload, expiresAt, spentAt]: RowReply): StoredArtifact => ({
  id,
  payload: JSON.parse(payload) as Record<string, unknown>,
  consumedAt: spentAt === null ? null : Number(spentAt),
  expiresAt: Number(expiresAt),
});
