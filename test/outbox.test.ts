import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { DeliveryFailure } from '../src/delivery/delivery-failure.ts';
import { deliveries, enqueue, reviveDelivery, startOutbox, statusOf, sweepOutbox } from '../src/delivery/outbox.ts';
import type { Outbox, OutboxOptions } from '../src/delivery/outbox-contract.ts';
import { nextPause, ONE_DAY } from '../src/delivery/retry-schedule.ts';
import { nowMs, turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { ledgerEntries, testLedger } from './support/ledger.ts';
import { until } from './support/waiting.ts';

const ENGINES = [
  { engine: 'sqlite', engineTest: embeddedTest, open: sqliteDatabase },
  { engine: 'postgres', engineTest: postgresTest, open: postgresDatabase },
];

const put = (database: Database, ...payloads: readonly Readonly<Record<string, unknown>>[]): Promise<string[]> =>
  database.write(async (tx) => {
    const ids: string[] = [];
    for (const payload of payloads) ids.push(await enqueue(tx, { topic: 'logout', payload }));
    return ids;
  });

function start(t: ExecutionContext, options: OutboxOptions): Outbox {
  const outbox = startOutbox({ pollMs: 20, ...options });
  t.teardown(() => outbox.stop(0));
  return outbox;
}

const stateOf = async (database: Database, id: string) => (await statusOf(database, [id])).get(id);

test('C10 a delivery is made at once after a wake, and its outcome stands in the ledger', async (t) => {
  const database = await sqliteDatabase(t);
  const seen: unknown[] = [];
  const outbox = start(t, {
    database,
    pollMs: 60_000,
    ledger: testLedger(database),
    events: { logout: { delivered: 'logout.delivered', dead: 'logout.undelivered' } },
    handlers: { logout: async (payload) => void seen.push(payload) },
  });
  await pause(50);
  const [id] = await put(database, { clientId: 'hall', personId: 'p1', sessionUid: 's1' });
  outbox.wake();
  t.true(await until(async () => (await stateOf(database, id!))?.state === 'delivered', 1000));
  t.deepEqual(seen, [{ clientId: 'hall', personId: 'p1', sessionUid: 's1' }]);
  const event = (await ledgerEntries(database))[0];
  t.like(event, { type: 'logout.delivered', client: 'hall', subject: 'p1', data: { attempts: 1, session: 's1' } });
});

test('a change that is undone delivers nothing', async (t) => {
  const database = await sqliteDatabase(t);
  await t.throwsAsync(
    database.write(async (tx) => {
      await enqueue(tx, { topic: 'logout', payload: {} });
      throw new Error('undone');
    }),
  );
  t.deepEqual(await deliveries(database, { limit: 10 }), []);
  await t.throwsAsync(put(database, { text: 'x'.repeat(20_000) }));
});

test('C10 a failed delivery is tried again later, and a final refusal ends it', async (t) => {
  const database = await sqliteDatabase(t);
  const [again, never, stranger] = await put(
    database,
    { destination: 'a' },
    { destination: 'b' },
    { destination: 'c' },
  );
  start(t, {
    database,
    schedule: { firstSeconds: 1 },
    ledger: testLedger(database),
    events: { logout: { delivered: 'logout.delivered', dead: 'logout.undelivered' } },
    handlers: {
      logout: async (payload, { number }) => {
        if (payload.destination === 'b') throw new DeliveryFailure('refused with 400', { permanent: true });
        if (payload.destination === 'c') throw new Error('the number of the citizen is 110101');
        if (number < 2) throw new DeliveryFailure('unreachable');
      },
    },
  });
  t.true(await until(async () => (await stateOf(database, again!))?.state === 'delivered'));
  const rows = await statusOf(database, [again!, never!, stranger!]);
  t.is(rows.get(again!)?.attempts, 2);
  t.is(rows.get(again!)?.lastError, null);
  t.like(rows.get(never!), { state: 'dead', attempts: 1, lastError: 'refused with 400' });
  t.is(rows.get(stranger!)?.lastError, 'Error', 'the words of a foreign error are not kept');
  t.truthy((await ledgerEntries(database, 'logout.undelivered'))[0]);
});

test('C10 one dead portal does not delay the others', async (t) => {
  const database = await sqliteDatabase(t);
  const dead = Array.from({ length: 600 }, () => ({ clientId: 'dead' }));
  await put(database, ...dead);
  let triedDead = 0;
  const reached = new Set<unknown>();
  start(t, {
    database,
    concurrency: 6,
    perDestinationMax: 3,
    handlerTimeoutMs: 400,
    handlers: {
      logout: async (payload) => {
        if (payload.clientId !== 'dead') return void reached.add(payload.clientId);
        triedDead += 1;
        await new Promise(() => {});
      },
    },
  });
  await pause(50);
  await put(database, ...Array.from({ length: 40 }, (_, number) => ({ clientId: `portal-${number}` })));
  t.true(await until(() => reached.size === 40, 4000));
  t.true(triedDead <= 12, `${triedDead} attempts on the dead portal`);
});

test('C10 one slow portal that answers well does not delay the others either', async (t) => {
  const database = await sqliteDatabase(t);
  await put(database, ...Array.from({ length: 400 }, () => ({ destination: 'slow' })));
  let slowAtOnce = 0;
  let slowAtOnceMost = 0;
  const reached = new Set<unknown>();
  start(t, {
    database,
    concurrency: 6,
    perDestinationMax: 2,
    handlers: {
      logout: async (payload) => {
        if (payload.destination !== 'slow') return void reached.add(payload.destination);
        slowAtOnce += 1;
        slowAtOnceMost = Math.max(slowAtOnceMost, slowAtOnce);
        await pause(300);
        slowAtOnce -= 1;
      },
    },
  });
  await pause(50);
  await put(database, ...Array.from({ length: 40 }, (_, number) => ({ destination: `portal-${number}` })));
  t.true(await until(() => reached.size === 40, 4000));
  t.is(slowAtOnceMost, 2);
});

for (const { engine, engineTest, open } of ENGINES) {
  engineTest(
    `C10 what one portal is told of one person keeps its order, and waits for nothing else (${engine})`,
    async (t) => {
      const database = await open(t);
      const ordered = (number: number, person: string) => ({
        topic: 'logout',
        payload: { clientId: 'hall', number, person },
        orderKey: `hall ${person}`,
      });
      await database.write(async (tx) => {
        for (let number = 0; number < 20; number += 1) {
          for (const person of ['wang', 'li']) await enqueue(tx, ordered(number, person));
          // Ids sort by the millisecond in which they were made.
          const madeMs = nowMs();
          while (nowMs() === madeMs);
        }
      });
      const seen: Record<string, unknown[]> = { wang: [], li: [] };
      start(t, {
        database,
        schedule: { firstSeconds: 1 },
        handlers: {
          logout: async ({ person, number }, attempt) => {
            if (person === 'wang' && number === 3 && attempt.number === 1) throw new DeliveryFailure('unreachable');
            // Nobody else waits for it: only when all of them are through does this one go on.
            if (person === 'wang' && number === 3) t.true(await until(() => seen.li?.length === 20));
            seen[String(person)]?.push(number);
          },
        },
      });
      t.true(await until(() => seen.wang?.length === 20));
      const all = Array.from({ length: 20 }, (_, number) => number);
      t.deepEqual(seen, { wang: all, li: all });
    },
  );
}

test.serial(
  'C10 what waited a whole day behind a dead portal is given up with an event, and can be begun anew',
  async (t) => {
    const database = await sqliteDatabase(t);
    const ids = await put(database, ...Array.from({ length: 30 }, () => ({ clientId: 'dead' })));
    let tried = 0;
    const options = {
      database,
      ledger: testLedger(database),
      events: { logout: { delivered: 'logout.delivered', dead: 'logout.undelivered' } },
      perDestinationMax: 1,
      handlers: {
        logout: async () => {
          tried += 1;
          throw new DeliveryFailure('unreachable');
        },
      },
    } as const;
    turnClock(25 * 3_600_000);
    t.teardown(() => turnClock(0));
    const outbox = start(t, options);
    t.true(await until(async () => (await deliveries(database, { state: 'dead', limit: 50 })).length === 30));
    t.is(tried, 3, 'the circuit opened after three');
    t.is((await ledgerEntries(database, 'logout.undelivered')).length, 30);
    await outbox.stop(1000);
    t.true(await database.write((tx) => reviveDelivery(tx, ids[0]!)));
    t.false(await database.write((tx) => reviveDelivery(tx, ids[0]!)));
    t.like(await stateOf(database, ids[0]!), { state: 'waiting', attempts: 0, lastError: null });
  },
);

test('two processes share the outbox and deliver each row once', async (t) => {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const databases = [await openDatabase({ file }), await openDatabase({ file })];
  for (const database of databases) t.teardown(() => database.close());
  await put(
    databases[0]!,
    ...Array.from({ length: 200 }, (_, number) => ({ number, destination: `portal-${number % 20}` })),
  );
  const seen: unknown[] = [];
  const workers = databases.map((database) =>
    startOutbox({
      database,
      pollMs: 20,
      handlers: {
        logout: async (payload) => {
          await pause(2);
          seen.push(payload.number);
        },
      },
    }),
  );
  t.true(await until(async () => (await deliveries(databases[0]!, { state: 'delivered', limit: 500 })).length === 200));
  await Promise.all(workers.map((worker) => worker.stop(1000)));
  t.is(seen.length, 200);
  t.is(new Set(seen).size, 200);
});

test('stop waits for what is under way up to its deadline and leaves the rest for later', async (t) => {
  const database = await sqliteDatabase(t);
  const [quick, hanging] = await put(database, { destination: 'quick' }, { destination: 'hanging' });
  let cut = false;
  const outbox = startOutbox({
    database,
    handlers: {
      logout: async (payload, { signal }) => {
        if (payload.destination === 'quick') return void (await pause(100));
        signal.addEventListener('abort', () => {
          cut = true;
        });
        await new Promise(() => {});
      },
    },
  });
  t.true(await until(async () => (await stateOf(database, hanging!))?.attempts === 1));
  const startedMs = performance.now();
  await outbox.stop(300);
  t.true(performance.now() - startedMs < 1500);
  t.true(cut);
  t.is((await stateOf(database, quick!))?.state, 'delivered');
  t.like(await stateOf(database, hanging!), { state: 'waiting', lastError: 'stopped' });
});

test.serial('the lease of a process that died runs out and another delivers', async (t) => {
  const database = await sqliteDatabase(t);
  const [id] = await put(database, {});
  await database.write((tx) => tx.run('UPDATE outbox SET attempts = 1, due_at = due_at + 30 WHERE id = $1', [id!]));
  start(t, { database, handlers: { logout: async () => {} } });
  await pause(100);
  t.is((await stateOf(database, id!))?.state, 'waiting');
  turnClock(31_000);
  t.teardown(() => turnClock(0));
  t.true(await until(async () => (await stateOf(database, id!))?.state === 'delivered'));
  t.is(await sweepOutbox(database, { keepSeconds: 60, limit: 10 }), 0);
  turnClock(120_000);
  t.is(await sweepOutbox(database, { keepSeconds: 60, limit: 10 }), 1);
});

test('pauses double with jitter up to half an hour and end after a day', (t) => {
  let ageSeconds = 0;
  let attempts = 1;
  for (; attempts < 200; attempts += 1) {
    const pauseSeconds = nextPause(ONE_DAY, attempts, ageSeconds);
    if (pauseSeconds === undefined) break;
    const longest = Math.min(1800, 2 ** attempts);
    t.true(pauseSeconds >= longest / 2 && pauseSeconds <= longest, `${attempts}: ${pauseSeconds}`);
    ageSeconds += pauseSeconds;
  }
  t.true(attempts > 40 && attempts <= 64);
  t.true(ageSeconds <= 86_400);
});
