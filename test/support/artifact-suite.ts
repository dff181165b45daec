import type { ExecutionContext } from 'ava';
import { nowSeconds, turnClock } from '../../src/shared/clock.ts';
import type { ArtifactChange, ArtifactStore } from '../../src/storage/artifact-store.ts';
import type { Database } from '../../src/storage/database.ts';
import { createRedisArtifacts } from '../../src/storage/redis-artifacts.ts';
import type { RedisOptions } from '../../src/storage/redis-topology.ts';
import { type EngineTest, redisPrefix, sqliteDatabase } from './databases.ts';
import { rowGuard } from './row-guard.ts';

export interface Stores {
  readonly store: ArtifactStore;
  readonly database: Database;
  /** Loses what this store may lose: everything in Redis. */
  readonly failover?: () => Promise<void>;
}

const LIFETIME_SECONDS = 600;

export const put = (
  model: string,
  id: string,
  more: Partial<Extract<ArtifactChange, { kind: 'put' }>> = {},
): ArtifactChange => ({
  kind: 'put',
  model,
  id,
  payload: { of: id, list: [], nested: { yes: true, name: '张伟' } },
  keys: {},
  expiresAt: nowSeconds() + LIFETIME_SECONDS,
  ...more,
});
export const consume = (model: string, id: string): ArtifactChange => ({ kind: 'consume', model, id });
export const mark = (id: string): ArtifactChange => ({
  kind: 'mark',
  model: 'ReplayDetection',
  id,
  expiresAt: nowSeconds() + LIFETIME_SECONDS,
});

/** What every `ArtifactStore` owes. Codes and refresh tokens both appear: a store may keep them in different places. */
export function artifactSuite(test: EngineTest, name: string, open: (t: ExecutionContext) => Promise<Stores>): void {
  test(`what is put is found by id, uid, user code and account (${name})`, async (t) => {
    const { store } = await open(t);
    for (const model of ['DeviceCode', 'Grant']) {
      const change = put(model, 'd1', { keys: { uid: 'u1', userCode: 'ABCD', accountId: 'p1', grantId: 'g1' } });
      t.deepEqual(await store.apply([change]), { ok: true });
      const expected = { id: 'd1', payload: change.kind === 'put' && change.payload, consumedAt: null };
      t.like(await store.find(model, 'd1'), expected);
      t.like(await store.findByUid(model, 'u1'), expected);
      t.like(await store.findByUserCode(model, 'ABCD'), expected);
      const ofAccount = await store.findByAccount(model, 'p1');
      t.is(ofAccount.length, 1);
      t.like(ofAccount[0], expected);
    }
    t.is(await store.find('Interaction', 'd1'), undefined);
    t.is(await store.findByUid('Interaction', 'u1'), undefined);
    t.is(await store.findByUserCode('DeviceCode', 'WXYZ'), undefined);
    t.deepEqual(await store.findByAccount('AccessToken', 'p1'), []);
  });

  test(`a second put replaces payload and keys (${name})`, async (t) => {
    const { store } = await open(t);
    for (const model of ['DeviceCode', 'Grant']) {
      await store.apply([put(model, 'd', { keys: { userCode: 'OLD', grantId: 'g1' } })]);
      await store.apply([put(model, 'd', { payload: { second: 1 }, keys: { userCode: 'NEW', grantId: 'g2' } })]);
      t.deepEqual((await store.find(model, 'd'))?.payload, { second: 1 });
      t.is(await store.findByUserCode(model, 'OLD'), undefined);
      t.truthy(await store.findByUserCode(model, 'NEW'));
      await store.apply([{ kind: 'revokeGrant', grantId: 'g1' }]);
      t.truthy(await store.find(model, 'd'));
      await store.apply([{ kind: 'destroy', model, id: 'd' }]);
      t.is(await store.find(model, 'd'), undefined);
    }
  });

  test(`A2 R1 of twenty redemptions at once exactly one wins (${name})`, async (t) => {
    const { store } = await open(t);
    for (const model of ['AuthorizationCode', 'RefreshToken']) {
      await store.apply([put(model, 'c')]);
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.apply([consume(model, 'c')])));
      t.is(outcomes.filter(({ ok }) => ok).length, 1);
      const found = await store.find(model, 'c');
      t.true(Math.abs((found?.consumedAt ?? 0) - nowSeconds()) <= 5);
      await store.apply([put(model, 'c')]);
      t.false((await store.apply([consume(model, 'c')])).ok, 'saving it again does not make it usable again');
    }
  });

  test(`A2 R1 what its holder carries is consumed once of twenty times, and with all else or not at all (${name})`, async (t) => {
    const { store } = await open(t);
    const spending = { kind: 'consume', model: 'AuthorizationCode', carriedUntil: nowSeconds() + 60 } as const;
    const carried = { ...spending, id: 'carried' };
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.apply([carried, put('AccessToken', `bought ${n}`)])),
    );
    t.is(outcomes.filter(({ ok }) => ok).length, 1);
    for (const [n, outcome] of outcomes.entries()) {
      t.is((await store.find('AccessToken', `bought ${n}`)) !== undefined, outcome.ok);
      if (!outcome.ok) t.deepEqual(outcome.conflict, carried);
    }
    t.true((await store.apply([{ ...spending, id: 'another' }])).ok);
  });

  test(`A2 of twenty that take one row away exactly one does, with all else of its batch (${name})`, async (t) => {
    const { store } = await open(t);
    for (const model of ['Interaction', 'Grant']) {
      await store.apply([put(model, 'step')]);
      const taking = { kind: 'destroy', model, id: 'step', isOnce: true } as const;
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, n) => store.apply([taking, put('AccessToken', `${model} ${n}`)])),
      );
      t.is(outcomes.filter(({ ok }) => ok).length, 1);
      for (const [n, outcome] of outcomes.entries()) {
        t.is((await store.find('AccessToken', `${model} ${n}`)) !== undefined, outcome.ok);
        if (!outcome.ok) t.deepEqual(outcome.conflict, taking);
      }
      t.is(await store.find(model, 'step'), undefined);
    }
  });

  test(`R1 consuming what is not there loses (${name})`, async (t) => {
    const { store } = await open(t);
    for (const model of ['AuthorizationCode', 'RefreshToken', 'PushedAuthorizationRequest']) {
      const change = consume(model, 'never');
      t.deepEqual(await store.apply([change]), { ok: false, conflict: change });
    }
  });

  test(`R1 of twenty marks of one id exactly one wins (${name})`, async (t) => {
    const { store } = await open(t);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.apply([mark('jti')])));
    t.is(outcomes.filter(({ ok }) => ok).length, 1);
    t.true((await store.apply([mark('other')])).ok);
  });

  test(`a batch with a loser leaves nothing, in no store and no table (${name})`, async (t) => {
    const { store, database } = await open(t);
    await store.apply([put('AuthorizationCode', 'c'), put('RefreshToken', 'r'), put('AccessToken', 'victim')]);
    await store.apply([consume('AuthorizationCode', 'c')]);
    const alongside = (tx: { run: Database['run'] }): Promise<void> =>
      tx.run(`INSERT INTO settings (name, value) VALUES ($1, 'v')`, ['alongside']).then(() => {});
    const outcome = await store.apply(
      [
        put('AccessToken', 'new'),
        put('Grant', 'new'),
        { kind: 'destroy', model: 'AccessToken', id: 'victim' },
        consume('AuthorizationCode', 'c'),
        consume('RefreshToken', 'r'),
      ],
      alongside,
    );
    t.like(outcome, { ok: false, conflict: { kind: 'consume', model: 'AuthorizationCode' } });
    t.is(await store.find('AccessToken', 'new'), undefined);
    t.is(await store.find('Grant', 'new'), undefined);
    t.truthy(await store.find('AccessToken', 'victim'));
    t.is((await store.find('RefreshToken', 'r'))?.consumedAt, null);
    t.deepEqual(await database.all('SELECT name FROM settings', []), []);
  });

  test(`L8 rows written alongside commit with the batch or undo it (${name})`, async (t) => {
    const { store, database } = await open(t);
    const insert = (tx: { run: Database['run'] }, key: string) =>
      tx.run(`INSERT INTO settings (name, value) VALUES ($1, 'v')`, [key]);
    const changes = [put('AccessToken', 'a'), put('RefreshToken', 'a')];
    await t.throwsAsync(
      store.apply(changes, async (tx) => {
        await insert(tx, 'lost');
        throw new Error('no');
      }),
      { message: 'no' },
    );
    t.is(await store.find('AccessToken', 'a'), undefined);
    t.is(await store.find('RefreshToken', 'a'), undefined);
    t.true((await store.apply(changes, async (tx) => void (await insert(tx, 'kept')))).ok);
    t.truthy(await store.find('AccessToken', 'a'));
    t.is((await database.all('SELECT name FROM settings', [])).length, 1);
  });

  test(`R2 revoking a grant takes the named models, or all (${name})`, async (t) => {
    const { store } = await open(t);
    const keys = { grantId: 'g' };
    const models = ['AccessToken', 'AuthorizationCode', 'RefreshToken', 'Grant'];
    await store.apply(models.map((model) => put(model, 'x', { keys })));
    await store.apply([put('AccessToken', 'stranger', { keys: { grantId: 'h' } })]);
    const left = async (): Promise<string[]> => {
      const found = await Promise.all(models.map((model) => store.find(model, 'x')));
      return models.filter((_model, index) => found[index] !== undefined);
    };
    await store.apply([{ kind: 'revokeGrant', grantId: 'g', models: ['AccessToken', 'RefreshToken'] }]);
    t.deepEqual(await left(), ['AuthorizationCode', 'Grant']);
    await store.apply([{ kind: 'revokeGrant', grantId: 'g' }]);
    t.deepEqual(await left(), []);
    t.truthy(await store.find('AccessToken', 'stranger'));
  });

  test.serial(`what has expired is absent, cannot be consumed and can be marked anew (${name})`, async (t) => {
    const { store, database } = await open(t);
    const keys = { uid: 'u', userCode: 'CODE', accountId: 'p', grantId: 'g' };
    for (const model of ['DeviceCode', 'RefreshToken']) await store.apply([put(model, 'x', { keys })]);
    await store.apply([mark('jti')]);
    t.teardown(() => turnClock(0));
    turnClock((LIFETIME_SECONDS + 1) * 1000);
    for (const model of ['DeviceCode', 'RefreshToken']) {
      t.is(await store.find(model, 'x'), undefined);
      t.is(await store.findByUid(model, 'u'), undefined);
      t.is(await store.findByUserCode(model, 'CODE'), undefined);
      t.deepEqual(await store.findByAccount(model, 'p'), []);
      t.false((await store.apply([consume(model, 'x')])).ok);
    }
    t.true((await store.apply([mark('jti')])).ok);
    t.false((await store.apply([mark('jti')])).ok);
    await store.apply([put('Grant', 'live')]);
    while ((await store.sweep(1)) > 0);
    const rows = await database.all<{ model: string }>('SELECT model FROM artifacts ORDER BY model', []);
    t.true(rows.some(({ model }) => model === 'Grant'));
    t.false(rows.some(({ model }) => model === 'RefreshToken'));
    turnClock(0);
  });

  test(`A2 S5 a failover that forgets the use of a code does not allow a second one (${name})`, async (t) => {
    const { store, failover } = await open(t);
    const change = put('AuthorizationCode', 'c');
    await store.apply([change]);
    t.true((await store.apply([consume('AuthorizationCode', 'c'), put('AccessToken', 'a')])).ok);
    await failover?.();
    // The replica has the code as it was before its use was replicated.
    await store.apply([change]);
    t.like(await store.apply([consume('AuthorizationCode', 'c'), put('AccessToken', 'b')]), {
      ok: false,
      conflict: { kind: 'consume', model: 'AuthorizationCode', id: 'c' },
    });
    t.is(await store.find('AccessToken', 'b'), undefined);
  });
}

/** A store over Redis and a SQLite file. */
export const overRedis = async (t: ExecutionContext, options?: RedisOptions): Promise<Stores> => {
  const database = await sqliteDatabase(t);
  const { client, prefix } = await redisPrefix(t, options);
  const base = `{${prefix}}`;
  const failover = async (): Promise<void> => {
    const keys = (await client.sendCommand(base, ['KEYS', `${base}*`])) as string[];
    await client.sendCommand(base, ['DEL', ...keys]);
  };
  const guard = await rowGuard(t, database);
  return { database, failover, store: createRedisArtifacts({ client, database, prefix, guard }) };
};
