import { nowSeconds } from '../shared/clock.ts';
import type { Artifact, ArtifactChange } from './artifact-store.ts';
import { ARTIFACTS } from './guarded-tables.ts';
import { APPLY, FIND_BY_ACCOUNT, FIND_BY_KEY } from './redis-artifact-scripts.ts';
import { command, type RedisCommands } from './redis-script.ts';
import { isUsable, type RowGuard } from './row-guard.ts';

export type StoredArtifact = Artifact & { readonly id: string };
type RowReply = readonly [id: string, payload: string, expiresAt: string, seal: string | null, spentAt: string | null];

/** `consumedExpiries`: until when each of the consumed would have lived, in the order of the changes. */
export type AppliedInRedis =
  | { readonly conflict: ArtifactChange; readonly consumedExpiries?: undefined }
  | { readonly conflict?: undefined; readonly consumedExpiries: readonly number[] };

/**
 * Artifacts in Redis (7.0 or newer) alone. A batch is one script, whole or not at all; its compare-and-sets look at the state before it.
 * Every method throws `Fault('storage_unavailable')` while Redis is away. A row stands under the seal it would have in SQL.
 */
export interface RedisRows {
  find(model: string, id: string): Promise<StoredArtifact | undefined>;
  findByKey(field: 'u' | 'c', model: string, value: string): Promise<StoredArtifact | undefined>;
  findByAccount(model: string, accountId: string): Promise<readonly StoredArtifact[]>;
  apply(changes: readonly ArtifactChange[]): Promise<AppliedInRedis>;
}

/** `prefix` begins every key, as its hash tag; two houses on one Redis differ in it. */
export function createRedisRows(client: RedisCommands, prefix: string, guard: RowGuard): RedisRows {
  const base = `{${prefix}}:`;

  const judged = (model: string, reply: RowReply): StoredArtifact | undefined => {
    const [id, payload, expiresAt, seal] = reply;
    const held = seal === null ? null : Buffer.from(seal, 'base64url');
    return isUsable(guard, ARTIFACTS, [model, id, payload, Number(expiresAt)], held) ? readRow(reply) : undefined;
  };

  /** The form the script reads: the payload stays a text, for Lua would turn its empty lists into objects. */
  const encode = (change: ArtifactChange): unknown => {
    if (change.kind !== 'put') return change;
    const payload = JSON.stringify(change.payload);
    const seal = guard.seals.seal(ARTIFACTS, [change.model, change.id, payload, change.expiresAt]);
    return { ...change, payload, seal: Buffer.from(seal).toString('base64url') };
  };

  return {
    async find(model, id) {
      const key = `${base}a:${model}:${id}`;
      const reply = (await command(client, key, ['HMGET', key, 'p', 'e', 'm', 's'])) as (string | null)[];
      const [payload, expiresAt, seal, spentAt] = reply;
      if (payload == null || Number(expiresAt) <= nowSeconds()) return undefined;
      return judged(model, [id, payload, expiresAt!, seal ?? null, spentAt ?? null]);
    },
    async findByKey(field, model, value) {
      const reply = await FIND_BY_KEY.run(client, [base], [String(nowSeconds()), field, model, value]);
      const row = reply as RowReply | readonly [];
      return row.length === 0 ? undefined : judged(model, row);
    },
    async findByAccount(model, accountId) {
      const reply = await FIND_BY_ACCOUNT.run(client, [base], [String(nowSeconds()), model, accountId]);
      return (reply as RowReply[]).map(readRow);
    },
    async apply(changes) {
      if (changes.length === 0) return { consumedExpiries: [] };
      const encoded = JSON.stringify(changes.map(encode));
      const reply = (await APPLY.run(client, [base], [String(nowSeconds()), encoded])) as number[];
      const [lost, ...consumedExpiries] = reply.map(Number);
      return lost === 0 ? { consumedExpiries } : { conflict: changes[lost! - 1]! };
    },
  };
}

const readRow = ([id, payload, expiresAt, _seal, spentAt]: RowReply): StoredArtifact => ({
  id,
  payload: JSON.parse(payload) as Record<string, unknown>,
  consumedAt: spentAt === null ? null : Number(spentAt),
  expiresAt: Number(expiresAt),
});
