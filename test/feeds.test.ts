import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { BEGINNING, ensureFeedCursor, replaceFeedCursor } from '../src/monitoring/feeds/feed-cursor.ts';
import { monotonicMs, nowMs, turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase, temporaryFolder } from './support/databases.ts';
import { makeCertificates, syslogReceiver, until, webhookReceiver } from './support/feed-receivers.ts';
import { feedHouse, SECRET, settingsOf } from './support/feeds.ts';
import { signIns, writeEntries } from './support/ledger-rows.ts';

type Bodies = readonly Record<string, unknown>[];
const seqsOf = (bodies: Bodies): number[] => bodies.map(({ seq }) => Number(seq));
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
/** Each number once, at its first arrival. */
const firsts = (bodies: Bodies): number[] => [...new Set(seqsOf(bodies))];
const anyBatch = (): number => 204;

async function remove(database: Database, from: number, to: number): Promise<void> {
  await database.run('DELETE FROM ledger_entries WHERE seq >= $1 AND seq < $2', [from, to]);
}

test.serial('H6 L13 entries that are missing are told once, and pruned ones are not', async (t) => {
  t.teardown(() => turnClock(0));
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const folder = temporaryFolder(t);
  const [feed] = settingsOf(t, [{ name: 'copy', kind: 'file', address: join(folder, 'out') }]);
  await writeEntries(database, [
    ...signIns(20),
    { type: 'audit.prune', data: { from: 0, to: 4, approvers: ['a', 'b'] } },
  ]);
  await remove(database, 0, 4);
  await remove(database, 9, 12);
  await database.run('UPDATE ledger_entries SET entry = replace(entry, \'"v":1\', \'"v":2\') WHERE seq = 15', []);
  const running = house.start([feed!]);
  const lines = () =>
    readFileSync(join(folder, 'out'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  await until(() => running.status()[0]?.lastDeliveredSeq === 20, 'the copy');
  t.deepEqual(seqsOf(lines()), [4, 5, 6, 7, 8, 12, 13, 14, 16, 17, 18, 19, 20]);
  t.is(lines()[5].previousSeq, 8, 'the receiver sees that nothing came between 8 and 12');
  await new Promise((resolve) => setTimeout(resolve, 700));
  t.deepEqual(house.gaps, [{ feed: 'copy', from: 15, to: 16, reason: 'unreadable' }], 'a hole may still be explained');
  turnClock(11_000);
  await until(() => house.gaps.length === 2, 'the gap');
  t.deepEqual(house.gaps[1], { feed: 'copy', from: 9, to: 12, reason: 'missing' });
  await new Promise((resolve) => setTimeout(resolve, 1200));
  t.is(house.gaps.length, 2);
  await remove(database, 19, 21);
  const [second] = settingsOf(t, [
    { name: 'late', kind: 'file', address: join(folder, 'late'), filter: { types: ['audit.'] } },
  ]);
  house.start([second!]);
  await until(
    async () =>
      (await database.get<{ next_seq: number }>("SELECT next_seq FROM follower_cursors WHERE name = 'feed:late'", []))
        ?.next_seq === 21,
    'late',
  );
  turnClock(23_000);
  await until(() => house.gaps.some(({ to }) => to === 21), 'the end that is missing');
  const late = house.gaps.filter(({ feed }) => feed === 'late').sort((left, right) => left.from - right.from);
  const found = [
    [0, 4],
    [9, 12],
    [15, 16],
    [19, 21],
  ];
  t.deepEqual(
    late.map(({ from, to }) => [from, to]),
    found,
    'without the entry of the pruning it is a gap',
  );
});

for (const [engine, engineTest, open] of [
  ['SQLite', embeddedTest, sqliteDatabase],
  ['PostgreSQL', postgresTest, postgresDatabase],
] as const) {
  engineTest(`H6 X11 a receiver that was down gets everything in order (syslog, ${engine})`, async (t) => {
    const database = await open(t);
    const house = feedHouse(t, database);
    const receiver = await syslogReceiver(t);
    const feeds = settingsOf(t, [{ name: 'siem', kind: 'syslog', address: `tcp://127.0.0.1:${receiver.port}` }]);
    await writeEntries(database, signIns(600));
    const running = house.start(feeds);
    await until(() => receiver.messages.length === 600, 'the first 600');
    t.deepEqual(seqsOf(receiver.bodies()), numbers(600));
    await new Promise((resolve) => setTimeout(resolve, 2100));
    await receiver.stop();
    await writeEntries(database, signIns(500));
    await until(() => running.status()[0]?.state === 'failing', 'the outage');
    t.like(running.status()[0], { lagEvents: 500, lastDeliveredSeq: 599, lastError: 'cannot connect (ECONNREFUSED)' });
    t.true(running.status()[0]!.lagSeconds > 1000);
    if (engine === 'SQLite') {
      await until(async () => (await house.told()).length === 1, 'feed.failed');
      await house.sign();
    }
    await receiver.start();
    const whole = engine === 'SQLite' ? 1101 : 1100;
    await until(() => firsts(receiver.bodies()).length >= whole, 'all of them');
    t.deepEqual(seqsOf(receiver.bodies()).slice(0, whole), numbers(whole), 'in order, and none twice');
    if (engine === 'SQLite') {
      await until(async () => (await house.told()).length === 2, 'feed.recovered');
      t.deepEqual(await house.told(), ['feed.failed', 'feed.recovered']);
      await house.sign();
      await until(() => receiver.messages.length === 1102, 'the news of it');
      t.is(receiver.bodies().at(-1)?.type, 'feed.recovered');
    }
    await until(() => running.status()[0]?.state === 'delivering', 'a calm state');
    t.like(running.status()[0], { lagEvents: 0, lagSeconds: 0 });
  });
}

test('H6 X11 what the receiver had not confirmed when it died is sent again, and nothing else', async (t) => {
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const receiver = await syslogReceiver(t);
  house.start(settingsOf(t, [{ name: 'siem', kind: 'syslog', address: `tcp://127.0.0.1:${receiver.port}` }]));
  await writeEntries(database, signIns(10));
  await until(() => receiver.messages.length === 10, 'the first ten');
  await new Promise((resolve) => setTimeout(resolve, 2200));
  await writeEntries(database, signIns(5));
  await until(() => receiver.messages.length === 15, 'five more');
  await receiver.stop();
  await receiver.start();
  await until(() => receiver.messages.length === 20, 'the five once more, without a new event');
  await writeEntries(database, signIns(1));
  await until(() => receiver.messages.length === 21, 'the next');
  t.deepEqual(seqsOf(receiver.bodies()), [...numbers(15), 10, 11, 12, 13, 14, 15]);
  t.is(receiver.bodies()[15]?.previousSeq, 9, 'sent again, it names the same message before it');
  t.deepEqual(await house.told(), [], 'one lost connection is no outage');
});

test('X11 a receiver that accepts and hangs up at once has received nothing', async (t) => {
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  let drop = true;
  const receiver = await syslogReceiver(t, { drop: () => drop });
  const running = house.start(
    settingsOf(t, [{ name: 'siem', kind: 'syslog', address: `tcp://127.0.0.1:${receiver.port}` }]),
  );
  await writeEntries(database, signIns(3));
  await until(async () => (await house.told()).includes('feed.failed'), 'the outage');
  t.is(running.status()[0]?.state, 'failing');
  drop = false;
  await until(() => firsts(receiver.bodies()).length === 3, 'all three');
  await until(async () => (await house.told()).includes('feed.recovered'), 'the recovery');
});

test('H6 syslog over TLS wants our authority, and shows our certificate', async (t) => {
  const folder = temporaryFolder(t);
  const read = makeCertificates(folder);
  const tls = { key: read('server.key'), cert: read('server.crt'), ca: read('ca.crt'), requestCert: true };
  const receiver = await syslogReceiver(t, { tls });
  const address = `tls://127.0.0.1:${receiver.port}`;
  const own = { caFile: 'ca.crt', certFile: 'client.crt', keyFile: 'client.key', serverName: 'localhost' };
  const feeds = settingsOf(
    t,
    [
      { name: 'good', kind: 'syslog', address, tls: own },
      { name: 'no-certificate', kind: 'syslog', address, tls: { caFile: 'ca.crt' } },
      { name: 'no-authority', kind: 'syslog', address },
      { name: 'other-name', kind: 'syslog', address, tls: { ...own, serverName: 'siem.example' } },
    ],
    folder,
  );
  const database = await sqliteDatabase(t);
  await writeEntries(database, signIns(300));
  const running = feedHouse(t, database).start(feeds);
  await until(() => receiver.messages.length === 300, 'the messages');
  await until(
    () =>
      running
        .status()
        .slice(1)
        .every(({ state }) => state === 'failing'),
    'the refusals',
  );
  t.deepEqual(seqsOf(receiver.bodies()), numbers(300), 'nobody else has delivered anything');
  t.is(running.status()[0]?.state, 'delivering');
  t.regex(running.status()[2]!.lastError!, /SELF_SIGNED|UNABLE_TO_VERIFY/);
  t.is(running.status()[3]!.lastError, 'cannot connect (ERR_TLS_CERT_ALTNAME_INVALID)');
});

test('H6 X11 a webhook receiver gets signed batches, in order, through an outage', async (t) => {
  let status = 204;
  const receiver = await webhookReceiver(t, SECRET, () => status);
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const feeds = settingsOf(t, [
    { name: 'hook', kind: 'webhook', address: `${receiver.origin}/in`, secretFile: 'secret' },
  ]);
  await writeEntries(database, signIns(300));
  const running = house.start(feeds, receiver.origin);
  await until(() => receiver.events.length === 300, 'the first 300');
  t.deepEqual(receiver.ids, ['hook_0_255', 'hook_256_299']);
  status = 503;
  await writeEntries(database, signIns(400));
  await until(async () => (await house.told()).length === 1, 'feed.failed');
  t.is(running.status()[0]?.lastError, 'HTTP 503');
  status = 429;
  await until(() => running.status()[0]?.lastError === 'HTTP 429', 'another try');
  t.is(running.status()[0]?.state, 'failing', 'too many requests is no refusal');
  status = 200;
  await until(() => receiver.events.length === 700, 'all of them');
  t.deepEqual(seqsOf(receiver.events), numbers(700));
  await until(async () => (await house.told()).length === 2, 'feed.recovered');
  t.is(receiver.badSignatures(), 0);
});

test.serial('X11 a receiver that hangs slows nobody', async (t) => {
  let released = false;
  const slow = await webhookReceiver(t, SECRET, async () => {
    while (!released) await new Promise((resolve) => setTimeout(resolve, 20));
    return 204;
  });
  const folder = temporaryFolder(t);
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const feeds = settingsOf(t, [
    { name: 'slow', kind: 'webhook', address: slow.origin, secretFile: 'secret' },
    { name: 'quick', kind: 'file', address: join(folder, 'out'), format: 'ocsf' },
  ]);
  await writeEntries(database, signIns(5000));
  const running = house.start(feeds, slow.origin);
  const startMs = monotonicMs();
  const writes: number[] = [];
  for (let n = 0; n < 100; n += 1) {
    const beforeMs = monotonicMs();
    await house.ledger.record({ type: 'sign-in.succeeded', personId: 'p_1', address: '192.0.2.1' });
    writes.push(monotonicMs() - beforeMs);
  }
  await house.sign();
  await until(() => running.status()[1]?.lastDeliveredSeq === 5099, 'the quick feed');
  t.log(
    `the slowest of 100 ledger writes took ${Math.max(...writes).toFixed(1)} ms, the copy ${Math.round(monotonicMs() - startMs)} ms`,
  );
  t.true(
    writes.sort((a, b) => a - b)[95]! < 1000,
    'whoever waited for the receiver would wait for its time-out of 5 s',
  );
  t.is(slow.events.length, 0);
  released = true;
  await until(() => firsts(slow.events).length === 5100, 'the slow feed');
  t.deepEqual(firsts(slow.events), numbers(5100));
});

test('X11 a batch has a limit in bytes as well', async (t) => {
  const receiver = await webhookReceiver(t, SECRET, anyBatch);
  const database = await sqliteDatabase(t);
  await writeEntries(database, Array(100).fill({ type: 'person.disabled', data: { reason: '通'.repeat(4000) } }));
  const feeds = settingsOf(t, [{ name: 'hook', kind: 'webhook', address: receiver.origin, secretFile: 'secret' }]);
  feedHouse(t, database).start(feeds, receiver.origin);
  await until(() => receiver.events.length === 100, 'all');
  t.deepEqual(seqsOf(receiver.events), numbers(100));
  t.true(Math.max(...receiver.sizes) <= 262_144 + 258, 'texts of 256 KiB and what stands between them');
  t.is(receiver.sizes.length, 5);
});

test('X11 one event that a receiver refuses is put aside, the others arrive', async (t) => {
  const refuses = (batch: Bodies) => (batch.some(({ corr }) => corr === 'poison') ? 422 : 204);
  const receiver = await webhookReceiver(t, SECRET, refuses);
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const feeds = settingsOf(t, [{ name: 'hook', kind: 'webhook', address: receiver.origin, secretFile: 'secret' }]);
  await writeEntries(database, [...signIns(100), { corr: 'poison' }, ...signIns(100)]);
  house.start(feeds, receiver.origin);
  await until(() => receiver.events.length === 200, 'the others');
  t.deepEqual(
    seqsOf(receiver.events),
    numbers(201).filter((seq) => seq !== 100),
  );
  t.is(receiver.events[100]?.previousSeq, 100, 'the receiver sees that one is missing');
  const letters = await database.all(
    'SELECT feed, first_seq, last_seq, reason, replayed_at FROM feed_dead_letters',
    [],
  );
  t.deepEqual(
    letters.map((row) => ({ ...(row as object) })),
    [{ feed: 'hook', first_seq: 100, last_seq: 100, reason: 'HTTP 422', replayed_at: null }],
  );
  t.deepEqual(await house.told(), ['feed.dead-letter']);
});

test('X11 a receiver that refuses everything does not make the ledger grow for ever', async (t) => {
  const receiver = await webhookReceiver(t, SECRET, () => 401);
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const feeds = settingsOf(t, [{ name: 'hook', kind: 'webhook', address: receiver.origin, secretFile: 'secret' }]);
  await writeEntries(database, signIns(1));
  house.start(feeds, receiver.origin);
  await until(async () => (await house.told()).length === 1, 'the dead letter');
  await house.sign();
  const dead = async () => (await database.all('SELECT id FROM feed_dead_letters', [])).length;
  await until(async () => (await dead()) === 2, 'the news of it is refused as well');
  t.deepEqual(await house.told(), ['feed.dead-letter']);
});

test('H6 a restart goes on where it stopped, and of two nodes one delivers', async (t) => {
  const receiver = await webhookReceiver(t, SECRET, anyBatch);
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const feeds = settingsOf(t, [{ name: 'hook', kind: 'webhook', address: receiver.origin, secretFile: 'secret' }]);
  await writeEntries(database, signIns(10));
  const nodes = [house.start(feeds, receiver.origin), house.start(feeds, receiver.origin)];
  await until(() => receiver.events.length === 10, 'ten');
  await until(() => nodes.some((node) => node.status()[0]?.state === 'standby'), 'the other stands by');
  const [working, waiting] =
    nodes[0]!.status()[0]!.state === 'standby' ? [nodes[1]!, nodes[0]!] : [nodes[0]!, nodes[1]!];
  await until(() => working.status()[0]?.lastDeliveredSeq === 9, 'the cursor');
  await working.stop();
  await writeEntries(database, signIns(10));
  await until(() => receiver.events.length === 20, 'the other takes over');
  await until(() => waiting.status()[0]?.lastDeliveredSeq === 19, 'the cursor');
  await waiting.stop();
  await writeEntries(database, signIns(10));
  house.start(feeds, receiver.origin);
  await until(() => receiver.events.length === 30, 'after a restart');
  t.deepEqual(seqsOf(receiver.events), numbers(30));
});

test('H6 X11 whoever takes over from a node that died begins with what that left in doubt', async (t) => {
  const receiver = await syslogReceiver(t);
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const feeds = settingsOf(t, [{ name: 'siem', kind: 'syslog', address: `tcp://127.0.0.1:${receiver.port}` }]);
  await writeEntries(database, signIns(10));
  const leaseUntilMs = nowMs() + 1500;
  const state = { ...BEGINNING, holder: 'dead', leaseUntilMs, lastSeq: 7, doubtFrom: 4, doubtPrevious: 3 };
  t.truthy(await replaceFeedCursor(database, 'siem', await ensureFeedCursor(database, 'siem'), { nextSeq: 8, state }));
  const running = house.start(feeds);
  await until(() => running.status()[0]?.state === 'standby', 'the lease of the dead');
  t.like(running.status()[0], { lagEvents: 2 });
  await until(() => receiver.messages.length === 6, 'six');
  t.true(nowMs() >= leaseUntilMs);
  t.deepEqual(seqsOf(receiver.bodies()), [4, 5, 6, 7, 8, 9]);
  t.is(receiver.bodies()[0]?.previousSeq, 3);
});

test('H6 only a feed that reveals tells addresses, and only what it filters leaves', async (t) => {
  const folder = temporaryFolder(t);
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  for (const type of ['sign-in.succeeded', 'sign-in.refused', 'personal-data.revealed'] as const) {
    const details = type === 'personal-data.revealed' ? { details: { reason: 'a complaint' } } : {};
    await house.ledger.record({ type, personId: 'p_9', address: '192.0.2.77', userAgent: 'Browser/1', ...details });
  }
  await house.sign();
  const running = house.start(
    settingsOf(t, [
      { name: 'open', kind: 'file', address: join(folder, 'open'), reveal: true },
      {
        name: 'closed',
        kind: 'file',
        address: join(folder, 'closed'),
        filter: { severityMin: 'warning', types: ['sign-in.', 'token.issued'] },
      },
    ]),
  );
  await until(
    () => running.status().every(({ lagEvents, state }) => lagEvents === 0 && state === 'delivering'),
    'both',
  );
  const read = (name: string) =>
    readFileSync(join(folder, name), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  t.deepEqual(
    read('open').map(({ ip, ua }) => [ip, ua]),
    Array(3).fill(['192.0.2.77', 'Browser/1']),
  );
  t.false(JSON.stringify(read('open')).includes('complaint'));
  t.deepEqual(
    read('closed').map(({ seq, ip }) => [seq, ip]),
    [[1, undefined]],
  );
});

test('H6 a file feed is for its owner alone, turns over, and mends a torn line', async (t) => {
  const folder = temporaryFolder(t);
  const out = join(folder, 'out');
  writeFileSync(out, '{"seq":-1}\n{"seq":', { mode: 0o600 });
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const feeds = settingsOf(t, [{ name: 'copy', kind: 'file', address: out, bytesMax: 1_048_576, filesMax: 3 }]);
  await writeEntries(database, signIns(9000, 'x'.repeat(100)));
  const running = house.start(feeds);
  await until(() => running.status()[0]?.lastDeliveredSeq === 8999, 'all');
  const read = (name: string) =>
    readFileSync(name, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).seq as number);
  const kept = [`${out}.2`, `${out}.1`, out].flatMap(read);
  t.deepEqual(kept, numbers(9000).slice(kept[0]!), 'what is kept is whole and in order');
  t.true(kept[0]! > 0);
  for (const name of [out, `${out}.1`]) {
    t.is(statSync(name).mode & 0o777, 0o600);
    t.true(statSync(name).size <= 1_048_576);
  }
  t.throws(() => statSync(`${out}.3`));
  const torn = join(folder, 'torn');
  writeFileSync(torn, '{"seq":-1}\n{"se', { mode: 0o600 });
  const second = house.start(
    settingsOf(t, [{ name: 'torn', kind: 'file', address: torn, filter: { types: ['audit.'] } }]),
  );
  await writeEntries(database, [{ type: 'audit.search' }]);
  await until(() => second.status()[0]?.lastDeliveredSeq === 9000, 'the one');
  t.deepEqual(read(torn), [-1, 9000]);
});
