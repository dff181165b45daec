import { Fault } from '../shared/fault.ts';
import { createHomes, type Homes, isVolatile, opensTokens } from './artifact-homes.ts';
import { type ArtifactChange, type ArtifactOutcome, type ArtifactStore, SPENT_MODEL } from './artifact-store.ts';
import type { Database, Transaction } from './database.ts';
import { createRedisRows, type RedisRows } from './redis-rows.ts';
import type { RedisCommands } from './redis-script.ts';
import type { RowGuard } from './row-guard.ts';
import { createSqlArtifacts } from './sql-artifacts.ts';
import { unavailable } from './storage-errors.ts';

export interface RedisArtifactsOptions {
  readonly client: RedisCommands;
  readonly database: Database;
  /** Begins every key; two houses on one Redis differ in it. */
  readonly prefix: string;
  readonly guard: RowGuard;
}

/**
 * Artifacts with the short-lived ones in Redis and the rest in SQL (S5). Grants, refresh tokens and replay marks are SQL rows; whatever
 * opens tokens leaves, when it is consumed, a unique row in SQL for as long as it would have lived, wherever it was itself kept.
 *
 * A batch over both stores goes compare-and-sets in Redis -> SQL commit -> the rest in Redis. So nothing is visible before its
 * ledger row is durable, and a crash in between costs a code that was spent for nothing, never one that can be spent again.
 *
 * While Redis is away new artifacts are put into SQL, where every node finds them that does not find them in Redis. What is neither here
 * nor there is then not known to be gone: `Fault('storage_unavailable')`, never "expired".
 */
export function createRedisArtifacts({ client, database, prefix, guard }: RedisArtifactsOptions): ArtifactStore {
  const sql = createSqlArtifacts(database);
  const rows = createRedisRows(client, prefix, guard);
  const homes = createHomes();

  const find = async <Found extends { readonly id?: string }>(
    model: string,
    inRedis: () => Promise<Found | undefined>,
    inSql: () => Promise<Found | undefined>,
    idOf: (found: Found) => string,
  ): Promise<Found | undefined> => {
    if (!isVolatile(model)) return inSql();
    const found = await orAway(inRedis);
    if (found !== AWAY && found !== undefined) return found;
    const standIn = await inSql();
    if (standIn !== undefined) homes.inSql(model, idOf(standIn));
    else if (found === AWAY) throw unavailable('Redis is away and may hold what was asked for');
    return standIn;
  };

  return {
    find: (model, id) =>
      find<{ readonly id?: string } & NonNullable<Awaited<ReturnType<ArtifactStore['find']>>>>(
        model,
        () => rows.find(model, id),
        () => sql.find(model, id),
        () => id,
      ),
    findByUid: (model, uid) =>
      find(
        model,
        () => rows.findByKey('u', model, uid),
        () => sql.findByUid(model, uid),
        ({ id }) => id,
      ),
    findByUserCode: (model, userCode) =>
      find(
        model,
        () => rows.findByKey('c', model, userCode),
        () => sql.findByUserCode(model, userCode),
        ({ id }) => id,
      ),
    async findByAccount(model, accountId) {
      if (!isVolatile(model)) return sql.findByAccount(model, accountId);
      const [kept, standIns] = await Promise.all([
        rows.findByAccount(model, accountId),
        sql.findByAccount(model, accountId),
      ]);
      return [...kept, ...standIns];
    },
    apply: (changes, alongside) => applyOverBoth({ sql, rows, homes, client }, changes, alongside),

    /** Tokens only: they are not handed out otherwise, and nothing of a batch but them is asked for again. */
    async reissue(changes) {
      const tokens = changes.filter((change) => change.kind === 'put' && isVolatile(change.model));
      await putAnyhow({ sql, rows, homes, client }, tokens);
    },

    // Redis lets its own rows expire.
    sweep: (limit) => sql.sweep(limit),
  };
}

interface Both {
  readonly sql: ArtifactStore;
  readonly rows: RedisRows;
  readonly homes: Homes;
  readonly client: Pick<RedisCommands, 'isAway'>;
}

async function applyOverBoth(
  both: Both,
  changes: readonly ArtifactChange[],
  alongside: ((tx: Transaction) => Promise<void>) | undefined,
): Promise<ArtifactOutcome> {
  const { sql, rows, homes, client } = both;
  const { inRedis, inSql } = homes.placesOf(changes, client.isAway());
  if (inRedis.length === 0 && !inSql.some(spendsStandIn)) return sql.apply(inSql, alongside);
  const first = inRedis.filter(isConditional);
  const applied = await rows.apply(first);
  if (applied.conflict !== undefined) return { ok: false, conflict: applied.conflict };

  const marks = new Map([...marksOf(first, applied.consumedExpiries), ...(await standInMarks(sql, inSql))]);
  if (marks.size > 0 || inSql.length > 0 || alongside !== undefined) {
    const outcome = await sql.apply([...marks.keys(), ...inSql], alongside);
    if (!outcome.ok) return { ok: false, conflict: marks.get(outcome.conflict) ?? outcome.conflict };
  }
  await putAnyhow(
    both,
    inRedis.filter((change) => !isConditional(change)),
  );
  return { ok: true };
}

/**
 * What belongs to a batch that is committed already: where Redis has gone in this very moment, its new rows are put into SQL. A grant that
 * ends has ended in SQL, and an interaction ends with its time; only the end of a single token cannot be kept back.
 */
async function putAnyhow({ sql, rows, homes }: Both, changes: readonly ArtifactChange[]): Promise<void> {
  if (changes.length === 0 || (await orAway(() => rows.apply(changes))) !== AWAY) return;
  const puts = changes.filter(({ kind }) => kind === 'put');
  await sql.apply(puts);
  for (const change of puts) if (change.kind === 'put') homes.inSql(change.model, change.id);
  if (changes.some((change) => change.kind === 'destroy' && opensData(change.model))) {
    throw unavailable('Redis went away before a token could be removed from it');
  }
}

const isConditional = (change: ArtifactChange): boolean =>
  change.kind === 'consume' || change.kind === 'mark' || (change.kind === 'destroy' && change.isOnce === true);
const spendsStandIn = (change: ArtifactChange): change is Extract<ArtifactChange, { kind: 'consume' }> =>
  change.kind === 'consume' && change.carriedUntil === undefined && opensTokens(change.model);
const opensData = (model: string): boolean => model !== 'Interaction';

const AWAY = Symbol('away');

async function orAway<T>(work: () => Promise<T>): Promise<T | typeof AWAY> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Fault && error.code === 'storage_unavailable') return AWAY;
    throw error;
  }
}

type Marks = readonly (readonly [mark: ArtifactChange, of: ArtifactChange])[];

const markOf = (change: Extract<ArtifactChange, { kind: 'consume' }>, expiresAt: number): Marks[number] => [
  { kind: 'mark', model: SPENT_MODEL, id: `${change.model}:${change.id}`, expiresAt },
  change,
];

/** The SQL marks of what Redis consumed, each with the change it stands for. */
function marksOf(changes: readonly ArtifactChange[], expiries: readonly number[]): Marks {
  const consumed = changes.filter((change) => change.kind === 'consume');
  return consumed.flatMap((change, at) => (opensTokens(change.model) ? [markOf(change, expiries[at]!)] : []));
}

/** The same for what is consumed in SQL, where it was put while Redis was away: a copy may have reached Redis all the same. */
async function standInMarks(sql: ArtifactStore, changes: readonly ArtifactChange[]): Promise<Marks> {
  const found = await Promise.all(
    changes.filter(spendsStandIn).map(async (change) => {
      const artifact = await sql.find(change.model, change.id);
      return artifact === undefined ? [] : [markOf(change, artifact.expiresAt)];
    }),
  );
  return found.flat();
}
