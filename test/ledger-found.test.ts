import type { ExecutionContext } from 'ava';
import { removeEntries } from '../src/ledger/auditing/removal.ts';
import type { LedgerEvent } from '../src/ledger/ledger.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { type TestLedger, testLedger } from './support/ledger.ts';
import { seededRandom } from './support/seeded-random.ts';
import { storedEntries, testSequencer } from './support/sequencer-tree.ts';

const ENGINES = [
  { engine: 'sqlite', engineTest: embeddedTest, open: sqliteDatabase },
  { engine: 'postgres', engineTest: postgresTest, open: postgresDatabase },
] as const;
const PEOPLE = ['p_0', 'p_1', 'p_2', 'p_3'];
const ADDRESSES = ['192.0.2.0', '192.0.2.1', '192.0.2.2'];
/** Steps that end within a tile, with it, and beyond it. */
const STEPS = [1, 2, 40, 300, 5, 7, 190, 1];
const TILE = 256;

/** What happened, in the order it was written; the position is the number. */
async function mixedLedger(t: ExecutionContext, database: Database): Promise<[TestLedger, readonly LedgerEvent[]]> {
  const ledger = testLedger(database);
  const sequencer = testSequencer(t, { database });
  const random = seededRandom(7);
  const events: LedgerEvent[] = [];
  for (const count of STEPS) {
    await database.write(async (tx) => {
      for (let n = 0; n < count; n += 1) {
        const who = { personId: random.pick([...PEOPLE, undefined]), address: random.pick(ADDRESSES) };
        const event: LedgerEvent = { ...who, type: random.below(3) === 0 ? 'token.issued' : 'sign-in.succeeded' };
        await ledger.append(tx, event);
        events.push(event);
      }
    });
    await sequencer.settle();
  }
  return [ledger, events];
}

/** Gives what is found by one key a row for each entry, as versions before wrote them. */
async function likeBefore(database: Database, key: string): Promise<void> {
  const of = 'FROM ledger_index WHERE key = $1';
  const rows = await database.all<{ kind: string; seq: number; seqs: string | null; tokens: string | null }>(
    `SELECT kind, seq, seqs, tokens ${of}`,
    [key],
  );
  await database.write(async (tx) => {
    await tx.run(`DELETE ${of}`, [key]);
    for (const { kind, seq, seqs, tokens } of rows) {
      const single = (seqs ?? String(seq)).split(',').map((one) => [kind, key, Number(one)]);
      const issued = (tokens?.split(',') ?? []).map((one) => ['token', key, Number(one)]);
      for (const row of [...single, ...issued]) {
        await tx.run('INSERT INTO ledger_index (kind, key, seq) VALUES ($1, $2, $3)', row);
      }
    }
  });
}

/** Every page of what is found, put together. */
async function pages(
  read: (before: number | undefined) => Promise<readonly { readonly seq: number }[]>,
): Promise<readonly number[]> {
  const seqs: number[] = [];
  for (;;) {
    const page = await read(seqs.at(-1));
    if (page.length === 0) return seqs;
    seqs.push(...page.map(({ seq }) => seq));
  }
}

async function isFound(
  t: ExecutionContext,
  { reader }: TestLedger,
  events: readonly LedgerEvent[],
  from: number,
): Promise<void> {
  const where = (matches: (event: LedgerEvent) => boolean): readonly number[] =>
    events.flatMap((event, seq) => (seq >= from && matches(event) ? [seq] : [])).reverse();
  for (const limit of [1, 3, 64, 1000]) {
    for (const person of PEOPLE) {
      const all = where(({ personId }) => personId === person);
      const acts = where(({ personId, type }) => personId === person && type !== 'token.issued');
      t.deepEqual(await pages((before) => reader.subjectEntries(person, before, limit)), all);
      t.deepEqual(await pages((before) => reader.subjectEntries(person, before, limit, 'without_tokens')), acts);
    }
    for (const from of ADDRESSES) {
      const all = where(({ address }) => address === from);
      t.deepEqual(await pages((before) => reader.addressEntries(from, before, limit)), all);
    }
  }
}

for (const { engine, engineTest, open } of ENGINES) {
  engineTest(
    `L15 people and addresses are found whole, page by page, in whatever steps they came (${engine})`,
    async (t) => {
      const database = await open(t);
      const [ledger, events] = await mixedLedger(t, database);
      t.is((await storedEntries(database)).length, events.length);
      await isFound(t, ledger, events, 0);
      await likeBefore(database, 'p_3');
      await isFound(t, ledger, events, 0);
      await database.write((tx) => removeEntries(tx, engine, { start: 0, end: TILE }));
      await isFound(t, ledger, events, TILE);
      const left = await database.all('SELECT seq FROM ledger_index WHERE seq < $1', [TILE]);
      t.deepEqual(left, [], 'nobody is found by what is gone');
    },
  );
}

embeddedTest('L15 one row finds what one step says of a person', async (t) => {
  const database = await sqliteDatabase(t);
  const ledger = testLedger(database);
  const sequencer = testSequencer(t, { database });
  await sequencer.settle();
  await database.write(async (tx) => {
    for (const type of ['sign-in.succeeded', 'portal.entered', 'token.issued'] as const) {
      await ledger.append(tx, { type, personId: 'p_0' });
    }
  });
  await sequencer.settle();
  const rows = await database.all('SELECT kind, key, seq, seqs, tokens FROM ledger_index WHERE seq >= $1', [0]);
  t.deepEqual(
    rows.map((row) => ({ ...(row as object) })),
    [{ kind: 'subject', key: 'p_0', seq: 2, seqs: '0,1', tokens: '2' }],
  );
});
