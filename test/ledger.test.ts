import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { canonicalEntry, commitment, isCommitment, type LedgerEntry, parseEntry } from '../src/ledger/entry.ts';
import { EVENTS } from '../src/ledger/events.ts';
import { createFailures } from '../src/ledger/flood.ts';
import type { LedgerEvent } from '../src/ledger/ledger.ts';
import type { StoredEntry } from '../src/ledger/reader.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { postgresDatabase, postgresSchema, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries, testLedger } from './support/ledger.ts';

const SIGN_IN: LedgerEvent = {
  type: 'sign-in.succeeded',
  personId: 'psn_1',
  clientId: 'hall',
  address: '192.0.2.7',
  userAgent: 'Mozilla/5.0 (synthetic)',
  correlation: 'r1',
  details: { amr: ['pwd'], acr: 'urn:x:1', device: 'new' },
};

const ENTRY: LedgerEntry = {
  v: 1,
  ts: '2026-01-01T00:00:00.000Z',
  node: 'n1',
  type: 'server.started',
  outcome: 'success',
  actor: 'system',
  subject: null,
  client: null,
  ip: null,
  ua: null,
  corr: null,
  data: {},
};

async function stored(database: Database, seq: number): Promise<StoredEntry> {
  const row = await database.get<{ entry: string; key_id: string | null; openings: Uint8Array | null }>(
    'SELECT entry, key_id, openings FROM ledger_entries WHERE seq = $1',
    [seq],
  );
  return { seq, entry: row!.entry, keyId: row!.key_id, openings: row!.openings };
}

test('every event of the catalogue is written somewhere, and every written one is in the catalogue', (t) => {
  const root = join(import.meta.dirname, '..', 'src');
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => name.endsWith('.ts') && !/ledger\/events\.ts$|monitoring\/watch\/rules|web\/messages|trail/.test(name),
    )
    .map((name) => readFileSync(join(root, name), 'utf8'))
    .join('\n');
  t.deepEqual(
    Object.keys(EVENTS).filter((type) => !sources.includes(`'${type}'`)),
    [],
  );
});

test('H5 L2 an address and a browser stand in the ledger as commitments that only the subject’s key opens', async (t) => {
  const database = await sqliteDatabase(t);
  const { record, reader, openings } = testLedger(database);
  await record(SIGN_IN);
  await record({ ...SIGN_IN, personId: 'psn_2' });
  const entry = await stored(database, 0);
  t.false(entry.entry.includes('192.0.2.7') || entry.entry.includes('Mozilla'));
  t.false(Buffer.from(entry.openings!).includes('192.0.2.7'));
  const parsed = parseEntry(entry.entry)!;
  t.true(isCommitment(parsed.ip) && isCommitment(parsed.ua));
  t.deepEqual(await reader.open(entry), { ip: '192.0.2.7', ua: 'Mozilla/5.0 (synthetic)' });
  const opening = (await reader.openings(entry)).get('ip')!;
  t.is(commitment('ip', Buffer.from(opening.salt, 'base64'), opening.value), parsed.ip ?? '');

  const other = await stored(database, 1);
  t.not(parseEntry(other.entry)!.ip, parsed.ip, 'the same address twice cannot be told from two addresses');
  t.deepEqual(
    await reader.open({ ...entry, openings: other.openings, keyId: other.keyId }),
    {},
    'pasted openings open nothing',
  );

  t.true(await database.write((tx) => openings.erase(tx, 'psn_1')));
  t.deepEqual(await reader.open(entry), {}, 'erased for good');
  t.deepEqual(await reader.open(other), { ip: '192.0.2.7', ua: 'Mozilla/5.0 (synthetic)' }, 'and nobody else with it');
  await record(SIGN_IN);
  t.deepEqual(await reader.open(await stored(database, 2)), { ip: '192.0.2.7', ua: 'Mozilla/5.0 (synthetic)' });
});

test('L2 the key of a person that was made in a write which is undone seals nothing afterwards', async (t) => {
  const database = await sqliteDatabase(t);
  const { append, record, reader } = testLedger(database);
  const telling = (outcome: 'written' | 'undone') =>
    database.write(async (tx) => {
      await append(tx, SIGN_IN);
      await append(tx, SIGN_IN);
      if (outcome === 'undone') throw new Error('undone');
    });
  // All in one group: each has a savepoint of its own.
  const outcomes = await Promise.allSettled([
    telling('undone'),
    telling('undone'),
    telling('written'),
    telling('undone'),
  ]);
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled', 'rejected'],
  );
  await t.throwsAsync(telling('undone'));
  await record(SIGN_IN);
  for (const seq of [0, 1, 2]) {
    t.deepEqual(await reader.open(await stored(database, seq)), { ip: '192.0.2.7', ua: 'Mozilla/5.0 (synthetic)' });
  }
});

test('L8 an event of a transaction that fails is not there, and numbers have no gaps', async (t) => {
  const database = await sqliteDatabase(t);
  const { append, record } = testLedger(database);
  const attempts = Array.from({ length: 30 }, (_, at) =>
    database
      .write(async (tx) => {
        await append(tx, { ...SIGN_IN, correlation: `r${at}` });
        if (at % 3 === 0) throw new Error('taken back');
      })
      .catch(() => undefined),
  );
  await Promise.all(attempts);
  await record(SIGN_IN);
  const rows = await database.all<{ seq: number }>('SELECT seq FROM ledger_entries ORDER BY seq', []);
  t.deepEqual(
    rows.map(({ seq }) => seq),
    Array.from({ length: 21 }, (_, at) => at),
  );
  t.false((await ledgerEntries(database)).some(({ corr }) => corr === 'r0' || corr === 'r27'));
});

test('an event can say only what the catalogue allows, and no more than an entry holds', async (t) => {
  const database = await sqliteDatabase(t);
  const { record } = testLedger(database);
  await t.throwsAsync(record({ type: 'token.revoked', details: { secret: 'x' } }), { message: /no detail secret/ });
  await record({ type: 'server.stopped', details: { signal: `${'长'.repeat(5000)}\ud800` } });
  const [entry] = await ledgerEntries(database);
  t.true(String(entry!.data.signal).length === 1024 && String(entry!.data.signal).isWellFormed());
  t.throws(() => canonicalEntry({ ...ENTRY, data: { text: 'x'.repeat(17_000) } }));
});

test('L1 an entry is read back only in its one canonical form', (t) => {
  const text = canonicalEntry({ ...ENTRY, data: { b: 'é\u2028"\\', a: ['x', 'y'], 序: 3 } });
  t.true(text.startsWith('{"actor":"system","client":null,"corr":null,"data":{"a":["x","y"],"b":'));
  t.deepEqual(parseEntry(text)?.data, { a: ['x', 'y'], b: 'é\u2028"\\', 序: 3 });
  const others = [
    text.replace('"v":1', '"v":2'),
    text.replace('"v":1', '"v":1.0'),
    `${text} `,
    text.replace('{"actor"', '{ "actor"'),
    text.replace('"ip":null,', ''),
    text.replace('"ip":null', '"ip":null,"ip":null'),
    text.replace('.000Z', 'Z'),
    text.replace('"success"', '"maybe"'),
    text.replace('"corr":null', '"corr":7'),
    text.replace('"a":["x","y"]', '"a":{"x":1}'),
    '[]',
    'null',
    '',
  ];
  for (const other of others) t.is(parseEntry(other), undefined, other);
});

async function flood(database: Database) {
  const { append, record } = testLedger(database);
  const failures = createFailures({ ledger: { append, record }, write: (work) => database.write(work), flushMs: 20 });
  const refused: LedgerEvent = {
    type: 'sign-in.refused',
    outcome: 'failure',
    actor: 'anonymous',
    address: '198.51.100.9',
    details: { reason: 'mismatch', factor: 'password' },
  };
  const answered = async (events: readonly LedgerEvent[]): Promise<number> => {
    await Promise.all(events.map((event) => failures.record(event)));
    const entries = await ledgerEntries(database, 'sign-in.refused');
    return entries.reduce((sum, { data }) => sum + Number(data.repeated ?? 1), 0);
  };
  return { failures, refused, answered };
}

async function floodIsCounted(t: ExecutionContext, database: Database): Promise<void> {
  const { refused, answered } = await flood(database);
  const events = Array.from({ length: 2000 }, (_, at) => ({
    ...refused,
    personId: `psn_${at % 3}`,
    correlation: `r${at}`,
  }));
  t.is(await answered(events), 2000, 'nobody is answered before the count is written');
  const entries = await ledgerEntries(database, 'sign-in.refused');
  t.is(entries.filter(({ data }) => data.repeated === undefined).length, 10);
  t.true(entries.length <= 20, `${entries.length} entries`);
  const counted = entries.filter(({ data }) => data.repeated !== undefined);
  t.true(counted.every(({ data, corr, ua }) => data.reason === 'mismatch' && corr === null && ua === null));
  t.deepEqual([...new Set(counted.map(({ subject }) => subject))].sort(), ['psn_0', 'psn_1', 'psn_2']);
}

const FLOOD = 'L12 two thousand failures from one address are a handful of entries that count them all';
test(FLOOD, async (t) => floodIsCounted(t, await sqliteDatabase(t)));
postgresTest(`${FLOOD} (PostgreSQL)`, async (t) => floodIsCounted(t, await postgresDatabase(t)));

test('L12 another address is still written singly while one floods, and so is another kind of failure', async (t) => {
  const database = await sqliteDatabase(t);
  const { failures, refused, answered } = await flood(database);
  await answered(Array.from({ length: 50 }, () => refused));
  await failures.record({ ...refused, address: '203.0.113.5', correlation: 'mine' });
  await failures.record({
    type: 'registration.refused',
    outcome: 'failure',
    address: '198.51.100.9',
    correlation: 'other',
  });
  const correlations = (await ledgerEntries(database)).map(({ corr }) => corr);
  t.true(correlations.includes('mine') && correlations.includes('other'));
});

test('L12 one IPv6 network is one sender, and counts that wait are written before the house closes', async (t) => {
  const database = await sqliteDatabase(t);
  const { failures, refused } = await flood(database);
  const addresses = Array.from({ length: 40 }, (_, at) => `2001:db8:1:2::${at.toString(16)}`);
  const answers = addresses.map((address) => failures.record({ ...refused, address }));
  await failures.settle();
  const entries = await ledgerEntries(database, 'sign-in.refused');
  t.is(entries.filter(({ data }) => data.repeated === undefined).length, 10);
  t.is(
    entries.reduce((sum, { data }) => sum + Number(data.repeated ?? 1), 0),
    40,
  );
  await Promise.all(answers);
});

postgresTest('L2 a key that another node destroyed opens nothing that is written afterwards', async (t) => {
  const url = await postgresSchema(t);
  const [one, other] = [await openDatabase({ url }), await openDatabase({ url })];
  for (const node of [one, other]) t.teardown(() => node.close());
  const [here, there] = [testLedger(one), testLedger(other)];
  const event = {
    type: 'sign-in.refused',
    personId: 'p',
    address: '198.51.100.7',
    details: { reason: 'secret' },
  } as const;
  await here.record(event);
  const keyIds = async (): Promise<readonly string[]> =>
    (await one.all<{ key_id: string }>('SELECT key_id FROM ledger_inbox ORDER BY id', [])).map((row) => row.key_id);
  const [first] = await keyIds();
  t.true(await other.write((tx) => there.openings.erase(tx, 'p')));
  // The key is still in the memory of the first node, and its neighbours of the same moment are not held up by it.
  await Promise.all([here.record(event), here.record({ ...event, personId: 'q' }), here.record(event)]);
  const later = (await keyIds()).slice(1);
  t.is(later.length, 3);
  t.false(later.includes(first!));
  const standing = (await one.all<{ id: string }>('SELECT id FROM ledger_subject_keys', [])).map(({ id }) => id);
  t.true(later.every((id) => standing.includes(id)));
  t.is(standing.length, 2);
});
