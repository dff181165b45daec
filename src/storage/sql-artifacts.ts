import { nowSeconds } from '../shared/clock.ts';
import { type Artifact, type ArtifactChange, type ArtifactStore, SPENT_MODEL } from './artifact-store.ts';
import type { Database, Transaction } from './database.ts';
import { UNJUDGED } from './guarded-statements.ts';
import { createRowCache } from './row-cache.ts';

interface ArtifactRow {
  readonly id: string;
  readonly payload: string;
  readonly grant_id: string | null;
  readonly consumed_at: number | null;
  readonly expires_at: number;
}

type StoredArtifact = Artifact & { readonly id: string; readonly grantId: string | null };

/** With the model and the seal: what is needed to judge a row is read once. */
const COLUMNS = 'model, id, payload, grant_id, consumed_at, expires_at, row_seal';
/** Some 9 MB: what is handed out now is looked at again within seconds. */
const ROWS_KEPT_MAX = 10_000;
/** Looked at once and spent, as a rule: to keep such a row is to copy it for nobody. */
const SPENT_BY_USE: ReadonlySet<string> = new Set([
  'AuthorizationCode',
  'Interaction',
  'PushedAuthorizationRequest',
  'RefreshToken',
]);
const FIND = `SELECT ${COLUMNS} FROM artifacts WHERE model = $1 AND id = $2 AND expires_at > $3`;
const FIND_BY_UID = `SELECT ${COLUMNS} FROM artifacts WHERE uid = $2 AND model = $1 AND expires_at > $3`;
const FIND_BY_USER_CODE = `SELECT ${COLUMNS} FROM artifacts WHERE user_code = $2 AND model = $1 AND expires_at > $3`;
/** What somebody's grants are looked up for is their end. */
const FIND_BY_ACCOUNT = `SELECT ${UNJUDGED} ${COLUMNS} FROM artifacts WHERE account_id = $2 AND model = $1 AND expires_at > $3
  ORDER BY expires_at LIMIT 1000`;
/** A put never takes back a consumption: what is spent stays spent whatever is saved over it. */
const PUT = `INSERT INTO artifacts (model, id, payload, grant_id, account_id, uid, user_code, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id,
    account_id = excluded.account_id, uid = excluded.uid, user_code = excluded.user_code,
    expires_at = excluded.expires_at`;
const MARK = `INSERT INTO artifacts (model, id, payload, expires_at) VALUES ($1, $2, '{}', $3)
  ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at, consumed_at = NULL
  WHERE artifacts.expires_at <= $4`;
const CONSUME = `UPDATE artifacts SET consumed_at = $3
  WHERE model = $1 AND id = $2 AND consumed_at IS NULL AND expires_at > $3`;
const DESTROY = 'DELETE FROM artifacts WHERE model = $1 AND id = $2';
const REVOKE = 'DELETE FROM artifacts WHERE grant_id = $1';
const REVOKE_MODEL = 'DELETE FROM artifacts WHERE grant_id = $1 AND model = $2';
const SWEEP = `DELETE FROM artifacts WHERE (model, id) IN
  (SELECT model, id FROM artifacts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
  AND expires_at <= $1`;

/** Carries a lost compare-and-set out of the write, so that the transaction is undone. */
class Lost extends Error {
  readonly conflict: ArtifactChange;

  constructor(conflict: ArtifactChange) {
    super('conflict');
    this.conflict = conflict;
  }
}

/** The artifacts on the relational store: each compare-and-set is one conditional statement (R1). */
export function createSqlArtifacts(database: Database): ArtifactStore {
  const findOne = async (sql: string, model: string, key: string): Promise<StoredArtifact | undefined> => {
    const row = await database.get<ArtifactRow>(sql, [model, key, nowSeconds()]);
    return row && readRow(row);
  };

  /** Parsed once: every look at a token reads two or three rows. What goes out is a copy, for the library changes what it gets. */
  const cache = createRowCache<StoredArtifact>(database, ROWS_KEPT_MAX);

  /**
   * What a committed batch means to the kept rows. A row just put is not kept: most tokens are never asked after, and keeping them
   * all cost a machine-to-machine token half as much again in garbage collection.
   */
  const settle = (changes: readonly ArtifactChange[]): void => {
    for (const change of changes) {
      if (change.kind === 'revokeGrant') cache.forgetWhere(({ grantId }) => grantId === change.grantId);
      else cache.forget(`${change.model}:${change.id}`);
    }
  };

  return {
    async find(model, id) {
      if (SPENT_BY_USE.has(model)) return findOne(FIND, model, id);
      const kept = await cache.find(`${model}:${id}`, () => findOne(FIND, model, id));
      return kept && kept.expiresAt > nowSeconds() ? { ...kept, payload: copyOf(kept.payload) } : undefined;
    },
    findByUid: (model, uid) => findOne(FIND_BY_UID, model, uid),
    findByUserCode: (model, userCode) => findOne(FIND_BY_USER_CODE, model, userCode),
    findByAccount: async (model, accountId) =>
      (await database.all<ArtifactRow>(FIND_BY_ACCOUNT, [model, accountId, nowSeconds()])).map(readRow),

    apply: async (changes, alongside) => {
      try {
        await database.write(async (tx) => {
          applyInOrder(tx, changes);
          await alongside?.(tx);
        });
      } catch (error) {
        if (error instanceof Lost) {
          // Whoever was faster has changed this row, and may not have come to forget it yet.
          settle([error.conflict]);
          return { ok: false, conflict: error.conflict };
        }
        throw error;
      }
      settle(changes);
      return { ok: true };
    },

    reissue: async () => {},
    sweep: (limit) => database.run(SWEEP, [nowSeconds(), limit]),
  };
}

/** The first compare-and-set that is lost undoes the write, and throws `Lost`. */
function applyInOrder(tx: Transaction, changes: readonly ArtifactChange[]): void {
  const now = nowSeconds();
  for (const change of changes) applyOne(tx, change, now);
}

function applyOne(tx: Transaction, change: ArtifactChange, now: number): void {
  switch (change.kind) {
    case 'put': {
      const { grantId, accountId, uid, userCode } = change.keys;
      const payload = JSON.stringify(change.payload);
      const keys = [grantId ?? null, accountId ?? null, uid ?? null, userCode ?? null];
      tx.post(PUT, [change.model, change.id, payload, ...keys, change.expiresAt]);
      break;
    }
    case 'mark':
      tx.demand(MARK, [change.model, change.id, change.expiresAt, now], () => new Lost(change));
      break;
    case 'consume': {
      const { model, id, carriedUntil } = change;
      if (carriedUntil === undefined) tx.demand(CONSUME, [model, id, now], () => new Lost(change));
      else tx.demand(MARK, [SPENT_MODEL, `${model}:${id}`, carriedUntil, now], () => new Lost(change));
      break;
    }
    case 'destroy':
      if (change.isOnce) tx.demand(DESTROY, [change.model, change.id], () => new Lost(change));
      else tx.post(DESTROY, [change.model, change.id]);
      break;
    case 'revokeGrant':
      if (change.models === undefined) tx.post(REVOKE, [change.grantId]);
      else for (const model of change.models) tx.post(REVOKE_MODEL, [change.grantId, model]);
  }
}

const readRow = (row: ArtifactRow): StoredArtifact => ({
  id: row.id,
  grantId: row.grant_id,
  payload: JSON.parse(row.payload) as Record<string, unknown>,
  consumedAt: row.consumed_at,
  expiresAt: row.expires_at,
});

/**
 * A deep copy of what came out of JSON, at a tenth of the price of parsing it again. With `for ... in` the engine compiled it anew whenever a payload
 * of another shape came, for as long as it served.
 */
function copyOf<Value extends object>(value: Value): Value {
  if (Array.isArray(value)) return value.map(copyOfMember) as Value;
  const copy = { ...value } as Record<string, unknown>;
  for (const name of Object.keys(copy)) {
    const member = copy[name];
    if (typeof member === 'object' && member !== null) copy[name] = copyOf(member);
  }
  return copy as Value;
}

const copyOfMember = (member: unknown): unknown =>
  typeof member === 'object' && member !== null ? copyOf(member) : member;
