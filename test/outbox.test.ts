import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { DeliveryFailure } from '../src/delivery/delivery-failure.ts';
import { deliveries, enqueue, startOutbox, statusOf, sweepOutbox } from '../src/delivery/outbox.ts';
import type { Outbox, OutboxOptions } from '../src/delivery/outbox-contract.ts';
import { nextPause, ONE_DAY } from '../src/delivery/retry-schedule.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { ledgerEntries, testLedger } from './support/ledger.ts';
import { until } from './support/waiting.ts';

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
