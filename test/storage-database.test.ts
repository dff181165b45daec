import type { ExecutionContext } from 'ava';
import { Fault } from '../src/shared/fault.ts';
import type { Database, Transaction } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { isUniqueViolation } from '../src/storage/storage-errors.ts';
import {
  type EngineTest,
  embeddedTest,
  postgresDatabase,
  postgresSchema,
  postgresTest,
  sqliteDatabase,
} from './support/databases.ts';

const INSERT = 'INSERT INTO settings (name, value) VALUES ($1, $2)';
const put =
  (name: string, value = 'v') =>
  (tx: Transaction) =>
    tx.run(INSERT, [name, value]);

const names = async (database: Database): Promise<string[]> => {
  const rows = await database.all<{ name: string }>('SELECT name FROM settings ORDER BY name', []);
  return rows.map((row) => row.name);
};

/** What every `Database` owes, whatever the engine. */
function databaseSuite(test: EngineTest, engine: string, open: (t: ExecutionContext) => Promise<Database>): void {
  test(`L8 a failing write does not undo its neighbours (${engine})`, async (t) => {
    const database = await open(t);
    const outcomes = await Promise.allSettled([
      database.write(put('a')),
      database.write(async (tx) => {
        await put('lost')(tx);
        throw new Error('changed my mind');
      }),
      database.write(put('b')),
      database.write(async (tx) => {
        await put('lost-too')(tx);
        await put('lost-too')(tx);
      }),
      database.write(() => {
        throw new Error('thrown before the first promise');
      }),
      database.write(put('c')),
    ]);
    t.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    t.true(outcomes[3]!.status === 'rejected' && isUniqueViolation(outcomes[3]!.reason));
    t.deepEqual(await names(database), ['a', 'b', 'c']);
  });

  test(`a lone write that throws leaves nothing and the next one works (${engine})`, async (t) => {
    const database = await open(t);
    await t.throwsAsync(
      database.write(async (tx) => {
        await put('lost')(tx);
        throw new Error('no');
      }),
      { message: 'no' },
    );
    t.is(await database.write(put('kept')), 1);
    t.deepEqual(await names(database), ['kept']);
  });

  test(`a reader never sees what is not committed, the writer sees its own (${engine})`, async (t) => {
    const database = await open(t);
    const [within, outside] = await database.write(async (tx) => {
      await put('new')(tx);
      const own = await tx.all('SELECT name FROM settings', []);
      return [own.length, (await names(database)).length];
    });
    t.is(within, 1);
    t.is(outside, 0);
    t.deepEqual(await names(database), ['new']);
  });

  test(`the typed query reads and writes, inside a transaction and outside (${engine})`, async (t) => {
    const database = await open(t);
    await database.query.insertInto('settings').values({ name: 'outside', value: '1' }).execute();
    const updated = await database.write(async (tx) => {
      await tx.query.insertInto('settings').values({ name: 'inside', value: '2' }).execute();
      return tx.query.updateTable('settings').set({ value: '3' }).where('name', '=', 'outside').executeTakeFirst();
    });
    t.is(updated.numUpdatedRows, 1n);
    const rows = await database.query.selectFrom('settings').select(['name', 'value']).orderBy('name').execute();
    t.deepEqual(
      rows.map(({ name, value }) => [name, value]),
      [
        ['inside', '2'],
        ['outside', '3'],
      ],
    );
  });

  test(`numbers, bytes and nulls come back as they went in (${engine})`, async (t) => {
    const database = await open(t);
    const bytes = new Uint8Array([0, 1, 254, 255]);
    await database.write((tx) =>
      tx.run(
        `INSERT INTO persons (id, status, ial, name_sealed, phone_sealed, created_at, updated_at)
         VALUES ($1, 'active', $2, $3, $4, $5, $5)`,
        ['p', 2, bytes, null, 1_800_000_000_123],
      ),
    );
    const row = await database.get<Record<string, unknown>>('SELECT * FROM persons WHERE id = $1', ['p']);
    t.is(row!.created_at, 1_800_000_000_123);
    t.is(row!.ial, 2);
    t.is(row!.phone_sealed, null);
    t.deepEqual([...(row!.name_sealed as Uint8Array)], [...bytes]);
    t.is(await database.get('SELECT * FROM persons WHERE id = $1', ['nobody']), undefined);
  });

  test(`a transaction used after its end is refused (${engine})`, async (t) => {
    const database = await open(t);
    let leaked: Transaction | undefined;
    await database.write(async (tx) => {
      leaked = tx;
    });
    const error = await t.throwsAsync(put('late')(leaked!), { instanceOf: Fault });
    t.is((error as Fault).code, 'internal');
    await t.throwsAsync(leaked!.query.selectFrom('settings').selectAll().execute(), { instanceOf: Fault });
    t.deepEqual(await names(database), []);
  });

  test(`the change stamp moves with cached tables and rests otherwise (${engine})`, async (t) => {
    const database = await open(t);
    const before = await database.changeStamp();
    await database.run(`INSERT INTO counters (name, value, expires_at) VALUES ($1, 1, 1)`, ['x']);
    t.is(await database.changeStamp(), before);
    await database.run(
      `INSERT INTO relying_parties (client_id, record, status, created_at, updated_at) VALUES ($1, '{}', 'active', 1, 1)`,
      ['portal'],
    );
    const after = await database.changeStamp();
    t.not(after, before);
    await database.run(`UPDATE relying_parties SET status = 'disabled' WHERE client_id = $1`, ['portal']);
    t.not(await database.changeStamp(), after);
  });

  test(`closing commits what is queued and refuses what follows (${engine})`, async (t) => {
    const database = await open(t);
    const queued = database.write(put('queued'));
    const closing = database.close();
    const [outcome] = await Promise.allSettled([queued]);
    await closing;
    t.is(outcome!.status, 'fulfilled');
    const error = await t.throwsAsync(database.write(put('late')), { instanceOf: Fault });
    t.is((error as Fault).code, 'storage_unavailable');
  });

  test(`what is posted is done in order with what is waited for, and committed with it (${engine})`, async (t) => {
    const database = await open(t);
    const seen = await database.write(async (tx) => {
      tx.post(INSERT, ['a', '1']);
      tx.post('UPDATE settings SET value = $2 WHERE name = $1', ['a', '2']);
      const row = await tx.get<{ value: string }>('SELECT value FROM settings WHERE name = $1', ['a']);
      tx.post('UPDATE settings SET value = $2 WHERE name = $1', ['a', '3']);
      return row!.value;
    });
    t.is(seen, '2');
    t.deepEqual(await database.all('SELECT name, value FROM settings', []), [{ name: 'a', value: '3' }]);
  });

  test(`a demand that is said in the same breath as a look-up, and lost, is what the write throws (${engine})`, async (t) => {
    const database = await open(t);
    const losing = database.write(async (tx) => {
      const looking = tx.get('SELECT 1 AS up', []);
      tx.post(INSERT, ['a', '1']);
      tx.demand('UPDATE settings SET value = $2 WHERE name = $1', ['nobody', '2'], () => new Error('lost'));
      await looking;
    });
    await t.throwsAsync(losing, { message: 'lost' });
    t.deepEqual(await names(database), []);
  });

  test(`a row that is demanded and not there undoes the write, and one that is there changes nothing of it (${engine})`, async (t) => {
    const database = await open(t);
    await database.write(put('there', 'yes'));
    const demanding = (name: string, value: string) =>
      database.write(async (tx) => {
        tx.post(INSERT, [`with ${name} ${value}`, 'x']);
        tx.demandRow(
          'SELECT 1 AS up FROM settings WHERE name = $1 AND value = $2',
          [name, value],
          () => new Error('lost'),
        );
      });
    const outcomes = await Promise.allSettled([
      demanding('there', 'yes'),
      demanding('nobody', 'yes'),
      demanding('there', 'no'),
    ]);
    t.deepEqual(
      outcomes.map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'done')),
      ['done', 'lost', 'lost'],
    );
    t.deepEqual(await names(database), ['there', 'with there yes']);
  });

  test(`R1 of sixty demands at one row exactly one wins, whoever shares its transaction (${engine})`, async (t) => {
    const database = await open(t);
    await database.write(put('spent', 'no'));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, n) =>
        database.write(async (tx) => {
          tx.post(INSERT, [`before ${n}`, 'x']);
          tx.demand(
            `UPDATE settings SET value = $2 WHERE name = $1 AND value = 'no'`,
            ['spent', 'yes'],
            () => new Error('lost'),
          );
          tx.post(INSERT, [`behind ${n}`, 'x']);
        }),
      ),
    );
    const won = outcomes.findIndex(({ status }) => status === 'fulfilled');
    const lost = outcomes.filter((one) => one.status === 'rejected' && (one.reason as Error).message === 'lost');
    t.is(lost.length, 59);
    t.deepEqual(await names(database), [`before ${won}`, `behind ${won}`, 'spent'].sort());
  });

  test(`a posted statement that fails is told to its own write alone, by the name it gives it (${engine})`, async (t) => {
    const database = await open(t);
    await database.write(put('there'));
    const outcomes = await Promise.allSettled(
      ['a', 'there', 'b', 'there', 'c'].map((name) =>
        database.write(async (tx) => {
          tx.post(INSERT, [`with ${name}`, 'x'], () => new Error('not this one'));
          tx.post(INSERT, [name, 'x'], (error) => (isUniqueViolation(error) ? new Error(`taken: ${name}`) : error));
          return name;
        }),
      ),
    );
    t.deepEqual(
      outcomes.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message)),
      // The first of the two wrote its other row before it was undone, so the second is told of its own.
      ['a', 'taken: there', 'b', 'taken: there', 'c'],
    );
    t.deepEqual(await names(database), ['a', 'b', 'c', 'there', 'with a', 'with b', 'with c']);
  });

  test(`a hundred look-ups at once get each its own answer, and one that fails fails alone (${engine})`, async (t) => {
    const database = await open(t);
    await database.write(async (tx) => {
      for (let n = 0; n < 100; n += 1) tx.post(INSERT, [`n${n}`, String(n)]);
    });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, n) =>
        n % 10 === 3
          ? database.get('SELECT value FROM no_such_table WHERE name = $1', [`n${n}`])
          : database.get<{ value: string }>('SELECT value FROM settings WHERE name = $1', [`n${n}`]),
      ),
    );
    for (const [n, one] of outcomes.entries()) {
      if (n % 10 === 3) t.is(one.status, 'rejected');
      else t.deepEqual(one.status === 'fulfilled' && one.value, { value: String(n) });
    }
  });

  test(`R1 of forty writes that race for one row exactly one wins (${engine})`, async (t) => {
    const database = await open(t);
    await database.write(put('spent', 'no'));
    const changed = await Promise.all(
      Array.from({ length: 40 }, () =>
        database.write((tx) => tx.run(`UPDATE settings SET value = 'yes' WHERE name = $1 AND value = 'no'`, ['spent'])),
      ),
    );
    t.is(changed.filter((count) => count === 1).length, 1);
  });
}

databaseSuite(embeddedTest, 'sqlite', sqliteDatabase);
databaseSuite(postgresTest, 'postgres', postgresDatabase);

postgresTest('X2 a write that loses a deadlock is run again', async (t) => {
  const database = await postgresDatabase(t);
  await database.write(async (tx) => {
    for (const name of ['a', 'b']) {
      await tx.run('INSERT INTO counters (name, value, expires_at) VALUES ($1, 0, 0)', [name]);
    }
  });
  let attempts = 0;
  let arrived = 0;
  let bothHere: () => void = () => {};
  const meeting = new Promise<void>((resolve) => {
    bothHere = resolve;
  });
  const cross = (first: string, second: string) =>
    database.write(async (tx) => {
      attempts += 1;
      const raise = (name: string) => tx.run('UPDATE counters SET value = value + 1 WHERE name = $1', [name]);
      await raise(first);
      arrived += 1;
      if (arrived === 2) bothHere();
      await meeting;
      await raise(second);
    });
  await Promise.all([cross('a', 'b'), cross('b', 'a')]);
  t.true(attempts >= 3, 'one of the two was run again');
  const rows = await database.all<{ value: number }>('SELECT value FROM counters', []);
  t.deepEqual(
    rows.map((row) => row.value),
    [2, 2],
  );
});

postgresTest('X2 connections cut by the server give a fault once, and the next write works', async (t) => {
  const database = await postgresDatabase(t);
  const cut = await t.throwsAsync(
    database.write(async (tx) => {
      await put('half')(tx);
      await tx.run('SELECT pg_terminate_backend(pg_backend_pid())', []);
    }),
    { instanceOf: Fault },
  );
  t.is((cut as Fault).code, 'storage_unavailable');
  t.is(await database.write(put('whole')), 1);
  t.deepEqual(await names(database), ['whole']);
});

postgresTest('a write that hides a failed statement is not taken for committed', async (t) => {
  const database = await postgresDatabase(t);
  await database.write(put('a'));
  const error = await t.throwsAsync(
    database.write(async (tx) => {
      await put('b')(tx);
      await put('a')(tx).catch(() => {});
    }),
    { instanceOf: Fault },
  );
  t.is((error as Fault).code, 'internal');
  t.deepEqual(await names(database), ['a']);
});

postgresTest('L8 writes that wait for nothing share one transaction, and what is waited for has its own', async (t) => {
  const database = await postgresDatabase(t);
  const transactionOf = async (name: string): Promise<string> =>
    (await database.get<{ xmin: string }>('SELECT CAST(xmin AS TEXT) AS xmin FROM settings WHERE name = $1', [name]))!
      .xmin;
  const posting = (name: string) =>
    database.write(async (tx) => {
      tx.post(INSERT, [name, 'x']);
    });
  await Promise.all([posting('a'), posting('b'), database.write(put('own')), posting('c')]);
  const [a, b, own, c] = await Promise.all(['a', 'b', 'own', 'c'].map(transactionOf));
  t.is(a, b);
  t.is(a, c);
  t.not(a, own);
});

postgresTest('a value that no column takes fails by itself, and the connection goes on', async (t) => {
  const database = await openDatabase({ url: await postgresSchema(t), poolMax: 1 });
  t.teardown(() => database.close());
  await t.throwsAsync(database.get('SELECT value FROM settings WHERE name = $1', [{} as never]));
  await t.throwsAsync(database.write(async (tx) => tx.post(INSERT, ['a', {} as never])));
  await database.write(put('b', '汉字 \u{1f600}'.repeat(20_000)));
  const row = await database.get<{ value: string }>('SELECT value FROM settings WHERE name = $1', ['b']);
  t.is(row!.value, '汉字 \u{1f600}'.repeat(20_000));
});

postgresTest('a statement that changes rows is undone by no look-up of the same moment', async (t) => {
  const database = await postgresDatabase(t);
  const outcomes = await Promise.allSettled([
    database.get(`${INSERT} RETURNING name`, ['kept', 'x']),
    database.get('SELECT value FROM no_such_table WHERE name = $1', ['x']),
  ]);
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  t.deepEqual(await names(database), ['kept']);
});

postgresTest(
  'X2 two nodes that spend the same rows in opposite orders lose no race but those for the rows',
  async (t) => {
    const url = await postgresSchema(t);
    const nodes = [await openDatabase({ url }), await openDatabase({ url })];
    for (const node of nodes) t.teardown(() => node.close());
    // As many as go into one group: each of the two takes all of them.
    const rows = Array.from({ length: 50 }, (_, n) => `row ${n}`);
    await nodes[0]!.write(async (tx) => {
      for (const name of rows) tx.post('INSERT INTO counters (name, value, expires_at) VALUES ($1, 0, 0)', [name]);
    });
    let runs = 0;
    const spend = (node: Database, name: string): Promise<boolean> =>
      node
        .write(async (tx) => {
          runs += 1;
          tx.demand('UPDATE counters SET value = $2 WHERE name = $1 AND value = 0', [name, 1], () => new Error('lost'));
          tx.post('UPDATE counters SET value = $2 WHERE name = $1', [name, 2]);
        })
        .then(
          () => true,
          () => false,
        );
    const [there, back] = await Promise.all([
      Promise.all(rows.map((name) => spend(nodes[0]!, name))),
      Promise.all(rows.toReversed().map((name) => spend(nodes[1]!, name))),
    ]);
    t.true(rows.every((_, n) => there[n] !== back[rows.length - 1 - n]));
    t.is(runs, 2 * rows.length, 'no deadlock made a write run again');
  },
);
