import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sm3 } from '../src/crypto/digests.ts';
import { openMoveSource } from '../src/storage/moving/move-source.ts';
import { beginMove, endMove } from '../src/storage/moving/move-state.ts';
import { carryRows, compareStores, markOf, rowCounts, standingOf } from '../src/storage/moving/move-store.ts';
import { movedTables } from '../src/storage/moving/moved-tables.ts';
import { TableDigest } from '../src/storage/moving/table-digest.ts';
import { connectForLong, openDatabase } from '../src/storage/open.ts';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { insertText, plausibleRow, rowMakers } from './support/plausible-rows.ts';

const ROWS = 3;
const quiet = { hash: sm3, onProgress: () => {} };

/** A file with some rows in every table there is; a mandate refers to one that comes after it. */
async function fullFile(t: ExecutionContext): Promise<string> {
  const file = join(temporaryFolder(t), 'tongban.db');
  const database = await openDatabase({ file });
  const makers = await rowMakers(database);
  await database.write(async (tx) => {
    const persons = makers.find(({ table }) => table === 'persons')!;
    await tx.run(insertText(persons), plausibleRow(persons, 0));
    for (let n = 1; n <= ROWS; n += 1)
      for (const maker of makers) await tx.run(insertText(maker), plausibleRow(maker, n));
    await tx.run("UPDATE mandates SET parent_id = 'mandates.id:3' WHERE id = 'mandates.id:1'", []);
    await tx.run("UPDATE persons SET name_sealed = NULL, phone_verified_at = NULL WHERE id = 'persons.id:2'", []);
    await tx.run("UPDATE settings SET value = '𠮷 ''quoted'' \\ \n' WHERE name = 'settings.name:1'", []);
    await tx.run('UPDATE ledger_tree SET size = 7', []);
  });
  await database.close();
  return file;
}

postgresTest('X14 every row of every table is carried as it is, and what was changed is found', async (t) => {
  const source = await openMoveSource(await fullFile(t));
  const url = await postgresSchema(t);
  const target = await connectForLong({ url });
  t.teardown(async () => {
    source.close();
    await target.close();
  });
  const tables = await movedTables(source);
  t.true(tables.length > 45, `${tables.length} tables`);
  const counts = await rowCounts(source, tables);
  t.deepEqual(
    [...counts].filter(([, rows]) => rows < 1),
    [],
    'the test has rows in every table',
  );
  const mark = await markOf(source, sm3);
  t.like(await standingOf(target, tables, mark), { kind: 'empty' });
  await beginMove(target, tables, mark);
  const reached: number[] = [];
  await carryRows(source, target, tables, (done, all) => void reached.push(done / all));
  t.is(reached.at(-1), 1);
  const compared = await compareStores(source, target, tables, quiet);
  t.deepEqual(
    compared.filter(({ same }) => !same),
    [],
  );
  t.deepEqual(await target.all('SELECT id, parent_id FROM mandates WHERE parent_id IS NOT NULL', []), [
    { id: 'mandates.id:1', parent_id: 'mandates.id:3' },
  ]);
  t.is((await target.get<{ size: number }>('SELECT size FROM ledger_tree', []))?.size, 7);

  await carryRows(source, target, tables, () => {});
  t.true(
    (await compareStores(source, target, tables, quiet)).every(({ same }) => same),
    'a second run adds nothing',
  );
  t.like(await standingOf(target, tables, mark), { kind: 'begun' });
  t.like(await standingOf(target, tables, `${mark}0`), { kind: 'another' });

  const spoilt = {
    persons: "UPDATE persons SET name_sealed = '\\x00' WHERE id = 'persons.id:1'",
    settings: "UPDATE settings SET value = value || ' ' WHERE name = 'settings.name:1'",
    counters: "DELETE FROM counters WHERE name = 'counters.name:2'",
    ledger_index: "INSERT INTO ledger_index (kind, key, seq) VALUES ('subject', 'nobody', 9)",
  };
  for (const statement of Object.values(spoilt)) await target.run(statement, []);
  const found = (await compareStores(source, target, tables, quiet)).filter(({ same }) => !same);
  t.deepEqual(found.map(({ table }) => table).sort(), Object.keys(spoilt).sort());

  await target.write(endMove);
  await (await openDatabase({ url }, { mayMigrate: false })).close();
  await target.run("INSERT INTO ledger_inbox (entry) VALUES ('{}')", []);
  t.is((await target.get<{ id: number }>('SELECT id FROM ledger_inbox', []))?.id, 1);
});

test('X14 a file that somebody has open, or of another version, is not taken', async (t) => {
  const file = await fullFile(t);
  const idle = await openDatabase({ file });
  await t.throwsAsync(openMoveSource(file), { message: /file is in use/ });
  await idle.close();
  const source = await openMoveSource(file);
  await t.throwsAsync(openDatabase({ file }), undefined, 'and nobody opens it while it is taken');
  await t.throwsAsync(source.all('DELETE FROM settings RETURNING name', []), undefined, 'nor is it changed');
  source.close();
  const older = await openDatabase({ file });
  await older.run('DELETE FROM migrations WHERE id = (SELECT max(id) FROM migrations)', []);
  await older.close();
  await t.throwsAsync(openMoveSource(file), { message: /run "tongban migrate" for it first/ });
  await t.throwsAsync(openMoveSource(`${file}-none`));
});

test('tables that hold the same rows in any order have one digest, and no others', (t) => {
  const digestOf = (...rows: (string | number | null | Uint8Array)[][]): string => {
    const digest = new TableDigest(sm3);
    for (const row of rows) digest.add(row);
    return `${digest.count} ${digest.text}`;
  };
  const [a, b] = [
    ['a', 1, null],
    ['b', 2, Buffer.of(3)],
  ];
  t.is(digestOf(a!, b!), digestOf(b!, a!));
  const others = [
    digestOf(),
    digestOf(a!),
    digestOf(a!, a!),
    digestOf(a!, b!),
    digestOf(['a', 1, '']),
    digestOf(['a', '1', null]),
    digestOf(['a', -1, null]),
    digestOf(['a1', null, null]),
    digestOf(['b', 2, '\u0003']),
  ];
  t.is(new Set(others).size, others.length);
});
