import { spawnSync } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { writePrivateFile } from '../src/commands/private-file.ts';
import { csvLine } from '../src/ledger/auditing/csv.ts';
import { type AuditDesk, auditDesk, manySignIns, REASON, verdicts, writeSignIns } from './support/audit.ts';
import { type EngineTest, embeddedTest, postgresTest } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';

const ENGINES: readonly (readonly ['sqlite' | 'postgres', EngineTest])[] = [
  ['sqlite', embeddedTest],
  ['postgres', postgresTest],
];
const EXPORT = ['export', '--reason', REASON];

async function ledgerOf(
  t: ExecutionContext,
  count: number,
  engine: 'sqlite' | 'postgres' = 'sqlite',
): Promise<AuditDesk> {
  const desk = await auditDesk(t, engine);
  await desk.sign();
  for (let at = 0; at < count; at += 300) {
    await writeSignIns(desk.house, manySignIns(Math.min(300, count - at), at));
    await desk.sign();
  }
  return desk;
}

const linesOf = async (file: string): Promise<readonly Record<string, unknown>[]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

for (const [engine, engineTest] of ENGINES) {
  engineTest(
    `L15 ranges and chosen entries are exported with proofs that both verifiers accept (${engine})`,
    async (t) => {
      const desk = await ledgerOf(t, 700, engine);
      const { audit, file, house } = desk;
      const whole = await audit([...EXPORT, '--out', file('whole.jsonl'), '--json']);
      t.is(whole.code, 0, whole.stderr);
      const said = JSON.parse(whole.stdout);
      t.like(said, { kind: 'range', from: 0, count: said.to });
      t.false(
        (await readFile(file('whole.jsonl'), 'utf8')).includes('"openings"'),
        'nothing personal unless asked for',
      );
      t.true((await verdicts(desk, 'whole.jsonl')).every((code) => code === 0));

      t.is(
        (await audit([...EXPORT, '--from-seq', '100', '--to-seq', '513', '--open', '--out', file('part.jsonl')])).code,
        0,
      );
      const part = await linesOf(file('part.jsonl'));
      t.like(part[0], { kind: 'range', from: 100, to: 513 });
      t.true(part.some(({ openings }) => openings !== undefined));
      t.true((await verdicts(desk, 'part.jsonl')).every((code) => code === 0));

      t.is((await audit([...EXPORT, '--person-id', 'p_3', '--open', '--out', file('p3.jsonl')])).code, 0);
      const records = await linesOf(file('p3.jsonl'));
      t.is(records[0]?.kind, 'records');
      const entries = records.filter(({ seq }) => seq !== undefined);
      t.is(entries.length, 70);
      t.true(entries.every(({ entry, proof }) => String(entry).includes('"subject":"p_3"') && Array.isArray(proof)));
      t.true((await verdicts(desk, 'p3.jsonl')).every((code) => code === 0));

      const edited = (await readFile(file('p3.jsonl'), 'utf8')).replace('"acr\\":\\"ial1\\"', '"acr\\":\\"ial2\\"');
      await writeFile(file('edited.jsonl'), edited);
      t.true((await verdicts(desk, 'edited.jsonl')).every((code) => code === 1));

      const events = await ledgerEntries(house.database, 'audit.export');
      t.deepEqual(
        events.map(({ data: { from, to, count, format, opened } }) => [from, to, count, format, opened]),
        [
          [0, said.to, said.to, 'range', false],
          [100, 513, 413, 'range', true],
          [entries[0]?.seq, Number(entries.at(-1)?.seq) + 1, 70, 'records', true],
        ],
      );
      t.is((await ledgerEntries(house.database, 'personal-data.revealed')).length, 2);
    },
  );
}

test('L15 a time alone chooses a range, and a filter that nothing meets gives a file that says so', async (t) => {
  const desk = await ledgerOf(t, 20);
  const { audit, file } = desk;
  t.is((await audit([...EXPORT, '--from', '2020-01-01', '--to', '2099-01-01', '--out', file('time.jsonl')])).code, 0);
  t.is((await linesOf(file('time.jsonl')))[0]?.kind, 'range');
  t.is((await audit([...EXPORT, '--client', 'nobody', '--out', file('none.jsonl')])).code, 0);
  t.like((await linesOf(file('none.jsonl')))[0], { kind: 'records', from: 0, to: 0 });
  t.true((await verdicts(desk, 'none.jsonl')).every((code) => code === 0));
  t.is((await audit([...EXPORT, '--to', '2020-01-01', '--out', file('past.jsonl')])).code, 1);
  t.is((await audit([...EXPORT, '--from-seq', '9', '--to-seq', '9', '--out', file('x.jsonl')])).code, 2);
  t.is((await audit([...EXPORT, '--to-seq', '99999', '--out', file('x.jsonl')])).code, 1);
  t.is((await audit(['export', '--out', file('x.jsonl')])).code, 2, 'a reason is demanded');
  t.is((await audit(EXPORT)).code, 2, 'a file is demanded');
});

test('L15 a file is its owner’s alone, whole or not there, and never replaced unasked', async (t) => {
  const desk = await ledgerOf(t, 20);
  const { audit, file, folder, house } = desk;
  await writeFile(file('mine.jsonl'), 'mine');
  const refused = await audit([...EXPORT, '--out', file('mine.jsonl')]);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /--force replaces it/);
  t.is(await readFile(file('mine.jsonl'), 'utf8'), 'mine');
  t.is((await ledgerEntries(house.database, 'audit.export')).length, 0, 'nothing went out, nothing is on record');
  t.is((await audit([...EXPORT, '--out', file('mine.jsonl'), '--force'])).code, 0);
  t.is((await stat(file('mine.jsonl'))).mode & 0o777, 0o600);

  async function* broken(): AsyncGenerator<string> {
    yield 'a beginning';
    throw new Error('the disk is full');
  }
  await t.throwsAsync(writePrivateFile(file('broken'), broken()), { message: 'the disk is full' });
  t.deepEqual(
    (await readdir(folder)).filter((name) => name.includes('broken')),
    [],
  );
  const both = await Promise.all(['first', 'second'].map((text) => writePrivateFile(file('raced'), [text])));
  t.deepEqual(both.toSorted(), ['exists', 'written']);

  await house.database.run(
    `CREATE TRIGGER refuse BEFORE INSERT ON ledger_entries WHEN NEW.entry LIKE '%audit.export%'
     BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`,
    [],
  );
  t.is((await audit([...EXPORT, '--out', file('unrecorded.jsonl')])).code, 1);
  t.deepEqual(
    (await readdir(folder)).filter((name) => name.includes('unrecorded')),
    [],
  );
});

test('L15 an export whose record cannot be signed is not written', async (t) => {
  const { audit, file, folder, house } = await ledgerOf(t, 20);
  await house.database.run(
    `CREATE TRIGGER refuse BEFORE INSERT ON ledger_checkpoints BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`,
    [],
  );
  t.is((await audit([...EXPORT, '--out', file('unsigned.jsonl')])).code, 1);
  t.false((await readdir(folder)).includes('unsigned.jsonl'));
});

test('L15 a table does nothing when a spreadsheet opens it', async (t) => {
  const desk = await auditDesk(t);
  const { audit, file, house } = desk;
  const hostile = ['=cmd|x', '+1', '-1', '@SUM(A1)', '\t=1', '＝1', '＠x', ' =1', '\r=1'];
  await writeSignIns(house, [
    ...hostile.map((userAgent, at) => ({ personId: `p_${at}`, userAgent })),
    { personId: 'p_calm', userAgent: 'He said "hello", then left\nfor good' },
  ]);
  t.is((await audit([...EXPORT, '--format', 'csv', '--open', '--out', file('a.csv')])).code, 0);
  const text = await readFile(file('a.csv'), 'utf8');
  t.true(text.startsWith('\uFEFF"seq"'));
  const python = spawnSync(
    'python3',
    [
      '-c',
      "import csv,json,sys; print(json.dumps(list(csv.DictReader(open(sys.argv[1],encoding='utf-8-sig',newline='')))))",
      file('a.csv'),
    ],
    { encoding: 'utf8' },
  );
  t.is(python.status, 0, python.stderr);
  const rows = JSON.parse(python.stdout) as readonly Record<string, string>[];
  const agents = rows.filter(({ type }) => type === 'sign-in.succeeded').map(({ ua }) => ua ?? '');
  t.deepEqual(agents, [...hostile.map((agent) => `'${agent}`), 'He said "hello", then left\nfor good']);
  t.true(rows.every((row) => Object.values(row).every((cell) => !/^[\s]*[=+\-@＝＋－＠]/.test(cell))));
  t.is(csvLine([7, 'a"b']), '"7","a""b"\r\n');

  t.is((await audit([...EXPORT, '--format', 'csv', '--out', file('sealed.csv')])).code, 0);
  t.false((await readFile(file('sealed.csv'), 'utf8')).includes('hello'));
});

test('L15 nothing an export needs is left out when an entry is missing', async (t) => {
  const desk = await ledgerOf(t, 20);
  const { audit, file, house, folder } = desk;
  await house.database.run('DELETE FROM ledger_entries WHERE seq = 5', []);
  const refused = await audit([...EXPORT, '--out', file('gap.jsonl')]);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /missing/);
  t.false((await readdir(folder)).includes('gap.jsonl'));
});
