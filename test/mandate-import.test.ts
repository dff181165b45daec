import test from 'ava';
import { readCsv } from '../src/legal-persons/csv-reading.ts';
import { endOfDay, readMandateFile } from '../src/legal-persons/mandate-rows.ts';
import { postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { legalRoom, PEOPLE, PORTAL } from './support/legal-persons.ts';

const HEAD = 'name,document_type,document_number,matters,portals,valid_until';
const file = (...lines: readonly string[]): Buffer => Buffer.from(`${[HEAD, ...lines].join('\r\n')}\r\n`);
const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

/** A number of the region that was never assigned, with its check character. */
function numberAt(place: number): string {
  const digits = `33990019800101${String(place).padStart(3, '0')}`;
  const sum = [...digits].reduce((total, digit) => (total + Number(digit)) * 2, 0);
  return digits + '10X98765432'[sum % 11];
}

test('tables are read strictly, in the encodings of spreadsheets', (t) => {
  const limits = { bytesMax: 1000, recordsMax: 10 };
  const read = (text: string | Buffer) => {
    const outcome = readCsv(Buffer.from(text), limits);
    return outcome.ok
      ? outcome.records.map(({ line, cells }) => [line, ...cells])
      : `${outcome.reason} ${outcome.line}`;
  };
  t.deepEqual(read('a,b\r\n1,2\r\n'), [
    [1, 'a', 'b'],
    [2, '1', '2'],
  ]);
  t.deepEqual(read('\ufeffa,b\n\n"1,""x""\n",2'), [
    [1, 'a', 'b'],
    [3, '1,"x"', '2'],
  ]);
  t.deepEqual(read('"a\nb",c\nd,e'), [
    [1, 'a\nb', 'c'],
    [3, 'd', 'e'],
  ]);
  t.deepEqual(read(Buffer.from([0xd0, 0xd5, 0xc3, 0xfb, 0x2c, 0x31])), [[1, '姓名', '1']]);
  t.is(read('a,"b'), 'quotes 1');
  t.is(read('a,b\nc,d"e'), 'quotes 2');
  t.is(read('a,"b"c'), 'quotes 1');
  t.is(read('a\rb'), 'line_break 1');
  t.is(read(Buffer.from([0xff, 0xff])), 'encoding 0');
  t.is(read('x'.repeat(1001)), 'too_large 0');
  t.is(read('x\n'.repeat(12)), 'too_many_rows 11');
});

test('a file of agents is read whole, and every fault has its line and its column, and no value', (t) => {
  t.is(endOfDay('2030-02-28'), Date.parse('2030-03-01T00:00:00+08:00') / 1000);
  t.is(endOfDay('2030-02-29'), undefined);
  const number = PEOPLE.agent.idNumber;
  const read = readMandateFile(
    file(
      `陈雨桐,,${number},tax;registration,,2030/1/5`,
      ` ,,${number},tax,,`,
      `陈雨桐,,${number.slice(0, 17)}0,tax,,`,
      `陈雨桐,driving_licence,${number},tax,,`,
      `陈雨桐,身份证,${number},,,`,
      `陈雨桐,,${number},tax,,2030-13-01`,
      `陈雨桐,,${number},registration、tax,,`,
      '陈雨桐,only,three',
    ),
  );
  t.deepEqual(read.wishes[0]?.matters, ['registration', 'tax']);
  t.deepEqual(read.faults, [
    { line: 3, column: 'name', reason: 'name' },
    { line: 4, column: 'document_number', reason: 'check_character' },
    { line: 5, column: 'document_type', reason: 'unknown_type' },
    { line: 6, column: 'matters', reason: 'no_matter' },
    { line: 7, column: 'valid_until', reason: 'date' },
    { line: 8, column: '', reason: 'duplicate' },
    { line: 9, column: '', reason: 'cells' },
  ]);
  t.false(JSON.stringify(read.faults).includes(number));
  const chinese = readMandateFile(Buffer.from(`姓名,证件号码,事项\n陈雨桐,${number},tax`));
  t.is(chinese.wishes.length, 1);
  for (const text of ['name,matters', 'name,document_number,matters,salary', 'name,name,document_number,matters', ''])
    t.is(readMandateFile(Buffer.from(`${text}\nx,y,z`)).faults[0]?.reason, text === '' ? 'header' : 'header');
  t.is(readMandateFile(file()).faults[0]?.reason, 'empty');
});

test('F3 a file of agents is granted whole or not at all; tried first, and imported again without harm', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const by = { personId, operator: 'ops' };
  const run = (content: Buffer, dryRun = false) => room.mandates.importFile({ legalPersonId, content, dryRun }, by);
  const good = file(
    ...Array.from({ length: 50 }, (_, at) => `测试${at},,${numberAt(at)},tax,,${inDays(20)}`),
    `陈雨桐,,${PEOPLE.agent.idNumber},tax registration,${PORTAL},`,
  );
  const granted = async (): Promise<number> => (await room.mandates.ofCompany(legalPersonId)).length;
  t.like(await run(good, true), { ok: true, dryRun: true, lines: 51, granted: 51, unchanged: 0, importId: undefined });
  t.is(await granted(), 0, 'a dry run leaves nothing');
  t.is((await ledgerEntries(room.database, 'mandate.granted')).length, 0);

  const bad = Buffer.concat([
    good,
    Buffer.from(`王小明,,${PEOPLE.representative.idNumber},tax,,\r\n孙丽,,${PEOPLE.stranger.idNumber},nothing,,\r\n`),
  ]);
  const refused = await run(bad);
  t.like(refused, { ok: false, granted: 0, faultCount: 2 });
  t.deepEqual(
    refused.faults.map(({ line, reason }) => [line, reason]),
    [
      [53, 'self'],
      [54, 'unknown_matter'],
    ],
  );
  t.is(await granted(), 0, 'nothing half done');

  const done = await run(good);
  t.like(done, { ok: true, granted: 51, unchanged: 0 });
  t.regex(done.importId ?? '', /^imp_/);
  t.is(await granted(), 51);
  const entries = await ledgerEntries(room.database, 'mandate.granted');
  t.true(
    entries.every(
      ({ actor, data }) => actor === 'operator:ops' && data.grantor === personId && data.import === done.importId,
    ),
  );
  t.like(await run(good), { ok: true, granted: 0, unchanged: 51, importId: undefined });
  const later = file(`测试0,,${numberAt(0)},tax,,${inDays(25)}`);
  t.deepEqual((await run(later)).faults, [{ line: 2, column: '', reason: 'other_dates' }]);
  const stranger = await room.add('stranger');
  const foreign = await room.mandates.importFile(
    { legalPersonId, content: good, dryRun: false },
    { personId: stranger },
  );
  t.deepEqual(foreign.faults, [{ line: 2, column: '', reason: 'not_entitled' }]);
});

test('a thousand agents fit into one file and one transaction, and no more', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const lines = Array.from({ length: 1000 }, (_, at) => `测试${at},,${numberAt(at)},tax,,`);
  t.like(await room.mandates.importFile({ legalPersonId, content: file(...lines), dryRun: false }, { personId }), {
    ok: true,
    granted: 1000,
  });
  const more = await room.mandates.importFile(
    { legalPersonId, content: file(...lines, ...lines), dryRun: true },
    { personId },
  );
  t.is(more.faults[0]?.reason, 'too_many_rows');
});

postgresTest('F3 two imports of one file at once grant each agent once (PostgreSQL)', async (t) => {
  const room = legalRoom(await postgresDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const content = file(...Array.from({ length: 40 }, (_, at) => `测试${at},,${numberAt(at)},tax,,`));
  const reports = await Promise.all(
    [1, 2].map(() => room.mandates.importFile({ legalPersonId, content, dryRun: false }, { personId })),
  );
  t.true(reports.every(({ ok }) => ok));
  t.is(
    reports.reduce((sum, { granted }) => sum + granted, 0),
    40,
  );
  t.is((await room.mandates.ofCompany(legalPersonId)).length, 40);
});
