import test, { type ExecutionContext } from 'ava';
import { finishRowSeals, SEALED_START } from '../src/crypto/row-sealing.ts';
import { createRowSeals } from '../src/crypto/row-seals.ts';
import { sealedWith } from '../src/crypto/sealing.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Fault } from '../src/shared/fault.ts';
import type { Database, SqlValue } from '../src/storage/database.ts';
import { planOf } from '../src/storage/guarded-statements.ts';
import {
  GUARDED_TABLES,
  type GuardedTable,
  KEYS_TABLE,
  LASTING_TABLES,
  PASSING_TABLES,
  ROW_SEAL,
} from '../src/storage/guarded-tables.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { type KeyNode, keyConfig, keyNode, later } from './support/key-house.ts';
import { ledgerEntries } from './support/ledger.ts';
import { insertText, plausibleRow, type RowMaker, rowMakers } from './support/plausible-rows.ts';

test.afterEach.always(() => turnClock(0));

const ENGINES = [
  { on: embeddedTest, name: 'SQLite', open: sqliteDatabase },
  { on: postgresTest, name: 'PostgreSQL', open: postgresDatabase },
] as const;

/** Those of a house that stand under the keys of the ring. */
const OF_THE_RING = GUARDED_TABLES.filter(({ table }) => table !== KEYS_TABLE);
type Row = Record<string, SqlValue>;

/** The n-th row of every table; without seals where `seals` is left out of what is asked for anyway. */
async function fill(t: ExecutionContext, database: Database, rows: readonly number[]): Promise<readonly RowMaker[]> {
  const makers = (await rowMakers(await sqliteDatabase(t)))
    .filter(({ table }) => table !== KEYS_TABLE)
    .map((maker) => ({ ...maker, columns: maker.columns.filter(({ name }) => name !== ROW_SEAL) }));
  for (const maker of makers) {
    if (maker.table !== 'persons' && !OF_THE_RING.some(({ table }) => table === maker.table)) continue;
    for (const n of rows) await database.run(insertText(maker), plausibleRow(maker, n));
  }
  return makers;
}

const rowsOf = (raw: Database, { table, row }: GuardedTable): Promise<Row[]> =>
  raw.all<Row>(`SELECT * FROM ${table} ORDER BY ${row.join(', ')}`, []);
const nameOf = ({ row }: GuardedTable, found: Row): SqlValue[] => row.map((column) => found[column]!);
const isIt = ({ row }: GuardedTable, first = 1): string =>
  row.map((column, place) => `${column} = $${first + place}`).join(' AND ');

/** What an intruder may try to put into a column, until the schema takes one of them. */
const WISHES: readonly SqlValue[] = [
  'persons.id:0',
  'legal_persons.id:0',
  'altered',
  4,
  0,
  1,
  null,
  'disabled',
  'active',
  'suspended',
  'revoked',
  'reject',
  'approved',
  'administrator',
  'legal_representative',
  'guardian',
  'agent',
  'user_name',
  'email',
  'audit',
  'system',
  'operator',
  'withdrawn',
  'proofing',
  'code',
  'waiting',
  'cancelled',
  'self',
  'counter',
  'deregistered',
]; // prettier-ignore

/** Somebody and a company that have nothing, to whom an intruder may give what others have. */
async function spare(t: ExecutionContext, database: Database): Promise<void> {
  for (const maker of await rowMakers(await sqliteDatabase(t))) {
    if (maker.table !== 'persons' && maker.table !== 'legal_persons') continue;
    const bare = { ...maker, columns: maker.columns.filter(({ name }) => name !== ROW_SEAL) };
    await database.run(insertText(bare), plausibleRow(bare, 0));
  }
}

async function alter(
  raw: Database,
  guarded: GuardedTable,
  at: Row,
  column: string,
  others: SqlValue[],
): Promise<boolean> {
  const sql = `UPDATE ${guarded.table} SET ${column} = $1 WHERE ${isIt(guarded, 2)}`;
  for (const wish of [...others, ...WISHES]) {
    if (wish === at[column]) continue;
    const changed = await raw.run(sql, [wish, ...nameOf(guarded, at)]).catch(() => 0);
    if (changed === 1) return true;
  }
  return false;
}

const put = (
  raw: Database,
  guarded: GuardedTable,
  name: SqlValue[],
  column: string,
  value: SqlValue,
): Promise<number> => raw.run(`UPDATE ${guarded.table} SET ${column} = $1 WHERE ${isIt(guarded, 2)}`, [value, ...name]);

const read = (node: KeyNode, guarded: GuardedTable, name: SqlValue[]): Promise<Row | undefined> =>
  node.database.get<Row>(`SELECT * FROM ${guarded.table} WHERE ${isIt(guarded)}`, name);

for (const { on, name, open } of ENGINES) {
  on.serial(
    `H10 on ${name} a row of any table under seal that was altered, moved or put there is refused and told of`,
    async (t) => {
      const raw = await open(t);
      const node = await keyNode(t, raw, keyConfig(t));
      await fill(t, node.database, [1, 2]);
      await spare(t, node.database);
      const held: string[] = [];
      const refused = async (guarded: GuardedTable, at: SqlValue[], how: string): Promise<void> => {
        node.altered.length = 0;
        const found = await read(node, guarded, at).catch((error: Fault) => error.code);
        t.is(found, guarded.isPassing ? undefined : 'row_altered', `${guarded.table} ${how}`);
        t.deepEqual(node.altered, [`${guarded.table}:${at.join(':')}`], how);
      };
      for (const guarded of OF_THE_RING) {
        const [one, two] = (await rowsOf(raw, guarded)).slice(-2);
        const at = nameOf(guarded, one!);
        t.truthy(await read(node, guarded, at), guarded.table);
        for (const column of guarded.columns) {
          if (!(await alter(raw, guarded, one!, column, [two![column]!, nameOf(guarded, two!)[0]!]))) {
            held.push(`${guarded.table}.${column}`);
            continue;
          }
          await refused(guarded, at, column);
          const change = `UPDATE ${guarded.table} SET ${column} = ${column} WHERE ${isIt(guarded)}`;
          const changed = await node.database.run(change, at).catch((error: Fault) => error.code);
          t.is(changed, guarded.isPassing ? 0 : 'row_altered', `no change of ${column} makes it right`);
          node.altered.length = 0;
          t.falsy(await read(node, guarded, at).catch(() => undefined), `${column} is written over`);
          await put(raw, guarded, at, column, one![column]!);
          t.truthy(await read(node, guarded, at), `${guarded.table} ${column} put back`);
        }
        await put(raw, guarded, at, ROW_SEAL, two![ROW_SEAL]!);
        await refused(guarded, at, 'the seal of another row');
        await put(raw, guarded, at, ROW_SEAL, null);
        await refused(guarded, at, 'no seal');
        await put(raw, guarded, at, ROW_SEAL, Buffer.concat([one![ROW_SEAL] as Buffer, Buffer.of(0)]));
        await refused(guarded, at, 'a longer seal');
        t.truthy(await read(node, guarded, nameOf(guarded, two!)), 'the other row is none of it');
        await put(raw, guarded, at, ROW_SEAL, one![ROW_SEAL]!);
      }
      const makers = await fill(t, raw, [3]);
      for (const guarded of OF_THE_RING) {
        const planted = (await rowsOf(raw, guarded)).at(-1)!;
        await refused(guarded, nameOf(guarded, planted), 'put there');
        const before = (await rowsOf(raw, guarded))[0]!;
        await put(raw, guarded, nameOf(guarded, planted), ROW_SEAL, before[ROW_SEAL]!);
        await refused(guarded, nameOf(guarded, planted), 'put there with the seal of another');
      }
      t.true(makers.length > OF_THE_RING.length);
      t.deepEqual(
        held,
        ['mandates.kind', 'mandates.represented_id'],
        'the schema itself allows no other value beside the rest of the row',
      );
    },
  );

  on.serial(
    `H10 H2 on ${name} seals go over to a new key, and what was altered holds the old one until somebody has looked`,
    async (t) => {
      const raw = await open(t);
      const node = await keyNode(t, raw, keyConfig(t));
      await fill(t, node.database, [1, 2]);
      const [first] = await rowsOf(raw, OF_THE_RING[0]!);
      await put(raw, OF_THE_RING[0]!, nameOf(OF_THE_RING[0]!, first!), 'status', 'disabled');
      const id = await node.rotate('rows');
      await node.reseal();
      for (const guarded of OF_THE_RING) {
        const under = (await rowsOf(raw, guarded)).map((row) => sealedWith(row[ROW_SEAL] as Uint8Array));
        const wanted = guarded === OF_THE_RING[0] ? ['configured', id] : [id, id];
        t.deepEqual(under, wanted, guarded.table);
      }
      later(3600);
      await node.ring.refresh();
      t.like(await node.keyRotation.retire('rows', 'configured'), { reason: 'needed' });
      await put(raw, OF_THE_RING[0]!, nameOf(OF_THE_RING[0]!, first!), 'status', first!.status!);
      await node.reseal();
      t.deepEqual(await node.keyRotation.retire('rows', 'configured'), { ok: true });
      for (const guarded of OF_THE_RING)
        for (const row of await rowsOf(raw, guarded)) t.truthy(await read(node, guarded, nameOf(guarded, row)));
    },
  );

  on.serial(`H10 on ${name} a store from before is sealed once as it stands, and never again`, async (t) => {
    const raw = await open(t);
    const config = keyConfig(t);
    await fill(t, raw, [1]);
    const node = await keyNode(t, raw, config);
    for (const guarded of OF_THE_RING)
      t.truthy(await read(node, guarded, nameOf(guarded, (await rowsOf(raw, guarded))[0]!)));
    const told = (await ledgerEntries(raw)).filter(({ type }) => type === 'row.sealed');
    t.deepEqual(
      told.map(({ data }) => [data.origin, data.rows]),
      [LASTING_TABLES.length - 1, PASSING_TABLES.length].map((rows) => ['first start', rows]),
    );
    await fill(t, raw, [2]);
    const again = await keyNode(t, raw, config);
    const [, planted] = await rowsOf(raw, OF_THE_RING[0]!);
    const fault = await t.throwsAsync<Fault>(read(again, OF_THE_RING[0]!, nameOf(OF_THE_RING[0]!, planted!)));
    t.is(fault?.code, 'row_altered');
  });
}

test.serial(
  'H10 a store whose ledger says that it had its seals is not sealed anew when the mark is gone',
  async (t) => {
    const raw = await sqliteDatabase(t);
    const config = keyConfig(t);
    const node = await keyNode(t, raw, config);
    await node.ledger.record({ type: 'server.started', details: { version: '1', profile: 'test', ...SEALED_START } });
    for (const mark of ['rows.sealed', 'rows.sealed.passing']) {
      const held = await raw.get<{ value: string }>('SELECT value FROM settings WHERE name = $1', [mark]);
      await raw.run('DELETE FROM settings WHERE name = $1', [mark]);
      const fault = await t.throwsAsync<Fault>(keyNode(t, raw, config));
      t.true(fault?.message.includes(`${mark} is gone`), fault?.message);
      await raw.run("INSERT INTO settings (name, value) VALUES ($1, 'made up')", [mark]);
      t.regex((await t.throwsAsync<Fault>(keyNode(t, raw, config)))?.message ?? '', /was altered/);
      await raw.run('UPDATE settings SET value = $1 WHERE name = $2', [held!.value, mark]);
    }
    await t.notThrowsAsync(keyNode(t, raw, config));
  },
);

test.serial('H10 a key whose row was altered is not used: the house does not open', async (t) => {
  const raw = await sqliteDatabase(t);
  const config = keyConfig(t);
  await keyNode(t, raw, config);
  await raw.run("UPDATE keys SET purpose = 'pepper' WHERE purpose = 'cookies'", []);
  t.is((await t.throwsAsync<Fault>(keyNode(t, raw, config)))?.code, 'row_altered');
});

test('H10 what nobody can follow is no statement on rows under seal', (t) => {
  for (const sql of [
    "INSERT INTO staff (person_id, role, status) SELECT id, 'audit', 'active' FROM persons",
    'INSERT INTO staff (person_id, role, status) VALUES ($1, lower($2), $3)',
    'UPDATE staff SET role = $1 WHERE person_id = $2 RETURNING role',
    'SELECT role FROM staff UNION SELECT status FROM persons',
  ])
    t.is(t.throws<Fault>(() => planOf(sql, 'sqlite'), undefined, sql)?.code, 'internal', sql);
  t.is(planOf('UPDATE persons SET updated_at = $1 WHERE id = $2', 'sqlite'), undefined, 'nothing covered is set');
  t.is(planOf('SELECT count(*) AS total FROM mandates', 'sqlite'), undefined);
  const whole = 'id_digest = $2, account_id = $3, payload = $4, expires_at = $5';
  for (const [sql, kind] of [
    [`UPDATE sessions SET ${whole} WHERE uid = $1`, 'replace'],
    [`UPDATE sessions SET ${whole} WHERE uid = $1 OR account_id = $3`, 'change'],
    [`UPDATE sessions SET ${whole} WHERE account_id = $3`, 'change'],
    ['UPDATE sessions SET account_id = $2 WHERE uid = $1', 'change'],
  ] as const)
    t.is(planOf(sql, 'sqlite')?.kind, kind, sql);
  const put =
    'INSERT INTO artifacts (model, id, payload, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT (model, id) DO UPDATE SET';
  const upserts = (set: string): boolean => {
    const made = planOf(`${put} ${set}`, 'sqlite');
    return made?.kind === 'insert' && made.upserts;
  };
  t.false(upserts('payload = excluded.payload, expires_at = excluded.expires_at WHERE artifacts.expires_at < $4'));
  t.true(upserts('payload = excluded.payload'), 'what stays is judged');
  t.true(upserts("payload = '{}', expires_at = excluded.expires_at"));
  const plan = planOf(
    'SELECT o.role FROM legal_persons l LEFT JOIN legal_person_posts o ON o.id = l.id WHERE l.id = $1',
    'postgres',
  );
  t.deepEqual(plan?.kind === 'read' && plan.sources.map(({ guarded }) => guarded.table), [
    'legal_persons',
    'legal_person_posts',
  ]);
});

test('H10 the query builder, whose texts nobody follows, is kept from rows under seal', async (t) => {
  const node = await keyNode(t, await sqliteDatabase(t), keyConfig(t));
  const { database } = node;
  t.deepEqual(await database.query.selectFrom('outbox').selectAll().execute(), []);
  const read = (builder: typeof database.query) => builder.selectFrom('staff').select('role').execute();
  t.is((await t.throwsAsync<Fault>(read(database.query)))?.code, 'internal');
  t.is((await t.throwsAsync<Fault>(database.write((tx) => read(tx.query))))?.code, 'internal');
});

test('H10 the first sealing of a house is nothing another house could have written', async (t) => {
  const [raw, other] = [await sqliteDatabase(t), await sqliteDatabase(t)];
  const mine = createRowSeals(Buffer.alloc(32, 1));
  const theirs = createRowSeals(Buffer.alloc(32, 2));
  t.not(mine.statement('one'), theirs.statement('one'));
  t.not(mine.statement('one'), mine.statement('two'));
  for (const [store, seals] of [
    [raw, mine],
    [other, theirs],
  ] as const)
    await finishRowSeals(store, seals, async () => t.fail('there was nothing to seal'));
});
