import { readFile, stat, writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { parseIdNumber } from '../src/people/id-number.ts';
import { type AuditDesk, auditDesk, commandLine, configFor, OPERATOR, REASON, writeSignIns } from './support/audit.ts';
import { ledgerEntries } from './support/ledger.ts';
import { startServer, WANG } from './support/server.ts';

const PASSWORD = 'canary correct horse battery';
const SEARCH = ['search', '--reason', REASON];
const ADDRESS = '203.0.113.77';

/** Wang with a password, three sign-ins, and somebody else's. */
async function people(t: ExecutionContext): Promise<AuditDesk & { readonly wang: string }> {
  const desk = await auditDesk(t);
  const { house } = desk;
  const number = parseIdNumber(WANG.idNumber);
  if (!number.ok) throw new Error(number.reason);
  const outcome = await house.persons.add({ idNumber: number.number, name: WANG.name, ial: 1, origin: 'test' });
  if (!outcome.ok) throw new Error(outcome.reason);
  const wang = outcome.person.id;
  await writeSignIns(house, [
    { personId: wang, address: ADDRESS, userAgent: 'Firefox on a train' },
    { personId: wang, address: ADDRESS, failed: true, clientId: 'city' },
    { personId: 'p_other', address: '198.51.100.1', clientId: 'tax' },
    { personId: wang, address: '198.51.100.1' },
  ]);
  return { ...desk, wang };
}

interface Line {
  readonly seq: number;
  readonly entry: { readonly type: string };
  readonly opened: { readonly ip: { readonly state: string } };
}

const linesOf = (text: string): readonly Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

test('L15 a search by ID number finds everything about the person; the number comes by standard input alone', async (t) => {
  const { audit, house, wang } = await people(t);
  const found = await audit([...SEARCH, '--person', '--json'], `${WANG.idNumber}\n`);
  t.is(found.code, 0, found.stderr);
  t.deepEqual(
    linesOf(found.stdout).map(({ entry }) => entry.type),
    ['person.added', 'sign-in.succeeded', 'sign-in.refused', 'sign-in.succeeded'],
  );
  const [event] = await ledgerEntries(house.database, 'audit.search');
  t.like(event, { actor: `operator:${OPERATOR}`, subject: wang });
  t.deepEqual(event?.data.filters, ['person']);
  t.is(event?.data.matches, 4);
  t.regex(String(event?.data.reason), /^c:/, 'the reason may name people and is sealed');

  for (const args of [
    ['--person-id', WANG.idNumber],
    ['--client', '33990019900101101４'],
    ['--reason', `about ${WANG.idNumber}`],
    ['--person', WANG.idNumber],
  ]) {
    const refused = await audit([...SEARCH, ...args], '');
    t.is(refused.code, 2);
    t.regex(refused.stderr, /does not belong on a command line/);
    t.false(refused.stderr.includes('19900101'));
  }
});

test('L15 without a reason nothing is searched, and what cannot be recorded is not shown', async (t) => {
  const { audit, house } = await people(t);
  for (const args of [['search'], ['search', '--reason', 'short'], ['search', '--reason', 'x'.repeat(501)]]) {
    t.is((await audit(args)).code, 2);
  }
  t.is((await ledgerEntries(house.database, 'audit.search')).length, 0);
  await house.database.run(
    `CREATE TRIGGER refuse BEFORE INSERT ON ledger_entries WHEN NEW.entry LIKE '%audit.search%'
     BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`,
    [],
  );
  const unrecorded = await audit([...SEARCH, '--open']);
  t.is(unrecorded.code, 1);
  t.regex(unrecorded.stderr, /the disk is full/);
  t.is(unrecorded.stdout, '');
});

test('L15 filters narrow a search: portal, type, outcome, address, time, number', async (t) => {
  const { audit, wang } = await people(t);
  const seqs = async (...args: string[]): Promise<readonly number[]> => {
    const found = await audit([...SEARCH, '--json', ...args]);
    t.is(found.code, 0, found.stderr);
    return linesOf(found.stdout).map(({ seq }) => seq);
  };
  t.deepEqual(await seqs('--client', 'tax'), [3]);
  t.deepEqual(await seqs('--type', 'sign-in.*'), [1, 2, 3, 4]);
  t.deepEqual(await seqs('--type', 'sign-in.refused,person.added'), [0, 2]);
  t.deepEqual(await seqs('--outcome', 'failure'), [2]);
  t.deepEqual(await seqs('--address', '198.51.100.1'), [3, 4]);
  t.deepEqual(await seqs('--address', '198.51.100.1', '--person-id', wang), [4]);
  t.deepEqual(await seqs('--type', 'sign-in.*', '--limit', '2'), [3, 4], 'the newest of them');
  t.deepEqual(await seqs('--type', 'sign-in.*', '--to', '2020-01-01'), []);
  t.deepEqual(await seqs('--type', 'sign-in.*', '--from', '2099-01-01T00:00:00Z'), []);
  t.deepEqual(await seqs('--type', 'sign-in.*', '--from', '2020-01-01', '--to', '2099-12-31'), [1, 2, 3, 4]);
  t.deepEqual(await seqs('--type', 'sign-in.*', '--person-id', 'p_nobody'), []);

  const wrong: readonly (readonly [string[], RegExp])[] = [
    [['--type', 'sign-in.won'], /--type names events/],
    [['--type', ''], /--type names events/],
    [['--address', '300.1.1.1'], /--address is an IPv4/],
    [['--from', '2026-02-30'], /--from is a time/],
    [['--from', '2026-03-02', '--to', '2026-03-01'], /--from is not before --to/],
    [['--outcome', 'maybe'], /--outcome is/],
    [['--limit', '0'], /--limit is a number from 1/],
    [['--person', '--person-id', 'p_1'], /not both/],
    [['--nothing'], /Unknown option/],
    [['extra'], /tongban audit search/],
  ];
  for (const [args, sentence] of wrong) {
    const refused = await audit([...SEARCH, ...args]);
    t.is(refused.code, 2, args.join(' '));
    t.regex(refused.stderr, sentence);
    t.is(refused.stdout, '');
  }
});

test('L15 personal values stay sealed unless they are opened, which is on record', async (t) => {
  const { audit, house } = await people(t);
  const args = [...SEARCH, '--type', 'sign-in.*'];
  const sealed = await audit(args);
  t.false(sealed.stdout.includes(ADDRESS));
  t.is((await ledgerEntries(house.database, 'personal-data.revealed')).length, 0);
  const opened = await audit([...args, '--open']);
  t.true(opened.stdout.includes(ADDRESS) && opened.stdout.includes('Firefox on a train'));
  const [event] = await ledgerEntries(house.database, 'personal-data.revealed');
  t.is(event?.actor, `operator:${OPERATOR}`);
  t.deepEqual(event?.data.fields, ['ip', 'ua', 'data']);
});

test('L15 an erased person can no longer be read in the ledger, and every proof stands', async (t) => {
  const { audit, house, wang, file } = await people(t);
  await audit(['key', '--json']).then(({ stdout }) => writeFile(file('key'), JSON.parse(stdout).key));
  t.is((await audit(['prove', '2', '--out', file('before.tlog-proof')])).code, 0);
  const erase = ['erase', '--person-id', wang, '--by', 'Li', '--reason', 'the retention has ended'];

  const active = await audit([...erase, '--yes']);
  t.is(active.code, 1);
  t.regex(active.stderr, /Disable the person first/);
  await house.persons.disable(wang, 'test');
  const asked = await audit(erase, 'no\n');
  t.is(asked.code, 1);
  t.regex(asked.stderr, /for ever[\s\S]*Nothing was erased/);
  t.is((await ledgerEntries(house.database, 'person.erased')).length, 0);

  const erased = await audit(erase, 'erase\n');
  t.is(erased.code, 0, erased.stderr);
  const [event] = await ledgerEntries(house.database, 'person.erased');
  t.like(event, { subject: wang, actor: `operator:${OPERATOR}` });
  t.is(event?.data.origin, `Li (${OPERATOR})`);

  const open = await audit([...SEARCH, '--type', 'sign-in.*', '--open', '--json']);
  const states = linesOf(open.stdout).map(({ opened }) => opened.ip.state);
  t.deepEqual(states, ['erased', 'erased', 'open', 'erased']);
  t.false(open.stdout.includes(ADDRESS));
  t.regex((await audit([...SEARCH, '--open', '--type', 'sign-in.*'], '', 'zh-CN')).stdout, /ip=\[已擦除\]/);

  const before = ['check-proof', file('before.tlog-proof'), file('before.entry.json'), '--key', file('key')];
  t.is((await audit(before)).code, 0);
  t.is((await audit(['prove', '2', '--out', file('after.tlog-proof')])).code, 0);
  t.is(
    (await audit(['check-proof', file('after.tlog-proof'), file('before.entry.json'), '--key', file('key')])).code,
    0,
  );
  t.is((await audit(['verify', '--live'])).code, 0);
  t.regex((await audit([...erase, '--yes'])).stderr, /no key of such a person/);
});

test('L7 the proof of an entry is checked without the house, and nothing else passes for it', async (t) => {
  const { audit, file } = await people(t);
  const key = JSON.parse((await audit(['key', '--json'])).stdout).key as string;
  const proven = await audit(['prove', '3', '--out', file('entry.tlog-proof'), '--json']);
  t.is(proven.code, 0, proven.stderr);
  t.like(JSON.parse(proven.stdout), { seq: 3, entry: file('entry.entry.json') });
  t.is((await stat(file('entry.tlog-proof'))).mode & 0o777, 0o600);

  const nowhere = commandLine({ ...configFor({ dataDir: file('other') }), dataDir: '/nowhere/at/all' });
  const check = (proof: string, entry: string, trusted = key) =>
    nowhere(['check-proof', file(proof), file(entry), '--key', trusted, '--json']);
  const good = await check('entry.tlog-proof', 'entry.entry.json');
  t.is(good.code, 0, good.stderr);
  t.like(JSON.parse(good.stdout), { proven: true, seq: 3 });

  const entry = await readFile(file('entry.entry.json'), 'utf8');
  await writeFile(file('edited'), entry.replace('"tax"', '"tex"'));
  t.is((await check('entry.tlog-proof', 'edited')).code, 1);
  await writeFile(file('line-end'), `${entry}\n`);
  t.is((await check('entry.tlog-proof', 'line-end')).code, 0);
  const proof = await readFile(file('entry.tlog-proof'), 'utf8');
  await writeFile(file('other-index'), proof.replace('index 3', 'index 2'));
  t.is((await check('other-index', 'entry.entry.json')).code, 1);
  t.is((await check('edited', 'entry.entry.json')).code, 2, 'no proof at all');
  t.is((await check('entry.tlog-proof', 'missing')).code, 2);
  t.is((await check('entry.tlog-proof', 'entry.entry.json', 'no key')).code, 2);
  t.is((await audit(['prove', '99999'])).code, 1);
  t.is((await audit(['prove', 'three'])).code, 2);
  t.is((await audit(['prove', '3', '--out', file('entry.tlog-proof')])).code, 1, 'nothing is overwritten');
});

test('L15 the report of a day counts, lists who looked, and says whether the ledger verifies', async (t) => {
  const { audit, house, file } = await people(t);
  await audit(SEARCH);
  const day = new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10);
  const said = await audit(['report', '--day', day, '--json']);
  t.is(said.code, 0, said.stderr);
  const report = JSON.parse(said.stdout);
  t.like(report, { day, failures: 1, gapCount: 0, verification: { verdict: 'good' } });
  t.deepEqual(
    report.types.find(({ type }: { type: string }) => type === 'sign-in.succeeded'),
    { type: 'sign-in.succeeded', success: 3, failure: 0 },
  );
  t.is(
    report.hours.reduce(
      (sum: number, hour: { success: number; failure: number }) => sum + hour.success + hour.failure,
      0,
    ),
    report.count,
  );
  t.like(
    report.acts.find(({ type }: { type: string }) => type === 'audit.search'),
    { actor: `operator:${OPERATOR}` },
  );
  t.is((await ledgerEntries(house.database, 'audit.verified')).length, 1);

  t.is((await audit(['report', '--day', day, '--out', file('day.html')], '', 'zh-CN')).code, 0);
  const page = await readFile(file('day.html'), 'utf8');
  t.true(page.includes('审计日报') && page.includes('台账验证通过') && page.includes('audit.search'));
  t.false(/<script|https?:\/\//.test(page), 'one file that asks for nothing');
  t.true((page.match(/<svg[\s\S]*?<rect/g) ?? []).length >= 1, 'and shows the hours in a drawing');
  t.is((await stat(file('day.html'))).mode & 0o777, 0o600);
  t.is((await audit(['report', '--day', '2026-13-01'])).code, 2);
  t.is((await audit(['report', '--day', '2999-01-01'])).code, 2);

  await house.database.run("UPDATE ledger_entries SET entry = replace(entry, 'Z', 'Z') || ' ' WHERE seq = 1", []);
  const bad = await audit(['report', '--day', day]);
  t.is(bad.code, 1);
  t.regex(bad.stdout, /does not verify[\s\S]*First bad sequence number: 1/);
});

test('L15 neither ID number nor password nor name is in any answer, event or file', async (t) => {
  const { audit, house, wang, file } = await people(t);
  const prepared = await house.passwords.prepare(PASSWORD);
  if (prepared === 'busy') throw new Error('busy');
  await house.database.write((tx) => house.passwords.store(tx, wang, prepared, 'test'));
  await house.passwords.verify(wang, PASSWORD);
  const answers = [
    await audit([...SEARCH, '--person', '--open'], WANG.idNumber),
    await audit([...SEARCH, '--person', '--open', '--json'], WANG.idNumber),
    await audit(['export', '--person', '--open', '--out', file('a.jsonl'), '--reason', REASON], WANG.idNumber),
    await audit(['export', '--format', 'csv', '--open', '--out', file('a.csv'), '--reason', REASON]),
    await audit(['report', '--text']),
    await audit([...SEARCH, '--person'], `${WANG.idNumber.slice(0, 17)}9`),
  ];
  t.deepEqual(
    answers.map(({ code }) => code),
    [0, 0, 0, 0, 0, 2],
    answers.map(({ stderr }) => stderr).join(),
  );
  const entries = (await ledgerEntries(house.database)).map((entry) => JSON.stringify(entry));
  const files = await Promise.all(['a.jsonl', 'a.csv'].map((name) => readFile(file(name), 'utf8')));
  const everything = [...answers.map(({ stdout, stderr }) => stdout + stderr), ...entries, ...files].join('\n');
  for (const canary of [WANG.idNumber, WANG.idNumber.slice(0, 17), '19900101', PASSWORD, WANG.name]) {
    t.false(everything.includes(canary), canary);
  }
});

test('L15 a search beside a running server waits for the server to sign', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const audit = commandLine(configFor({ dataDir: server.dataDir, issuer: server.issuer }));
  const found = await audit([...SEARCH, '--person', '--json'], WANG.idNumber);
  t.is(found.code, 0, found.stderr);
  t.true(linesOf(found.stdout).length > 0);
  t.is((await server.events('audit.search')).length, 1);
  t.is((await server.events('audit.opened')).length, 1, 'the ledger begins once');
});

test('the key is shown with words, and nothing is understood that is not one of the actions', async (t) => {
  const { audit } = await auditDesk(t);
  const shown = await audit(['key']);
  t.regex(shown.stdout, /\+[0-9a-f]{8}\+[\s\S]*print it/);
  for (const args of [[], ['delete'], ['toString'], ['prune'], ['prune', 'now'], ['erase'], ['export']]) {
    const refused = await audit(args);
    t.is(refused.code, 2, args.join(' '));
    t.not(refused.stderr, '');
  }
});
